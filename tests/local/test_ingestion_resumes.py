"""Ingestion outlives its process: nothing accepted is lost or there twice, whatever happens."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from llama_cloud_ext.local.database import Database
from llama_cloud_ext.local.dispatcher import MOST_ATTEMPTS
from llama_cloud_ext.local.ingestion_queue import DocumentBatch, FileTask, IngestionQueue
from llama_cloud_ext.local.pipeline_document_store import PipelineDocumentStore
from llama_cloud_ext.local.pipeline_file_store import PipelineFileStore
from llama_cloud_ext.local.pipeline_records import NewDocument
from llama_cloud_ext.local.pipeline_store import PipelineStore
from llama_cloud_ext.local.retrieval import split_document
from llama_cloud_ext.local.store import FileRecord
from tests.local.clients import local_client
from tests.local.embeddings import LetterEmbedding
from tests.local.ingestion_worker import TRANSFORM, IngestionWorker, SlowLetters, text_of
from tests.local.pipeline_calls import (
    add_file,
    chunks,
    document,
    ingested,
    pipeline,
    put,
    status_of,
    texts,
    under_way,
)


class Folder:
    """What a data folder's database holds."""

    def __init__(self, data: Path) -> None:
        self._path = data / "llamacloud.sqlite3"

    def rows(self, select: str, *values: Any) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        connection = sqlite3.connect(self._path)
        try:
            return connection.execute(select, values).fetchall()
        finally:
            connection.close()

    def count(self, status: str) -> int:
        """How many documents and files are in a status."""
        return sum(
            self.rows(f"SELECT COUNT(*) FROM {table} WHERE status = ?", status)[0][0]  # noqa: S608 - one of two names
            for table in ("pipeline_documents", "pipeline_files")
        )

    def wait_for(self, least: int) -> None:
        """Wait until so many are ingested."""
        deadline = time.monotonic() + 60
        while (count := self.count("SUCCESS")) < least:
            assert time.monotonic() < deadline, f"{count} of {least}"
            time.sleep(0.01)

    def check(self, documents: range, files: int) -> None:
        """Everything is there, and once: documents, their chunks, the vectors and the words of these."""
        assert dict(self.rows("SELECT status, COUNT(*) FROM pipeline_files GROUP BY status")) == (
            {"SUCCESS": files} if files else {}
        )
        found = self.rows("SELECT id, status FROM pipeline_documents WHERE file_id IS NULL")
        assert sorted(found) == sorted((f"d{number}", "SUCCESS") for number in documents)
        expected = {(f"d{number}", place, text) for number in documents for place, text in enumerate(pieces(number))}
        written = self.rows(
            "SELECT c.document_id, c.position, t.text FROM chunks c JOIN chunk_texts t USING (sequence) "
            "JOIN chunk_vectors v USING (sequence) WHERE c.file_id IS NULL"
        )
        assert len(written) == len(expected)
        assert set(written) == expected
        of_files = self.rows("SELECT file_id, position FROM chunks WHERE file_id IS NOT NULL")
        assert len(of_files) == len(set(of_files)) == 2 * files
        chunks, vectors, words = (
            self.rows(f"SELECT COUNT(*) FROM {table}")[0][0]  # noqa: S608 - fixed names
            for table in ("chunks", "chunk_vectors", "chunk_words_1_docsize")
        )
        assert chunks == vectors == words


def pieces(number: int) -> list[str]:
    """The texts of the chunks of a worker's document."""
    return [
        chunk.text
        for chunk in split_document(
            document_id="d",
            text=text_of(number),
            metadata={},
            excluded_embed_metadata_keys=[],
            excluded_llm_metadata_keys=[],
            page_positions=None,
            transform_config=TRANSFORM,
        )
    ]


async def done(data: Path, path: str) -> None:
    """Wait until a pipeline is ingested."""
    async with local_client(data, embed_model=SlowLetters()) as client:
        assert await ingested(client, path, within=60) == "SUCCESS"


async def test_kill_in_the_middle(tmp_path: Path) -> None:
    """Ensure after kill -9 in the middle, again and again, everything accepted is ingested, and nothing twice."""
    data = tmp_path / "data"
    folder = Folder(data)
    with IngestionWorker(data, documents=range(300), files=6, delay=0.1) as worker:
        path = worker.wait_until_ready()
        folder.wait_for(1)
        worker.kill()
    assert folder.count("SUCCESS") < 306, "it was killed too late"
    with IngestionWorker(data, path, delay=0.1) as second:
        second.wait_until_ready()
        folder.wait_for(folder.count("SUCCESS") + 20)
        second.kill()
    started = time.monotonic()
    await done(data, path)
    assert time.monotonic() - started < 30
    folder.check(range(300), 6)
    async with local_client(data, embed_model=LetterEmbedding()) as client:
        (first, *_) = await texts(client, path, "document 217", alpha=0.0)
        assert "document 217" in first


async def test_two_processes_share_the_work(tmp_path: Path) -> None:
    """Ensure two processes on one folder ingest everything once, whoever accepted it."""
    data = tmp_path / "data"
    with IngestionWorker(data, documents=range(150), files=3, delay=0.02) as worker:
        async with local_client(data, embed_model=SlowLetters(seconds=0.02)) as client:
            path = await asyncio.to_thread(worker.wait_until_ready)
            await put(client, path, *(document(f"d{n}", text_of(n), number=n) for n in range(150, 300)))
            for number in range(3):
                await add_file(client, path, b"SLEEP 0.1\fPage two.", f"{number}.txt")
            assert await ingested(client, path, within=60) == "SUCCESS"
    Folder(data).check(range(300), 6)
    assert Folder(data).rows("SELECT revision FROM chunk_collections") == [(306,)], "something was written twice"


async def test_closing_in_the_middle(tmp_path: Path) -> None:
    """Ensure an orderly end leaves nothing IN_PROGRESS, counts no attempt, and the next start goes on."""
    model = SlowLetters()
    async with local_client(tmp_path, embed_model=model) as client:
        path = await pipeline(client, transform_config=TRANSFORM)
        model.gate.clear()
        await put(client, path, *(document(f"d{number}", text_of(number)) for number in range(200)))
        file_id = await add_file(client, path, b"SLEEP 0.1\fPage two.")
        await under_way(client, f"{path}/documents/d0")
        started = time.monotonic()
    assert time.monotonic() - started < 6, "closing waits for a hanging model"
    folder = Folder(tmp_path)
    assert (folder.count("NOT_STARTED"), folder.count("IN_PROGRESS")) == (201, 0)
    assert folder.rows("SELECT MAX(attempts) FROM pipeline_documents") == [(0,)]
    model.gate.set()
    await done(tmp_path, path)
    folder.check(range(200), 1)
    async with local_client(tmp_path, embed_model=SlowLetters()) as client:
        assert len(await chunks(client, path, file_id)) == 2


async def test_a_hanging_model(tmp_path: Path) -> None:
    """Ensure what waits for a hanging model is IN_PROGRESS, everything else goes on answering, and it can end."""
    model = LetterEmbedding()
    async with local_client(tmp_path, embed_model=model) as client:
        path = await pipeline(client)
        await put(client, path, document("before", "Wombats dig."))
        await ingested(client, path)
        model.gate.clear()
        await put(client, path, document("d", "Quokkas smile."))
        await under_way(client, f"{path}/documents/d")
        status = await status_of(client, path)
        assert (status["status"], status["error"]) == ("IN_PROGRESS", None)
        counts = (await client.get(f"{path}/documents/status-counts")).json()["counts"]
        assert counts == {"SUCCESS": 1, "IN_PROGRESS": 1}
        assert await texts(client, path, "wombats") == ["Wombats dig."]
        model.gate.set()
        assert await ingested(client, path) == "SUCCESS"


async def test_leases_are_renewed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure work that takes longer than a lease lasts stays with its living owner."""
    monkeypatch.setattr("llama_cloud_ext.local.dispatcher.LEASE_SECONDS", 0.6)
    monkeypatch.setattr("llama_cloud_ext.local.dispatcher.RENEWAL_SECONDS", 0.1)
    model, other = LetterEmbedding(), LetterEmbedding()
    async with local_client(tmp_path, embed_model=model) as client:
        path = await pipeline(client)
        model.gate.clear()
        await put(client, path, document("d", "Wombats dig."))
        await under_way(client, f"{path}/documents/d")
        async with local_client(tmp_path, embed_model=other) as second:
            await status_of(second, path)
            await asyncio.sleep(1.5)
            model.gate.set()
            assert await ingested(second, path) == "SUCCESS"
    assert (model.embedded, other.embedded) == (["Wombats dig."], [])


# -- what kills its process -------------------------------------------------------------------------------------------


@pytest.fixture
def accepted(tmp_path: Path) -> tuple[Database, str]:
    """A database with a pipeline and three documents that wait, and nobody who ingests them."""
    database = Database(tmp_path / "llamacloud.sqlite3")
    made = PipelineStore(database).save("a", {}).result()
    assert made is not None
    PipelineDocumentStore(database).put(made.id, [new(f"d{number}") for number in range(3)]).result()
    return database, made.id


def new(document_id: str) -> NewDocument:
    """A document as a request brings it."""
    return NewDocument(document_id, "Wombats dig.", {}, [], [], None)


def claimed(database: Database, owner: str, *, gone: list[str]) -> list[tuple[str, int]]:
    """What an owner gets: ids and how often they were begun."""
    batch = IngestionQueue(database, owner, "letters").claim(5.0, gone=gone, alive=[]).result()
    assert isinstance(batch, DocumentBatch)
    return [(one.id, one.attempts) for one in batch.documents]


def test_what_was_begun_goes_alone(accepted: tuple[Database, str]) -> None:
    """Ensure documents of a killed process are taken one by one: a deadly one takes no other with it."""
    database, _ = accepted
    assert claimed(database, "one", gone=[]) == [("d0", 1), ("d1", 1), ("d2", 1)]
    assert IngestionQueue(database, "two", "letters").claim(5.0, gone=[], alive=[]).result() is None
    assert claimed(database, "two", gone=["one"]) == [("d0", 2)]
    assert claimed(database, "three", gone=["one", "two"]) == [("d0", 3)]
    assert claimed(database, "three", gone=["one", "two"]) == [("d1", 2)]
    database.close()


async def test_a_document_that_kills_its_process_fails_in_the_end(
    accepted: tuple[Database, str], tmp_path: Path
) -> None:
    """Ensure a document that takes its process down every time becomes ERROR, and its neighbours SUCCESS."""
    database, pipeline_id = accepted
    owners = [f"dead-{number}" for number in range(MOST_ATTEMPTS)]
    for number, owner in enumerate(owners):
        assert claimed(database, owner, gone=owners)[0] == ("d0", number + 1)
    database.close()
    async with local_client(tmp_path) as client:
        path = f"/api/v1/pipelines/{pipeline_id}"
        assert await ingested(client, path) == "PARTIAL_SUCCESS"
        (error,) = (await status_of(client, path))["error"]
        assert error["job_id"] == "d0"
        assert error["message"].startswith(f"ingesting this document was interrupted {MOST_ATTEMPTS} times")
        await client.post(f"{path}/sync")
        assert await ingested(client, path) == "SUCCESS", "a sync tries it from the beginning"


async def test_a_database_that_fails_for_a_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure what could not be written is ingested again without waiting for a lease, and does not count as done."""
    monkeypatch.setattr("llama_cloud_ext.local.dispatcher.LEASE_SECONDS", 600.0)
    failures = iter([sqlite3.OperationalError("disk I/O error")])
    write = IngestionQueue._write

    def failing(*arguments: Any, **options: Any) -> None:
        for error in failures:
            raise error
        write(*arguments, **options)

    monkeypatch.setattr(IngestionQueue, "_write", failing)
    async with local_client(tmp_path) as client:
        path = await pipeline(client)
        await put(client, path, document("a", "Wombats dig."), document("b", "Quokkas smile."))
        assert await ingested(client, path) == "SUCCESS"
        assert (await chunks(client, path, "a"), await chunks(client, path, "b")) == (
            ["Wombats dig."],
            ["Quokkas smile."],
        )


def test_files_and_documents_in_the_order_in_which_they_came(accepted: tuple[Database, str]) -> None:
    """Ensure a file is not kept waiting by documents that came after it."""
    database, pipeline_id = accepted
    assert claimed(database, "me", gone=[]) == [("d0", 1), ("d1", 1), ("d2", 1)]
    PipelineFileStore(database).put(
        pipeline_id, [(FileRecord("f", "a.txt", 3, "user_data", None, "", 1), None)]
    ).result()
    time.sleep(0.01)
    PipelineDocumentStore(database).put(pipeline_id, [new("later")]).result()
    task = IngestionQueue(database, "me", "letters").claim(5.0, gone=[], alive=[]).result()
    assert isinstance(task, FileTask)
    assert task.file.file_id == "f"
    assert claimed(database, "me", gone=[]) == [("later", 1)]
    database.close()
