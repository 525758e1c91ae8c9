"""Schemas as tools of LlamaIndex agents, on real documents and local LlamaCloud."""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import re
import shutil
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.agent.workflow import FunctionAgent, ReActAgent
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.tools import BaseTool, ToolMetadata, ToolOutput
from pydantic import BaseModel, Field

from llama_cloud_ext import (
    ConfigurationError,
    ExtractResult,
    LlamaExtract,
    LlamaExtractToolSpec,
    LlamaParseReader,
    SourceError,
    SourceText,
)
from llama_cloud_ext.extract.agent_documents import AgentDocuments
from llama_cloud_ext.extract.rooted_files import RootedFile
from tests.local.scripted_llm import ScriptedLLM, calls, says, told

LETTER = "Invoice number: 4711\nDate: 2026-03-04\nTotal: 120.50 EUR\n"


class Invoice(BaseModel):
    """What a supplier asks to be paid."""

    invoice_number: str | None = Field(description="Number of the invoice")
    total: float | None = Field(description="Amount due, with tax")


class Person(BaseModel):
    """Somebody who is named in a document."""

    name: str | None = Field(description="Full name")


@dataclass
class Amount:
    """What is to be paid."""

    total: float | None


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A local LlamaCloud for all tests here."""
    return f"local:{tmp_path_factory.mktemp('cloud')}"


@pytest.fixture
def folder(tmp_path: Path, data_dir: Path) -> Path:
    """A root with documents, next to a file that is nobody's business."""
    root = tmp_path / "papers"
    (root / "march").mkdir(parents=True)
    (root / "march" / "letter.txt").write_text(LETTER)
    shutil.copy(data_dir / "extract" / "invoice-translation-en.pdf", root / "translation.pdf")
    (root / ".hidden.txt").write_text("Invoice number: 1")
    (tmp_path / "secret.txt").write_text("Invoice number: 666")
    return root


@pytest.fixture
def spec(folder: Path, address: str) -> LlamaExtractToolSpec:
    """Tools for invoices and persons below the folder."""
    return LlamaExtractToolSpec({"invoice": Invoice, "person": Person}, roots=[folder], base_url=address)


def named(spec: LlamaExtractToolSpec, name: str) -> BaseTool:
    """One of the tools."""
    return next(tool for tool in spec.to_tool_list() if tool.metadata.name == name)


def call(spec: LlamaExtractToolSpec, name: str, **arguments: Any) -> ToolOutput:
    """What a tool answers."""
    output: ToolOutput = named(spec, name)(**arguments)
    return output


# What a model is offered


def test_each_schema_is_a_tool_in_the_format_of_openai(spec: LlamaExtractToolSpec) -> None:
    """Ensure names, descriptions and arguments are what function calling takes."""
    tools = {tool.metadata.name: tool.metadata.to_openai_tool() for tool in spec.to_tool_list()}
    assert list(tools) == ["extract_invoice", "extract_person", "parse_document", "list_documents"]
    for name, tool in tools.items():
        function = tool["function"]
        assert tool["type"] == "function"
        assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name or "")
        assert 0 < len(function["description"]) <= 1024
        assert function["parameters"]["type"] == "object"
        json.dumps(tool)
    invoice = tools["extract_invoice"]["function"]
    assert "What a supplier asks to be paid." in invoice["description"]
    assert "- total (number): Amount due, with tax" in invoice["description"]
    assert invoice["parameters"]["required"] == ["document"]


def test_long_schemas_stay_within_what_tool_calling_takes(tmp_path: Path) -> None:
    """Ensure a schema of many fields and a long docstring is described as far as there is room, and says so."""
    fields = {f"field_{number}": {"type": "string", "description": "Something " * 30} for number in range(200)}
    schema = {"type": "object", "description": "Much. " * 300, "properties": fields}
    spec = LlamaExtractToolSpec({"much of it!": schema}, roots=tmp_path, base_url="local::memory:")
    tool = spec.to_tool_list()[0]
    assert tool.metadata.name == "extract_much_of_it_"
    assert len(tool.metadata.description) <= 1024
    assert re.search(r"… and \d+ more$", tool.metadata.description)


def test_documents_by_name_are_a_choice(address: str) -> None:
    """Ensure a few documents that were handed over are offered by name, and any kind of source is one."""
    documents = {"letter": SourceText(text_content=LETTER), "bytes": SourceText(file=LETTER.encode(), filename="a.txt")}
    spec = LlamaExtractToolSpec({"invoice": Invoice}, documents=documents, base_url=address)
    argument = named(spec, "extract_invoice").metadata.get_parameters_dict()["properties"]["document"]
    assert argument["enum"] == ["letter", "bytes"]
    for name in documents:
        assert call(spec, "extract_invoice", document=name).raw_output.data.invoice_number == "4711"


def test_tools_can_be_chosen_and_described_anew(spec: LlamaExtractToolSpec) -> None:
    """Ensure to_tool_list gives the wanted tools only, with other words where those are given."""
    other = ToolMetadata("Reads invoices.", "invoices", named(spec, "extract_invoice").metadata.fn_schema)
    (tool,) = spec.to_tool_list(["extract_invoice"], {"extract_invoice": other})
    assert (tool.metadata.name, tool.metadata.description) == ("invoices", "Reads invoices.")
    assert json.loads(tool(document="march/letter.txt").content)["data"]["invoice_number"] == "4711"
    with pytest.raises(ConfigurationError, match="no tool 'extract_bill'"):
        spec.to_tool_list(["extract_bill"])


# What it gets


def test_an_answer_is_json_for_the_model_and_an_object_for_the_program(spec: LlamaExtractToolSpec) -> None:
    """Ensure the text has data and quotes, and raw_output the validated object with its citations."""
    output = call(spec, "extract_invoice", document="march/letter.txt")
    answer = json.loads(output.content)
    assert not output.is_error
    assert answer["document"] == "march/letter.txt"
    assert answer["data"] == {"invoice_number": "4711", "total": 120.5}
    assert answer["citations"]["total"][0]["page"] == 1
    assert "120.50" in answer["citations"]["total"][0]["text"]
    assert isinstance(output.raw_output, ExtractResult)
    assert output.raw_output.data == Invoice(invoice_number="4711", total=120.5)
    # Agents keep it in their context, which is serialised.
    assert json.loads(output.model_dump_json())["raw_output"]["schema_name"] == "Invoice"


async def test_tools_work_the_same_in_an_event_loop(spec: LlamaExtractToolSpec) -> None:
    """Ensure the asynchronous call gives what the synchronous one gives, also with a positional argument."""
    tool = named(spec, "extract_invoice")
    output = await tool.acall("march/letter.txt")  # type: ignore[attr-defined]  # an AsyncBaseTool
    assert output.raw_output.data == tool("march/letter.txt").raw_output.data


def test_the_same_document_is_paid_for_once(spec: LlamaExtractToolSpec, folder: Path, address: str) -> None:
    """Ensure asking twice, also at the same time, is one job; a file that was written anew is another document."""
    before = len(LlamaExtract(base_url=address).list_jobs())
    outputs: list[ToolOutput] = []
    threads = [
        threading.Thread(target=lambda: outputs.append(call(spec, "extract_invoice", document="march/letter.txt")))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    call(spec, "extract_invoice", document=str(folder / "march" / "letter.txt"))
    assert len({output.raw_output.job_id for output in outputs}) == 1
    assert len(LlamaExtract(base_url=address).list_jobs()) == before + 1
    (folder / "march" / "letter.txt").write_text("Invoice number: 4712")
    assert call(spec, "extract_invoice", document="march/letter.txt").raw_output.data.invoice_number == "4712"


def test_what_was_read_is_not_parsed_again(spec: LlamaExtractToolSpec, address: str) -> None:
    """Ensure an extraction starts from the parse job of a document that the agent has read before."""
    text = call(spec, "parse_document", document="translation.pdf").content
    assert text.startswith("[page 1]")
    assert "BLT-0921" in text
    result = call(spec, "extract_invoice", document="translation.pdf").raw_output
    assert result.job.file_input == LlamaParseReader(base_url=address).list_jobs(limit=1)[0]["id"]


def test_long_documents_are_read_in_parts(tmp_path: Path, address: str) -> None:
    """Ensure what does not fit into one answer says where to go on, and pages can be asked for."""
    (tmp_path / "long.txt").write_text("\n".join(f"Line {number} of the text." for number in range(1400)))
    spec = LlamaExtractToolSpec({}, roots=tmp_path, base_url=address)
    first = call(spec, "parse_document", document="long.txt").content
    offset = int(re.findall(r"go on with offset=(\d+)\]$", first)[0])
    second = call(spec, "parse_document", document="long.txt", offset=offset).content
    assert "Line 0 of" in first
    assert "Line 1399 of" in first.rsplit("[", 1)[0] + second
    output = call(spec, "parse_document", document="long.txt", page=999)
    assert output.is_error
    assert "has no page 999" in output.content


def test_documents_are_listed(spec: LlamaExtractToolSpec) -> None:
    """Ensure an agent sees the files below the roots by the names it may use, hidden ones left out."""
    assert call(spec, "list_documents").content.splitlines() == ["march/letter.txt", "translation.pdf"]
    assert call(spec, "list_documents", contains="LETTER").content == "march/letter.txt"
    assert call(spec, "list_documents", contains="tax").content == "There are no such documents."


def test_two_roots_keep_their_files_apart(folder: Path, tmp_path: Path, address: str) -> None:
    """Ensure names begin with the root's where there are several, and find their own file."""
    other = tmp_path / "other" / "papers"
    other.mkdir(parents=True)
    (other / "translation.pdf").write_bytes((folder / "translation.pdf").read_bytes())
    spec = LlamaExtractToolSpec({}, roots=[folder, other], base_url=address)
    names = call(spec, "list_documents").content.splitlines()
    assert names == ["papers/march/letter.txt", "papers/translation.pdf", "papers-2/translation.pdf"]
    assert "BLT-0921" in call(spec, "parse_document", document="papers-2/translation.pdf").content


def test_a_dataclass_is_answered_as_json(folder: Path, address: str) -> None:
    """Ensure the model reads fields of any class that can be extracted, not how Python shows an instance."""
    spec = LlamaExtractToolSpec({"amount": Amount}, roots=[folder], base_url=address)
    output = call(spec, "extract_amount", document="march/letter.txt")
    assert json.loads(output.content)["data"] == {"total": 120.5}
    assert output.raw_output.data == Amount(120.5)


# What it does not get


def escapes(folder: Path) -> dict[str, str]:
    """Ways out of a root, as a model may be talked into trying."""
    (folder / "link.txt").symlink_to(folder.parent / "secret.txt")
    (folder / "out").symlink_to(folder.parent)
    (folder / "loop").symlink_to(folder / "loop")
    os.mkfifo(folder / "pipe.txt")
    return {
        "parent": "../secret.txt",
        "parent in the middle": "march/../../secret.txt",
        "absolute": str(folder.parent / "secret.txt"),
        "absolute system file": "/etc/passwd",
        "link to a file": "link.txt",
        "link to a folder": "out/secret.txt",
        "loop of links": "loop",
        "pipe": "pipe.txt",
        "folder": "march",
        "root itself": ".",
        "home": "~/.netrc",
        "variable": "$HOME/.netrc",
        "URL": "https://example.com/a.pdf",
        "file URL": "file:///etc/passwd",
        "other file system": "s3://bucket/key",
        "zero byte": "march/letter.txt\0.pdf",
        "far too long": "a/" * 5000,
        "backslashes": "..\\secret.txt",
        "empty": "  ",
    }


@pytest.mark.parametrize("tool", ["extract_invoice", "parse_document"])
def test_no_way_leads_out_of_the_roots(spec: LlamaExtractToolSpec, folder: Path, tool: str) -> None:
    """Ensure every way out is a readable error, without the content, a traceback, or a word on what is outside."""
    for kind, document in escapes(folder).items():
        output = call(spec, tool, document=document)
        assert output.is_error, kind
        assert output.content.startswith("Error: "), kind
        assert "list_documents" in output.content, kind
        assert "666" not in output.content, kind
        assert "Traceback" not in output.content, kind
        assert len(output.content) < 600, kind


@pytest.mark.parametrize("outside", ["folder", "file"])
def test_a_link_that_appears_after_the_look_leads_nowhere(folder: Path, outside: str) -> None:
    """Ensure a file that was found inside is not read from where a link leads by the time it is opened."""
    documents = AgentDocuments(folder, None, allow_urls=False)
    found = documents.find("march/letter.txt")
    assert isinstance(found, RootedFile)
    assert found.source().path == str(found.path)
    elsewhere = folder.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "letter.txt").write_text("Invoice number: 666")
    moved, target = (folder / "march", elsewhere) if outside == "folder" else (found.path, elsewhere / "letter.txt")
    moved.rename(folder / "moved")
    moved.symlink_to(target)
    with pytest.raises(SourceError, match="no longer where it was"):
        found.source()


@pytest.mark.parametrize("name", [".hidden.txt", "march/../.hidden.txt", "papers/.hidden.txt"])
def test_hidden_files_are_no_documents(spec: LlamaExtractToolSpec, folder: Path, name: str) -> None:
    """Ensure what the list leaves out, as a `.env` with its passwords, cannot be guessed either."""
    for document in (name, str(folder / ".hidden.txt")):
        output = call(spec, "parse_document", document=document)
        assert output.is_error
        assert "Invoice number" not in output.content


def test_whether_there_is_a_file_outside_cannot_be_asked(spec: LlamaExtractToolSpec, folder: Path) -> None:
    """Ensure a file that exists outside and one that does not are refused in the same words."""
    there = call(spec, "parse_document", document="../secret.txt").content
    not_there = call(spec, "parse_document", document="../sekret.txt").content
    assert there.replace("secret", "x") == not_there.replace("sekret", "x")


def test_links_inside_are_followed(spec: LlamaExtractToolSpec, folder: Path) -> None:
    """Ensure a link to another file inside the root is a document like any other."""
    (folder / "copy.txt").symlink_to(folder / "march" / "letter.txt")
    assert call(spec, "extract_invoice", document="copy.txt").raw_output.data.invoice_number == "4711"


def test_a_wrong_name_is_answered_with_the_right_one(spec: LlamaExtractToolSpec) -> None:
    """Ensure a model that misspells a name is told which document is meant."""
    output = call(spec, "extract_invoice", document="march/leter.txt")
    assert output.is_error
    assert "Did you mean 'march/letter.txt'" in output.content


@pytest.mark.parametrize(
    "arguments", [{}, {"file": "march/letter.txt"}, {"document": 7}, {"document": None}, {"document": ["a"]}]
)
def test_wrong_arguments_are_answered(spec: LlamaExtractToolSpec, arguments: dict[str, Any]) -> None:
    """Ensure what a model gets wrong comes back as words, not as an exception."""
    output = call(spec, "extract_invoice", **arguments)
    assert output.is_error
    assert output.content.startswith("Error: ")


def test_a_document_that_fails_is_an_answer(spec: LlamaExtractToolSpec, folder: Path, data_dir: Path) -> None:
    """Ensure a job's failure reaches the model with its reason, and is tried again when it is asked for again."""
    shutil.copy(data_dir / "password-protected.pdf", folder / "locked.pdf")
    first, second = (call(spec, "extract_invoice", document="locked.pdf") for _ in range(2))
    assert first.is_error
    assert "PDF_IS_PROTECTED" in first.content
    assert second.content != first.content, "each attempt names its own job"


def test_there_must_be_something_to_read() -> None:
    """Ensure tools without documents, roots that do not exist and contradicting connections raise at once."""
    with pytest.raises(ConfigurationError, match="nothing that the tools may read"):
        LlamaExtractToolSpec({"invoice": Invoice}, base_url="local::memory:")
    with pytest.raises(ConfigurationError, match="schemas are given by name"):
        LlamaExtractToolSpec([Invoice], roots=".", base_url="local::memory:")  # type: ignore[arg-type]  # what a user tries
    with pytest.raises(ConfigurationError, match="is no folder"):
        LlamaExtractToolSpec({"invoice": Invoice}, roots=["/not/there"], base_url="local::memory:")
    with pytest.raises(ConfigurationError, match="has a connection already"):
        LlamaExtractToolSpec(
            {"invoice": Invoice}, roots=".", extractor=LlamaExtract(base_url="local::memory:"), api_key="llx-1"
        )


def test_tools_survive_pickling(spec: LlamaExtractToolSpec) -> None:
    """Ensure a spec can be sent to another process, without what it has cached."""
    copy = pickle.loads(pickle.dumps(spec))
    assert json.loads(call(copy, "extract_invoice", document="march/letter.txt").content)["data"]["total"] == 120.5


# Agents


def reads_an_invoice(messages: Sequence[ChatMessage], tools: Sequence[BaseTool]) -> ChatMessage:
    """A model that looks around, mistakes the name, corrects itself, and answers with what it was told."""
    said = told(messages)
    if not said:
        return calls("list_documents")
    if len(said) == 1:
        return calls("extract_invoice", document="march/leter.txt")
    if "Did you mean" in said[-1]:
        name = said[-1].split("Did you mean '")[1].split("'")[0]
        return calls("extract_invoice", document=name)
    return says(f"It is {json.loads(said[-1])['data']['total']} euros.")


async def test_a_function_agent_extracts(spec: LlamaExtractToolSpec) -> None:
    """Ensure a FunctionAgent finds the document, recovers from an error, and gets a validated object."""
    agent = FunctionAgent(tools=spec.to_tool_list(), llm=ScriptedLLM(reads_an_invoice))
    handler = agent.run("How much is due?")
    answer = await handler
    assert str(answer) == "It is 120.5 euros."
    outputs = [tool_call.tool_output for tool_call in answer.tool_calls]
    assert [output.is_error for output in outputs] == [False, True, False]
    assert outputs[-1].raw_output.data == Invoice(invoice_number="4711", total=120.5)


async def test_a_react_agent_extracts(spec: LlamaExtractToolSpec) -> None:
    """Ensure a ReActAgent, which writes its calls as text, gets the same."""

    def next_step(messages: Sequence[ChatMessage], tools: Sequence[BaseTool]) -> ChatMessage:
        observed = [m.content or "" for m in messages if (m.content or "").startswith("Observation:")]
        if not observed:
            action = json.dumps({"document": "march/letter.txt"})
            return says(f"Thought: I need the invoice.\nAction: extract_invoice\nAction Input: {action}")
        found = json.loads(observed[-1].removeprefix("Observation:"))
        return says(f"Thought: I can answer.\nAnswer: {found['data']['invoice_number']}")

    agent = ReActAgent(tools=spec.to_tool_list(), llm=ScriptedLLM(next_step))
    assert str(await agent.run("Which number has the invoice?")).strip() == "4711"


@pytest.mark.parametrize("run", [lambda work: asyncio.run(work()), lambda work: work], ids=["asyncio.run", "sync"])
def test_tools_hold_nothing_of_an_event_loop(spec: LlamaExtractToolSpec, run: Callable[[Any], Any]) -> None:
    """Ensure one spec serves several event loops, one after the other, and plain calls."""

    async def ask() -> ToolOutput:
        output: ToolOutput = await named(spec, "extract_invoice").acall(document="march/letter.txt")  # type: ignore[attr-defined]  # an AsyncBaseTool
        return output

    for _ in range(2):
        output = run(ask)
        output = call(spec, "extract_invoice", document="march/letter.txt") if callable(output) else output
        assert output.raw_output.data.total == 120.5
