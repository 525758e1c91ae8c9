"""What the classes for indexes over directories send, how often, and what they make of a service that fails."""

from __future__ import annotations

import asyncio
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from llama_index.core import Document
from llama_index.core.schema import NodeRelationship

from llama_cloud_ext import (
    AuthenticationError,
    ConfigurationError,
    IngestionError,
    JobCancelledError,
    JobDeadlineError,
    JobFailedError,
    LlamaCloudDirectoryIndex,
    NotFoundError,
    PartialFailureError,
)
from tests.http.scripted_directory import ScriptedDirectory, result

DOCUMENTS = [Document(text=f"Text {number}.", id_=f"d-{number}") for number in range(3)]


def once(step: str, fault: Any) -> Callable[[str, httpx.Request], Any]:
    """A fault that happens at one step, the first time."""
    left = [fault]
    return lambda now, request: left.pop() if now == step and left else None


# Requests


def test_nothing_is_sent_before_it_is_used() -> None:
    """Ensure constructors, retrievers, engines and tools cost no request, and a name is looked up once for all."""
    service = ScriptedDirectory()
    index = service.index()
    retriever, tools = index.as_retriever(top_k=3), index.as_tools()
    assert service.requests == []
    retriever.retrieve("x")
    tools[0].call(query="x")
    asyncio.run(index.as_retriever().aretrieve("x"))
    assert service.steps["projects"] == service.steps["indexes"] == 1
    assert service.steps["retrieve"] == 3


def test_a_query_is_one_request_once_names_are_known() -> None:
    """Ensure only the first query asks for the names of the files that it found."""
    service = ScriptedDirectory([result("a"), result("b")])
    retriever = service.retriever(None, id="idx-1")
    first = retriever.retrieve("x")
    assert service.steps == {"retrieve": 1, "index": 1, "file": 1}
    service.forget()
    assert retriever.retrieve("y")[0].metadata == first[0].metadata
    assert service.paths() == ["POST /api/v1/retrieval/retrieve"]
    named = ScriptedDirectory([result("a", metadata={"file_name": "mine.pdf"})])
    assert named.retriever(None, id="idx-1").retrieve("x")[0].metadata["file_name"] == "mine.pdf"
    assert named.steps == {"retrieve": 1}


def test_none_is_the_services_default_and_zero_is_a_value() -> None:
    """Ensure what is not set is not sent, and False, 0.0 and 0 are."""
    service = ScriptedDirectory()
    service.retriever(None, id="idx-1").retrieve("x")
    settings = {"score_threshold": 0.0, "vector_pipeline_weight": 0.0, "enable_reranking": False, "similarity_top_k": 7}
    service.retriever(None, id="idx-1", **settings).retrieve("y")
    assert service.bodies("retrieve") == [
        {"index_id": "idx-1", "query": "x"},
        {
            "index_id": "idx-1",
            "query": "y",
            "top_k": 7,
            "score_threshold": 0.0,
            "vector_pipeline_weight": 0.0,
            "rerank": {"enabled": False},
        },
    ]


def test_nodes_carry_file_page_and_score() -> None:
    """Ensure nodes have stable ids, their file and pages, the better of the scores, and the user's metadata."""
    service = ScriptedDirectory(
        [
            result("a", rerank_score=0.9, metadata={"year": 2024}),
            {"content": "bare"},
            {"content": None, "score": "high"},
        ]
    )
    one, other, empty = service.retriever().retrieve("x")
    assert (one.score, other.score, empty.score, empty.text) == (0.9, None, None, "")
    assert one.metadata == {
        "file_name": "dfl-9.pdf",
        "file_id": "dfl-9",
        "page_number": 2,
        "page_number_end": 3,
        "year": 2024,
        "retrieval_mode": "chunks",
    }
    assert one.node.relationships[NodeRelationship.SOURCE].node_id == "dfl-9"
    again = service.retriever().retrieve("another question")
    assert [node.node_id for node in again] == [one.node_id, other.node_id, empty.node_id]
    assert len({one.node_id, other.node_id, empty.node_id}) == 3


def test_documents_become_text_files_with_their_metadata() -> None:
    """Ensure a Document travels as a file of its id and text, before the index is created, whose first sync has it."""
    service = ScriptedDirectory(exists=False)
    document = Document(text="Größe", id_="a/b", metadata={"year": 2024, "file_name": "x.pdf"})
    index = LlamaCloudDirectoryIndex.from_documents(
        [document], "reports", store_attachments=["items"], **service.connection
    )
    (file,) = service.files.values()
    assert (file["unique_id"], file["display_name"], file["content"]) == ("a/b", "a/b.txt", "Größe")
    assert {name: file["metadata"][name] for name in document.metadata} == document.metadata
    order = [path for path in service.paths() if path.startswith("POST")]
    assert order[:3] == [
        "POST /api/v1/beta/directories",
        "POST /api/v1/beta/directories/dir-1/files/upload",
        "POST /api/v1/indexes",
    ]
    assert service.bodies("create index") == [
        {"source_directory_id": "dir-1", "name": "reports", "store_attachments": ["items"]}
    ]
    assert service.steps["sync"] == 0
    assert index.id == "idx-1"


def test_what_is_unchanged_is_not_sent_again(tmp_path: Path) -> None:
    """Ensure Documents and files of a folder that the directory has as they are cost no upload."""
    service = ScriptedDirectory(exists=False)
    (tmp_path / "sub").mkdir()
    for name in ("a.txt", "sub/a.txt", ".hidden"):
        (tmp_path / name).write_text(name)
    index = LlamaCloudDirectoryIndex.from_folder(tmp_path, "reports", custom_metadata={"n": 1}, **service.connection)
    assert {file["unique_id"] for file in service.files.values()} == {"a.txt", "sub/a.txt"}
    (tmp_path / "a.txt").write_text("changed")
    LlamaCloudDirectoryIndex.from_folder(tmp_path, "reports", custom_metadata={"n": 1}, **service.connection)
    assert (service.steps["upload"], service.steps["delete file"], service.steps["create index"]) == (3, 1, 1)
    assert index.refresh_ref_docs(DOCUMENTS) == [True, True, True]
    changed = Document(text="Other.", id_="d-1")
    assert index.refresh_ref_docs([DOCUMENTS[0], changed, DOCUMENTS[2]]) == [False, True, False]
    assert service.steps["upload"] == 3 + 3 + 1


def test_a_file_of_one_location_is_one_file(tmp_path: Path) -> None:
    """Ensure a file that comes again replaces itself, and one of the same name elsewhere does not."""
    service = ScriptedDirectory()
    index = service.index()
    (tmp_path / "sub").mkdir()
    for path in (tmp_path / "a.txt", tmp_path / "sub" / "a.txt"):
        path.write_text("x")
    first, second = index.upload_files([tmp_path / "a.txt", tmp_path / "sub" / "a.txt"])
    again = index.upload_file(tmp_path / "a.txt", custom_metadata={"year": 1})
    assert set(service.files) == {second, again}
    assert first not in service.files
    assert service.files[again]["metadata"] == {"year": 1}


def test_an_index_over_a_directory_that_exists() -> None:
    """Ensure a directory can be given, is left alone when its index is deleted, and is not mistaken for another."""
    service = ScriptedDirectory(exists=False)
    index = LlamaCloudDirectoryIndex.create_index("reports", source_directory_id="dir-1", **service.connection)
    assert service.steps["create directory"] == 0
    with pytest.raises(ConfigurationError, match="is over directory dir-1"):
        LlamaCloudDirectoryIndex.create_index("reports", source_directory_id="dir-2", **service.connection)
    index.delete()
    assert (service.steps["delete index"], service.steps["delete directory"]) == (1, 0)


def test_grep_find_and_read_send_what_they_are_asked() -> None:
    """Ensure limits and places travel, and what is left out does not."""
    service = ScriptedDirectory()
    index = service.index(None, id="idx-1")
    assert index.grep("dfl-1", "a|b", context_chars=0, limit=5)[0].start_char == 1
    assert index.read_file("dfl-1", offset=0) == "text"
    assert index.find_files("x", limit=9999) == []
    assert service.bodies("grep") == [
        {"file_id": "dfl-1", "index_id": "idx-1", "pattern": "a|b", "context_chars": 0, "page_size": 5}
    ]
    assert service.bodies("read") == [{"file_id": "dfl-1", "index_id": "idx-1", "offset": 0}]
    assert service.bodies("find") == [{"index_id": "idx-1", "file_name_contains": "x", "page_size": 1000}]


def test_it_travels(tmp_path: Path) -> None:
    """Ensure a retriever survives pickling with the names that it has learnt."""
    from llama_cloud_ext import LlamaCloudDirectoryRetriever

    retriever = LlamaCloudDirectoryRetriever("x", top_k=3, base_url=f"local:{tmp_path}")
    retriever._names["dfl-1"] = "a.pdf"
    copied = pickle.loads(pickle.dumps(retriever))
    assert (copied.settings, copied._names) == ({"top_k": 3}, {"dfl-1": "a.pdf"})


# Waiting


def test_a_sync_is_waited_for() -> None:
    """Ensure a call returns only when the sync has ended, synchronously and asynchronously."""
    for run in (lambda index: index.resync(), lambda index: asyncio.run(index.aresync())):
        service = ScriptedDirectory(looks=3)
        record = run(service.index(None, id="idx-1"))
        assert service.looks == 0
        assert record["last_synced_at"] == "2026-01-01T00:00:01Z"


def test_the_end_of_the_sync_before_is_not_taken_for_the_end_of_this_one() -> None:
    """Ensure a service that notices a sync a little late is asked again."""
    looks = []

    def stale(step: str, request: httpx.Request) -> Any:
        if step != "index":
            return None
        looks.append(request)
        old = {"id": "idx-1", "sync_in_progress": False, "metadata": {"status": "ready"}, "last_synced_at": "old"}
        return old if len(looks) < 4 else {**old, "last_synced_at": "new"}

    service = ScriptedDirectory(fault=stale)
    assert service.index(None, id="idx-1").resync()["last_synced_at"] == "new"


def test_a_wait_has_a_deadline_and_can_be_taken_up() -> None:
    """Ensure the deadline raises with the index's id, and a later wait goes on."""
    service = ScriptedDirectory(looks=10**6)
    index = service.index(None, id="idx-1")
    index.start_sync()
    with pytest.raises(JobDeadlineError, match="idx-1 was still syncing"):
        index.wait_for_completion(timeout=0.1)
    with pytest.raises(JobDeadlineError):
        asyncio.run(index.aresync(timeout=0.1))
    service.looks = 1
    assert index.wait_for_completion()["sync_in_progress"] is False


@pytest.mark.parametrize(
    ("metadata", "error", "message"),
    [
        ({"status": "failed", "error_message": "no credits"}, JobFailedError, "no credits"),
        ({"status": "failed"}, JobFailedError, "gives no reason"),
        ({"status": "cancelled"}, JobCancelledError, "cancel"),
        (
            {"status": "ready", "failed_files": [{"file_name": "a.txt", "error_message": "is broken"}]},
            IngestionError,
            "a.txt.*is broken",
        ),
    ],
)
def test_a_sync_that_fails_raises(metadata: dict[str, Any], error: type[Exception], message: str) -> None:
    """Ensure what a sync says of its failure is in the error, and that it is logged only if asked to be."""
    service = ScriptedDirectory(metadata=metadata)
    index = service.index(None, id="idx-1")
    with pytest.raises(error, match=message):
        index.wait_for_completion()
    assert index.wait_for_completion(raise_on_error=False)["metadata"] == metadata


def test_a_file_that_is_not_in_the_index_is_named() -> None:
    """Ensure an index that calls itself ready without one of the files raises, naming that file, and no other's."""
    service = ScriptedDirectory(unindexed=["d-1.txt"])
    index = service.index()
    with pytest.raises(IngestionError, match=r"d-1\.txt") as caught:
        index.refresh_ref_docs(DOCUMENTS)
    assert [failure.source for failure in caught.value.failures] == ["d-1.txt"]
    index.insert(Document(text="Fine.", id_="fine"))


def test_a_deployment_that_tells_nothing_of_its_state() -> None:
    """Ensure a service without states ends a wait by saying when it synced last."""
    service = ScriptedDirectory(metadata={})
    assert service.index(None, id="idx-1").resync()["sync_in_progress"] is False


# Faults


CUT = httpx.ReadError("cut")


@pytest.mark.parametrize(
    ("step", "fault"),
    [
        *(
            (f"after {step}", CUT)
            for step in ("create directory", "upload", "create index", "sync", "retrieve", "find")
        ),
        *((step, 503) for step in ("create directory", "create index", "sync", "retrieve", "find")),
    ],
)
def test_a_passing_fault_loses_and_doubles_nothing(step: str, fault: Any) -> None:
    """Ensure each step survives a failed request and a lost answer, with one index and each file once."""
    service = ScriptedDirectory(exists=False, fault=once(step, fault))
    index = LlamaCloudDirectoryIndex.from_documents(DOCUMENTS, "reports", **service.connection)
    index.resync()
    assert index.as_retriever().retrieve("x")[0].text == "Words."
    assert len(index.find_files()) == 3
    assert sorted(file["unique_id"] for file in service.files.values()) == ["d-0", "d-1", "d-2"]
    assert service.index_names == ["reports"]


def test_a_wrong_key_ends_it_at_once() -> None:
    """Ensure a refused key is not tried with every file."""
    service = ScriptedDirectory(fault=lambda step, request: 401 if step == "upload" else None)
    with pytest.raises(AuthenticationError):
        service.index().refresh_ref_docs([Document(text="x", id_=str(number)) for number in range(50)])
    assert service.steps["upload"] <= 8


def test_a_refused_file_does_not_take_the_others_along() -> None:
    """Ensure one file that the service refuses is in the error in its place, and the others are in the index."""
    service = ScriptedDirectory(
        fault=lambda step, request: 413 if step == "upload" and b"Text 1" in request.content else None
    )
    index = service.index()
    with pytest.raises(PartialFailureError) as caught:
        index.refresh_ref_docs(DOCUMENTS)
    assert [failure.source for failure in caught.value.failures] == ["d-1"]
    assert len(service.files) == 2
    missing = Path("missing.txt")
    with pytest.raises(PartialFailureError) as caught:
        index.upload_files([b"fine", missing])
    assert [str(failure.source) for failure in caught.value.failures] == ["missing.txt"]
    assert isinstance(caught.value.results[0], str)
    assert index.upload_files([b"fine", missing], raise_on_error=False) == list(service.files)[-1:]


def test_a_directory_is_not_left_behind() -> None:
    """Ensure an index that cannot be created leaves no directory of its own."""
    service = ScriptedDirectory(exists=False, fault=lambda step, request: 402 if step == "create index" else None)
    with pytest.raises(Exception, match="402"):
        LlamaCloudDirectoryIndex.from_documents(DOCUMENTS, "reports", **service.connection)
    assert service.directories == set()


def test_an_index_that_does_not_exist_is_told_of() -> None:
    """Ensure the error names what there is instead, and the class that creates it."""
    with pytest.raises(NotFoundError, match=r"'reports'[\s\S]*LlamaCloudDirectoryIndex\.create_index"):
        ScriptedDirectory().index("nothing").find_files()
    with pytest.raises(ConfigurationError, match="exactly one of name and id"):
        ScriptedDirectory().index(None)


def test_nested_metadata_is_refused_before_anything_is_sent() -> None:
    """Ensure metadata that a directory does not take raises, naming the Document and the key."""
    service = ScriptedDirectory()
    nested = Document(text="x", id_="d", metadata={"a": {"b": 1}})
    with pytest.raises(ConfigurationError, match="document d: metadata 'a' is a dict"):
        LlamaCloudDirectoryIndex.from_documents([nested], "reports", **service.connection)
    with pytest.raises(ConfigurationError, match="unknown option"):
        LlamaCloudDirectoryIndex.create_index("reports", sink="x", **service.connection)
    assert service.requests == []


def test_what_the_service_does_itself_is_refused() -> None:
    """Ensure nodes and transformations, which other indexes take, raise instead of being dropped."""
    index = ScriptedDirectory().index()
    for call in (
        lambda: index.insert_nodes([]),
        lambda: index.build_index_from_nodes([]),
        lambda: ScriptedDirectory().index(nodes=[1]),
        lambda: ScriptedDirectory().index(transformations=[]),
    ):
        with pytest.raises(ConfigurationError):
            call()
    with pytest.raises(ConfigurationError, match="unknown option"):
        index.insert(DOCUMENTS[0], wait=False)
    with pytest.raises(ConfigurationError, match="top_k"):
        index.as_query_engine(topk=3)


def test_tools_answer_what_was_wrong_with_a_question() -> None:
    """Ensure an agent gets to read why a question failed, and that a wrong key still raises."""
    detail = {
        "detail": [{"type": "value_error", "loc": ["body", "pattern"], "msg": "Invalid regex pattern", "input": "("}]
    }
    bad = httpx.Response(422, json=detail)
    service = ScriptedDirectory(fault=lambda step, request: bad if step == "grep" else 401 if step == "read" else None)
    tools = {tool.metadata.name: tool for tool in service.index().as_tools("reports_")}
    assert sorted(tools) == ["reports_find_files", "reports_grep_file", "reports_read_file", "reports_retrieve"]
    assert all(len(tool.metadata.description) < 1024 for tool in tools.values())
    grep = tools["reports_grep_file"]
    assert "Invalid regex pattern" in grep.call(file_id="dfl-1", pattern="(").content
    assert "Invalid regex pattern" in asyncio.run(grep.acall(file_id="dfl-1", pattern="(")).content
    with pytest.raises(AuthenticationError):
        tools["reports_read_file"].call(file_id="dfl-1")
    assert json.dumps(grep.metadata.get_parameters_dict()["required"]) == '["file_id", "pattern"]'
    with pytest.raises(ConfigurationError, match="cannot begin"):
        service.index().as_tools("my reports")


def test_answers_of_tools_are_bounded() -> None:
    """Ensure a large answer is cut off, and says so."""
    service = ScriptedDirectory(fault=lambda step, request: {"content": "x" * 50_000} if step == "read" else None)
    answer = service.index().as_tools()[3].call(file_id="dfl-1", max_length=50_000).content
    assert len(answer) < 21_000
    assert "cut off" in answer
