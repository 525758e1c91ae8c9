"""What an extraction can start from: each kind of input reaches the service as it should, sync and async."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import pytest

from llama_cloud_ext import (
    ConfigurationError,
    ExtractResult,
    FailedItem,
    JobFailedError,
    ParseJob,
    ParseResult,
    SourceError,
    SourceText,
)
from tests.http.loopback import loopback, reply
from tests.http.scripted_extract import DATA, SCHEMA, ScriptedExtract

PDF = b"%PDF-1.7 stands for a file"
UUID = "0c7f44a3-8a9a-4f0e-9d5c-1f0a2b3c4d5e"


def both_ways(service: ScriptedExtract, files: Callable[[], Any], *rest: Any, **options: Any) -> list[Any]:
    """What an extraction gives synchronously and asynchronously."""
    extractor = service.extractor(**options)
    one = extractor.extract(SCHEMA, None, files(), *rest)
    return [one, asyncio.run(extractor.aextract(SCHEMA, None, files(), *rest))]


def named(content: bytes, name: str) -> io.BytesIO:
    """A stream that knows its name."""
    stream = io.BytesIO(content)
    stream.name = name
    return stream


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a file."""
    (tmp_path / "a.pdf").write_bytes(PDF)
    return tmp_path


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (lambda folder: folder / "a.pdf", "a.pdf"),
        (lambda folder: str(folder / "a.pdf"), "a.pdf"),
        (lambda folder: (folder / "a.pdf").open("rb"), "a.pdf"),
        (lambda folder: named(PDF, "b.pdf"), "b.pdf"),
        (lambda folder: PDF, "document.pdf"),
        (lambda folder: io.BytesIO(PDF), "document.pdf"),
        (lambda folder: SourceText(file=PDF, filename="c.pdf"), "c.pdf"),
        (lambda folder: SourceText(file=folder / "a.pdf"), "a.pdf"),
        (lambda folder: SourceText(file=str(folder / "a.pdf"), filename="c.pdf"), "c.pdf"),
        (lambda folder: SourceText(file=named(PDF, "b.pdf")), "b.pdf"),
    ],
    ids=["Path", "str", "file", "named", "bytes", "BytesIO", "bytes as", "Path as it is", "str as", "named as it is"],
)
def test_files_are_uploaded(folder: Path, given: Callable[[Path], Any], name: str) -> None:
    """Ensure whatever is a file arrives whole, with a name, for extracting, and one job is made of it."""
    service = ScriptedExtract()
    for place, result in enumerate(both_ways(service, lambda: given(folder)), start=1):
        assert isinstance(result, ExtractResult)
        assert result.data == DATA
        uploaded = service.files[f"dfl-{place}"]
        assert (uploaded["content"], uploaded["purpose"]) == (PDF, "extract")
        assert uploaded["name"] == name or (name == "document.pdf" and uploaded["name"].endswith(".pdf"))
        assert result.source.name == uploaded["name"]
        assert service.jobs[result.job_id]["file_input"] == uploaded["id"]
    assert service.steps["create"] == 2


def test_bytes_are_named_by_their_metadata() -> None:
    """Ensure `file_name` names what has no name, and the rest of the metadata comes with the documents."""
    service = ScriptedExtract()
    for result in both_ways(service, lambda: PDF, {"file_name": "mine.pdf", "team": "a"}):
        assert result.source.name == "mine.pdf"
        assert result.documents()[0].metadata["team"] == "a"
    assert {file["name"] for file in service.files.values()} == {"mine.pdf"}


def test_texts_are_uploaded_as_files() -> None:
    """Ensure a text arrives in UTF-8, named as its caller says or as a text."""
    service = ScriptedExtract()
    for text in (SourceText(text_content="Größe: 1"), SourceText(text_content="# Größe: 1", filename="a.md")):
        both_ways(service, lambda text=text: text)
    assert [file["name"] for file in service.files.values()] == ["text.txt"] * 2 + ["a.md"] * 2
    assert service.contents()[0].decode() == "Größe: 1"


def test_files_of_other_filesystems() -> None:
    """Ensure a path within an fsspec filesystem is read from there, though nothing local has that name."""
    memory = fsspec.filesystem("memory")
    memory.pipe("/extract/a.pdf", PDF)
    service = ScriptedExtract()
    for result in both_ways(service, lambda: "/extract/a.pdf", None, memory):
        assert result.source.name == "a.pdf"
    for result in both_ways(service, lambda: "memory://extract/a.pdf"):
        assert result.source.name == "a.pdf"
    assert service.contents() == [PDF] * 4


async def test_a_file_behind_a_url_is_fetched_without_the_key() -> None:
    """Ensure a URL is fetched here, whole and without anything of ours, and uploaded under its name."""
    service = ScriptedExtract()
    async with loopback(reply(PDF), reply(PDF)) as served:
        url = f"{served.url}/reports/a%20b.pdf?sig=s3cret"
        extractor = service.extractor(headers={"X-Mine": "1"})
        result = await extractor.aextract(SCHEMA, None, url)
        assert (await asyncio.to_thread(extractor.extract, SCHEMA, None, url)).source == result.source
    assert result.source.name == "a b.pdf"
    assert "s3cret" not in f"{result.source} {result.documents()[0].metadata}"
    assert service.contents() == [PDF, PDF]
    for received in served.received:
        assert not {"authorization", "x-mine"} & set(received.headers)


async def test_a_url_that_cannot_be_fetched_names_itself() -> None:
    """Ensure a dead link raises, without its signature, and no job is made."""
    service = ScriptedExtract()
    async with loopback(reply(status=404)) as served:
        with pytest.raises(Exception, match=r"a\.pdf") as caught:
            await service.extractor().aextract(SCHEMA, None, f"{served.url}/a.pdf?sig=s3cret")
    assert "s3cret" not in str(caught.value)
    assert service.requests == []


@pytest.mark.parametrize("file_id", ["dfl-0f3a", UUID, "pjb-0f3a"])
def test_what_the_service_has_is_not_uploaded(file_id: str) -> None:
    """Ensure the id of a file or of a parse job goes into the job as it is."""
    service = ScriptedExtract()
    for result in both_ways(service, lambda: file_id):
        assert service.jobs[result.job_id]["file_input"] == file_id
        assert result.source.path is None
    assert service.files == {}


def test_a_file_that_is_called_like_an_id_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure what exists is a file, whatever it is called."""
    monkeypatch.chdir(tmp_path)
    Path(UUID).write_bytes(PDF)
    service = ScriptedExtract()
    service.extractor().extract(SCHEMA, None, UUID)
    assert service.contents() == [PDF]


def test_what_was_parsed_is_not_parsed_again(folder: Path) -> None:
    """Ensure a parse result and a parse job stand for the job, keep the file's identity, and nothing is uploaded."""
    service = ScriptedExtract()
    reader = service.reader()
    parsed = reader.parse(folder / "a.pdf")
    assert isinstance(parsed, ParseResult)
    job = reader.submit(folder / "a.pdf")
    direct = service.extractor().extract(SCHEMA, None, folder / "a.pdf").documents()[0].id_
    service.files.clear()
    for given in (parsed, job):
        for result in both_ways(service, lambda given=given: given, {"team": "a"}):
            assert service.jobs[result.job_id]["file_input"] == given.job_id
            assert result.source.name == "a.pdf"
            (document,) = result.documents()
            assert document.metadata["team"] == "a"
            assert document.id_ == direct
    assert service.files == {}


def test_a_parse_job_is_waited_for(folder: Path) -> None:
    """Ensure an extraction from a running parse job is created when that has completed."""
    service = ScriptedExtract(looks=2)
    job = service.reader().submit(folder / "a.pdf")
    assert isinstance(job, ParseJob)
    assert service.extractor().extract(SCHEMA, None, job).data == DATA
    order = [service._step(request) for request in service.requests]
    assert order.index("create") > max(place for place, step in enumerate(order) if step.startswith("parse job"))
    assert service.parse_jobs[job.job_id]["status"] == "COMPLETED"


def test_a_parse_job_that_failed_says_so(folder: Path) -> None:
    """Ensure nothing is extracted from a failed parse job, and the error is the parse job's."""
    service = ScriptedExtract(looks=1, statuses={"pjb-1": "FAILED"})
    job = service.reader().submit(folder / "a.pdf")
    with pytest.raises(JobFailedError) as caught:
        service.extractor().extract(SCHEMA, None, job)
    assert caught.value.product == "parse"
    assert "a.pdf" in str(caught.value)
    assert service.steps["create"] == 0


def test_one_gives_one_and_a_list_gives_a_list(folder: Path) -> None:
    """Ensure a list of one element gives a list of one element, and results stand in the order of the files."""
    service = ScriptedExtract(lambda name: {"vendor": name})
    path = folder / "a.pdf"
    for result in both_ways(service, lambda: path):
        assert isinstance(result, ExtractResult)
    for given in ([path], (path,), iter([path])):
        copies = list(given)
        for results in both_ways(service, lambda copies=copies: iter(copies)):
            assert [type(result) for result in results] == [ExtractResult]
    for results in both_ways(service, list):
        assert results == []
    names = [{"file_name": f"{number}.pdf"} for number in range(6)]
    for results in both_ways(service, lambda: [PDF + bytes([number]) for number in range(6)], names):
        assert [result.data["vendor"] for result in results] == [f"{number}.pdf" for number in range(6)]


def test_lists_may_mix_everything(folder: Path) -> None:
    """Ensure inputs of all kinds may stand in one list."""
    service = ScriptedExtract()
    job = service.reader().submit(folder / "a.pdf")
    given = [folder / "a.pdf", PDF, "dfl-0f3a", job, job.result(), SourceText(text_content="x")]
    results = service.extractor().extract(SCHEMA, None, given)
    inputs = [service.jobs[result.job_id]["file_input"] for result in results]
    assert inputs[2:5] == ["dfl-0f3a", job.job_id, job.job_id]
    assert {inputs[0], inputs[1], inputs[5]} == set(service.files)


def test_streams_hand_out_what_is_done(folder: Path) -> None:
    """Ensure results come one by one, from both kinds of stream, a failure after them."""
    service = ScriptedExtract(statuses={"bad.pdf": "FAILED"})
    files = [folder / "a.pdf", SourceText(file=PDF, filename="bad.pdf"), SourceText(text_content="x")]
    extractor = service.extractor(on_error="skip")

    async def collected() -> list[Any]:
        return [one async for one in extractor.astream(SCHEMA, None, files)]

    for outcomes in (list(extractor.stream(SCHEMA, None, files)), asyncio.run(collected())):
        assert sorted(type(outcome).__name__ for outcome in outcomes) == [
            "ExtractResult",
            "ExtractResult",
            "FailedItem",
        ]
    assert [failure.source for failure in extractor.failures] == ["bad.pdf"] * 2


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (None, "no files"),
        ("missing.pdf", "missing.pdf"),
        (b"", "empty"),
        ([b"x.", b""], "empty"),
        ("https://", "https://"),
    ],
)
def test_what_cannot_be_sent_is_refused_first(given: Any, message: str) -> None:
    """Ensure an input that cannot work raises before any request is made for it."""
    service = ScriptedExtract()
    with pytest.raises(Exception, match=message):
        service.extractor().extract(SCHEMA, None, given)
    assert service.steps["create"] == (1 if isinstance(given, list) else 0)


def test_metadata_of_another_number_is_refused() -> None:
    """Ensure a list of metadata has one mapping for each file, and nothing is sent otherwise."""
    service = ScriptedExtract()
    with pytest.raises(ConfigurationError, match="2 mappings for 1 files"):
        service.extractor().extract(SCHEMA, None, [PDF], [{}, {}])
    assert service.requests == []


@pytest.mark.parametrize(
    "options", [{}, {"text_content": "x", "file": b"x"}, {"text_content": " \n"}, {"filename": "a.pdf"}]
)
def test_a_source_text_is_a_text_or_a_file(options: dict[str, Any]) -> None:
    """Ensure exactly one of text and file is given, and the text says something."""
    with pytest.raises(ConfigurationError):
        SourceText(**options)


def test_a_bad_file_in_a_list_costs_the_others_nothing(folder: Path) -> None:
    """Ensure the rest of a list is extracted, and the bad one is named in its place."""
    service = ScriptedExtract()
    extractor = service.extractor(on_error="skip")
    outcomes = extractor.extract(SCHEMA, None, [folder / "a.pdf", folder / "missing.pdf", folder / "a.pdf"])
    assert [type(outcome) for outcome in outcomes] == [ExtractResult, FailedItem, ExtractResult]
    assert isinstance(outcomes[1].error, SourceError)
    assert outcomes[1].index == 1
    assert service.steps["create"] == 2
