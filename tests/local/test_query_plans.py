"""What local LlamaCloud asks its database all the time is answered by indexes, however much is in there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from llama_cloud_ext.local.database import Database
from llama_cloud_ext.local.extract_jobs import ExtractJobs, NewExtraction, NewParsing
from llama_cloud_ext.local.extract_records import ExtractJobRecord
from llama_cloud_ext.local.ingestion_queue import IngestionQueue
from llama_cloud_ext.local.job_table import JobQueue, JobTable
from llama_cloud_ext.local.jobs import ParseJobRecord
from llama_cloud_ext.local.pipeline_document_store import PipelineDocumentStore
from llama_cloud_ext.local.pipeline_file_store import PipelineFileStore
from llama_cloud_ext.local.pipeline_records import NewDocument
from llama_cloud_ext.local.pipeline_store import PipelineStore

Ask = Callable[[Database, IngestionQueue], Future[Any]]
ASKED: dict[str, Ask] = {
    "claim": lambda _, queue: queue.claim(5.0, gone=["a"], alive=["b"]),
    "other owners": lambda _, queue: queue.other_owners(),
    "renewal": lambda _, queue: queue.renew(5.0, []),
    "release": lambda _, queue: queue.release(),
    "status": lambda database, _: PipelineStore(database).counts("p"),
    "failures": lambda database, _: PipelineStore(database).failures("p", 20),
    "documents": lambda database, _: PipelineDocumentStore(database).page(
        "p", file_id=None, direct_only=False, skip=9, limit=9
    ),
    "direct documents": lambda database, _: PipelineDocumentStore(database).page(
        "p", file_id=None, direct_only=True, skip=9, limit=9
    ),
    "a document": lambda database, _: PipelineDocumentStore(database).get("p", ["a", "b"]),
    "document counts": lambda database, _: PipelineDocumentStore(database).counts("p"),
    "direct counts": lambda database, _: PipelineDocumentStore(database).counts("p", direct_only=True),
    "a file's counts": lambda database, _: PipelineDocumentStore(database).counts("p", file_id="f"),
    "files": lambda database, _: PipelineFileStore(database).page("p", offset=9, limit=9),
    "file counts": lambda database, _: PipelineFileStore(database).counts("p"),
}


AskJobs = Callable[[ExtractJobs, JobQueue[ExtractJobRecord]], Future[Any]]
ASKED_OF_JOBS: dict[str, AskJobs] = {
    "claim": lambda _, queue: queue.claim(5.0, gone=["a"], alive=["b"]),
    "other owners": lambda _, queue: queue.other_owners(),
    "renewal": lambda _, queue: queue.renew(5.0, []),
    "release": lambda _, queue: queue.release(),
    "a job": lambda jobs, _: jobs.get("a"),
    "a job of a list": lambda jobs, _: jobs.page(
        [("id", ["a"])], created_from=None, created_to=None, before=None, limit=1
    ),
    "a parsing to be used again": lambda jobs, _: jobs.parse(NewParsing("pjb-2", "key", "a.txt", {})),
    "a result to be used again": lambda jobs, _: jobs.with_result("key"),
    "who waits for a parsing": lambda jobs, _: jobs.abandon_parsing("pjb-1"),
}


def plans(database: Database, ask: Callable[[], Future[Any]]) -> Iterator[tuple[str, str]]:
    """The statements that answer a question, with their plans."""
    statements: list[str] = []
    database.read(lambda connection: connection.set_trace_callback(statements.append)).result()
    ask().result()
    database.read(lambda connection: connection.set_trace_callback(None)).result()
    asked_for = [statement for statement in statements if not statement.startswith(("BEGIN", "COMMIT"))]
    assert asked_for
    for statement in asked_for:
        yield (
            statement,
            " / ".join(
                database.read(
                    lambda connection, sql=statement: [
                        row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}")
                    ]
                ).result()
            ),
        )


@pytest.mark.parametrize("asked", list(ASKED))
def test_indexes_answer(tmp_path: Path, asked: str) -> None:
    """Ensure nothing goes through a whole table, and no page of a list has everything sorted for it."""
    database = Database(tmp_path / "test.sqlite3")
    queue = IngestionQueue(database, "me", "model")
    made = PipelineStore(database).save("a", {}).result()
    assert made is not None
    PipelineDocumentStore(database).put(made.id, [NewDocument("d", "Wombats dig.", {}, [], [], None)]).result()
    for statement, plan in plans(database, lambda: ASKED[asked](database, queue)):
        assert "SCAN pipeline" not in plan, (statement, plan)
        assert "FOR ORDER BY" not in plan, (statement, plan)
    database.close()


@pytest.mark.parametrize("asked", list(ASKED_OF_JOBS))
def test_indexes_answer_about_jobs(tmp_path: Path, asked: str) -> None:
    """Ensure what is asked about jobs all the time does not go through all jobs that there ever were."""
    database = Database(tmp_path / "test.sqlite3")
    parse_jobs = JobTable(database, "jobs", ParseJobRecord)
    jobs = ExtractJobs(database, parse_jobs)
    parse_jobs.add("pjb-1", "a.txt", {}).result()
    jobs.accept(NewExtraction("ext-1", "a.txt", {}, None, "pjb-1", "parse_job_id", [], "pjb-1")).result()
    parse_jobs.queue("me").claim(5.0).result()
    parse_jobs.queue("me").finish("pjb-1").result()
    for statement, plan in plans(database, lambda: ASKED_OF_JOBS[asked](jobs, jobs.queue("me"))):
        assert "SCAN" not in plan, (statement, plan)
    database.close()
