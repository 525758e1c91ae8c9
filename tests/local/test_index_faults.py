"""LlamaCloudIndex on a local LlamaCloud that fails on purpose: nothing is lost, nothing is there twice."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from llama_index.core import Document

from llama_cloud_ext import LlamaCloudIndex, LlamaCloudRetriever, list_indexes

FAULTS = "fault_rate=0.2&faults=429,500,503,reset,truncate,lost&seed=7"


@pytest.fixture
def address(tmp_path: Path) -> str:
    """A local LlamaCloud of the test's own."""
    return f"local:{tmp_path / 'cloud'}"


def numbered(count: int) -> Iterator[Document]:
    """So many documents."""
    for number in range(count):
        yield Document(id_=f"d-{number}", text=f"The number of this document is {number}.", metadata={"number": number})


def test_one_request_in_five_failing_loses_no_document(address: str) -> None:
    """Ensure documents arrive once each, can be refreshed, and are found, when one request in five goes wrong."""
    index = LlamaCloudIndex.from_documents(numbered(700), "many", base_url=f"{address}?{FAULTS}")
    assert set(index.ref_doc_info) == {f"d-{number}" for number in range(700)}
    assert len(list_indexes(base_url=address)) == 1
    documents = list(numbered(700))
    documents[300] = Document(id_="d-300", text="This one is about walruses.")
    assert [place for place, changed in enumerate(index.refresh_ref_docs(documents)) if changed] == [300]
    retriever = index.as_retriever(dense_similarity_top_k=1)
    for _ in range(10):
        assert retriever.retrieve("walruses")[0].node.ref_doc_id == "d-300"
    index.delete_ref_doc("d-300", raise_if_not_found=True)
    assert len(index.documents()) == 699


def test_one_request_in_five_failing_loses_no_file(address: str) -> None:
    """Ensure files are uploaded and attached once each when one request in five goes wrong."""
    index = LlamaCloudIndex.create_index("files", base_url=f"{address}?{FAULTS}")
    ids = index.upload_files([f"File number {number} is about walruses.".encode() for number in range(15)])
    assert len(set(ids)) == 15
    assert sorted(str(file.file_id) for file in index.list_files()) == sorted(ids)
    assert {file.status for file in index.list_files()} == {"SUCCESS"}
    assert len(index.ref_doc_info) == 15
    index.delete_file(ids[0])
    assert len(index.list_files()) == 14


def test_a_cancelled_call_ends_at_once(address: str) -> None:
    """Ensure cancelling an upload ends it soon, and the index can be used further."""

    def slowly() -> Iterator[Document]:
        for document in numbered(100_000):
            time.sleep(0.001)
            yield document

    async def cancelled() -> float:
        index = await LlamaCloudIndex.acreate_index("cancelled", base_url=address)
        task = asyncio.create_task(LlamaCloudIndex.afrom_documents(slowly(), "cancelled", base_url=address))
        await asyncio.sleep(0.5)
        started = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await index.ainsert(Document(id_="after", text="Walruses."))
        return time.monotonic() - started

    assert asyncio.run(cancelled()) < 10, "all of it takes minutes"
    assert "after" in LlamaCloudIndex("cancelled", base_url=address).ref_doc_info


def test_many_threads_use_one_index(address: str) -> None:
    """Ensure threads that insert, retrieve and delete at the same time do not get in each other's way."""
    index = LlamaCloudIndex.from_documents(numbered(20), "threads", base_url=address)
    errors: list[Exception] = []

    def work(number: int) -> None:
        try:
            for turn in range(3):
                document_id = f"t-{number}-{turn}"
                index.insert(Document(id_=document_id, text=f"Thread {number} writes about turn {turn}."))
                assert index.as_retriever(dense_similarity_top_k=2).retrieve(f"thread {number} turn {turn}")
                if turn:
                    index.delete_ref_doc(document_id, raise_if_not_found=True)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(index.ref_doc_info) == 26


def _in_a_child(retriever: LlamaCloudRetriever, answers: multiprocessing.SimpleQueue[str]) -> None:
    answers.put(str(retriever.retrieve("document number 7")[0].node.ref_doc_id))


@pytest.mark.parametrize(
    "method",
    [
        "spawn",
        pytest.param("fork", marks=pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")),
    ],
)
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_retriever_in_another_process(address: str, method: str) -> None:
    """Ensure a retriever that was used already works in a spawned and in a forked process."""
    index = LlamaCloudIndex.from_documents(numbered(10), "processes", base_url=address)
    retriever = LlamaCloudRetriever("processes", base_url=address, dense_similarity_top_k=1)
    here = retriever.retrieve("document number 7")[0].node.ref_doc_id
    context = multiprocessing.get_context(method)
    answers: multiprocessing.SimpleQueue[str] = context.SimpleQueue()
    child = context.Process(target=_in_a_child, args=(retriever, answers))
    child.start()
    child.join(30)
    assert child.exitcode == 0
    assert answers.get() == here
    assert index.status().status == "SUCCESS"
