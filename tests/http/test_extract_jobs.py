"""Extract jobs that are queued now and collected later, here or in another process; their cost; and schemas."""

from __future__ import annotations

import asyncio
import copy
import json
import multiprocessing
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import httpx
import pytest
from pydantic import BaseModel

from llama_cloud_ext import (
    ApiError,
    ConfigurationError,
    ExtractJob,
    ExtractResult,
    FailedItem,
    JobCancelledError,
    LlamaExtract,
    NotFoundError,
    PartialFailureError,
    SourceText,
)
from llama_cloud_ext.wire.settings import Settings
from tests.http.loopback import loopback, reply
from tests.http.scripted import Fault, in_turn
from tests.http.scripted_extract import DATA, SCHEMA, ScriptedExtract

KEY = "llx-t0p-s3cret"
PDF = b"%PDF-1.7 stands for a file"
NAMED = {"file_name": "a.pdf"}


class Invoice(BaseModel):
    """What the scripted service extracts."""

    vendor: str
    total: float


@contextmanager
def served(service: ScriptedExtract) -> Iterator[str]:
    """A scripted service on a loopback port, for other processes."""

    class Handler(BaseHTTPRequestHandler):
        def handle_one(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            request = httpx.Request(
                self.command, f"http://x{self.path}", headers=dict(self.headers), content=self.rfile.read(length)
            )
            answer = asyncio.run(service.handle_async_request(request))
            self.send_response(answer.status_code)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_POST = do_DELETE = handle_one  # noqa: N815 - names of the standard library

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def collect(pickled: bytes, answers: Any) -> None:
    """In another process: what comes of a pickled handle."""
    try:
        answers.put(pickle.dumps(pickle.loads(pickled).result()))
    except BaseException as error:
        answers.put(pickle.dumps(repr(error)))


def queued(service: ScriptedExtract, files: Any, schema: Any = Invoice, **options: Any) -> Any:
    """Handles on jobs that were just created."""
    return asyncio.run(service.extractor(**options).queue_extraction(schema, None, files, NAMED))


# Request 28: submit now, collect later


def test_a_pickled_handle_is_collected_by_another_process() -> None:
    """Ensure a process that knows nothing but the pickle gives the validated result, and no second job is made."""
    service = ScriptedExtract()
    with served(service) as url:
        extractor = LlamaExtract(api_key=KEY, base_url=url)
        job = asyncio.run(extractor.queue_extraction(Invoice, None, PDF, NAMED))
        processes = multiprocessing.get_context("spawn")
        answers = processes.Queue()
        process = processes.Process(target=collect, args=(pickle.dumps(job), answers))
        process.start()
        result = pickle.loads(answers.get(timeout=120))
        process.join(10)
    assert isinstance(result, ExtractResult), result
    assert result.data == Invoice(**DATA)
    assert result.source == job.source
    assert service.steps["create"] == 1


def test_the_json_form_holds_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure a handle goes through JSON without the key, and finds one in settings or in the environment."""
    service = ScriptedExtract()
    job = queued(service, PDF, delete_after=True, api_key=KEY, project_id="prj-1", organization_id="org-1")
    text = job.to_json()
    assert KEY not in text
    settings = Settings.resolve(
        **{**service.connection, "api_key": KEY, "project_id": "prj-1", "organization_id": "org-1"}
    )
    plain, classy = (
        ExtractJob.from_json(text, settings=settings),
        ExtractJob.from_json(text, data_schema=Invoice, settings=settings),
    )
    assert plain.job_id == job.job_id
    assert plain.source == job.source
    assert json.loads(plain.to_json()) == json.loads(text)
    assert classy.result().data == Invoice(**DATA)
    assert (service.jobs, service.files) == ({}, {})
    monkeypatch.setenv("LLAMA_CLOUD_API_KEY", KEY)
    assert KEY in str(pickle.loads(pickle.dumps(ExtractJob.from_json(text)))._settings.api_key.get_secret_value())


def test_a_handle_without_a_class_gives_plain_data() -> None:
    """Ensure a handle from JSON or from a bare id reads what the service says was extracted."""
    service = ScriptedExtract()
    job = queued(service, PDF)
    settings = Settings.resolve(**service.connection)
    assert ExtractJob.from_json(job.to_json(), settings=settings).result().data == DATA
    bare = service.extractor().job(job.id)
    assert bare.result().data == DATA
    assert list(bare.result().schema.json_schema["properties"]) == ["vendor", "total"]
    assert service.extractor().job(job.id, Invoice).result().data == Invoice(**DATA)
    assert service.extractor().get_result(job.id, Invoice).data == Invoice(**DATA)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"job_id": "x"}', "null", '{"job_id": "x", "source": 3}'])
def test_what_is_no_handle_is_refused(text: str) -> None:
    """Ensure any other text raises what it is, not what went wrong inside."""
    with pytest.raises(ConfigurationError, match="to_json"):
        ExtractJob.from_json(text)


def test_handles_know_their_jobs() -> None:
    """Ensure status, record, cancel and delete ask for the handle's job, sync and async, and nothing shows the key."""
    service = ScriptedExtract(looks=10**9)
    one, two = queued(service, [PDF, PDF + b"2"], api_key=KEY)
    for job in (one, two, pickle.loads(pickle.dumps(one)), copy.deepcopy(one), copy.copy(one)):
        assert KEY not in f"{job!r} {job} {job.info()!r}"
        assert job.status() == asyncio.run(job.astatus()) == job.info().status == "RUNNING"
        assert job.record()["id"] == asyncio.run(job.arecord())["id"] == job.id
    one.cancel()
    asyncio.run(two.acancel())
    assert [job["status"] for job in service.jobs.values()] == ["CANCELLED"] * 2
    one.cancel()
    with pytest.raises(JobCancelledError):
        one.result()
    one.delete()
    asyncio.run(two.adelete())
    assert (service.jobs, service.files) == ({}, {})
    for call in (one.status, one.info, one.cancel, one.delete):
        with pytest.raises(NotFoundError):
            call()


def test_one_handle_for_one_file_and_a_list_for_a_list() -> None:
    """Ensure queueing keeps the shape of what it was given."""
    service = ScriptedExtract()
    assert isinstance(queued(service, PDF), ExtractJob)
    assert [type(job) for job in queued(service, [PDF])] == [ExtractJob]


def test_jobs_that_were_queued_are_never_lost() -> None:
    """Ensure the handles of a call in which some creates failed come with the error, or in their places."""

    def fault(step: str, request: httpx.Request) -> Fault:
        return 400 if step == "upload" and b"spoilt" in request.content else None

    service = ScriptedExtract(fault=fault)
    files = [SourceText(text_content="good"), SourceText(text_content="spoilt"), SourceText(text_content="good, too")]
    with pytest.raises(PartialFailureError) as caught:
        asyncio.run(service.extractor().queue_extraction(Invoice, None, files))
    assert [type(one) for one in caught.value.results] == [ExtractJob, FailedItem, ExtractJob]
    assert caught.value.results[0].result().data == Invoice(**DATA)
    jobs = asyncio.run(service.extractor(on_error="skip").queue_extraction(Invoice, None, files))
    assert [type(one) for one in jobs] == [ExtractJob, FailedItem, ExtractJob]


def test_jobs_of_the_project_are_listed() -> None:
    """Ensure lists go over all pages, newest first, by status, to a limit; and jobs are stopped and deleted by id."""
    service = ScriptedExtract()
    for number in range(5):
        service.add_job(f"ext-{number}", status="RUNNING" if number == 3 else "COMPLETED")
    extractor = service.extractor()
    assert [job.id for job in extractor.list_jobs()] == [f"ext-{number}" for number in (4, 3, 2, 1, 0)]
    assert [job.id for job in asyncio.run(extractor.alist_jobs(status="RUNNING"))] == ["ext-3"]
    assert [job.id for job in extractor.list_jobs(limit=3)] == ["ext-4", "ext-3", "ext-2"]
    assert extractor.list_jobs(limit=0) == []
    extractor.cancel("ext-3")
    assert service.jobs["ext-3"]["status"] == "CANCELLED"
    asyncio.run(extractor.acancel("ext-3"))
    extractor.delete("ext-3")
    asyncio.run(extractor.adelete("ext-4"))
    assert "ext-3" not in service.jobs
    for call in (extractor.cancel, extractor.delete, extractor.get_result):
        with pytest.raises(NotFoundError):
            call("ext-3")


# Request 29: what it cost


def test_results_say_what_they_cost() -> None:
    """Ensure credits, usage, pages, tier and the parse job are on every result, and in what a job says of itself."""
    service = ScriptedExtract()
    extractor = service.extractor()
    job = extractor.extract(SCHEMA, {"tier": "agentic"}, PDF, NAMED).job
    assert (job.credits, job.pages, job.tier, job.parse_job_id) == (15.0, 3, "agentic", "pjb-7")
    assert job.usage == {"credits": 15.0, "extract_credits": 10.0, "parse_credits": 5.0}
    assert job.created_at is not None
    assert "15.0" in repr(job)
    for result in extractor.extract(SCHEMA, None, [PDF, PDF]):
        assert result.job.credits == 15.0


# Schemas


def test_schemas_are_checked_here_and_there() -> None:
    """Ensure a schema is sent as jobs have it, and the service's refusal raises."""
    service = ScriptedExtract()
    extractor = service.extractor()
    assert extractor.validate_schema(SCHEMA) == asyncio.run(extractor.avalidate_schema(SCHEMA)) == SCHEMA
    assert list(extractor.validate_schema(Invoice)["properties"]) == ["vendor", "total"]
    assert service.body() == {"data_schema": extractor.validate_schema(Invoice)}
    service.fault = in_turn({"validate": [httpx.Response(422, json={"detail": "too deep"})]})
    with pytest.raises(ApiError, match="too deep"):
        extractor.validate_schema(SCHEMA)
    with pytest.raises(ConfigurationError):
        extractor.validate_schema({"type": "array"})


def test_schemas_are_made_of_words_files_and_schemas() -> None:
    """Ensure each part is sent, an upload goes away afterwards, and jobs take what was made."""
    service = ScriptedExtract()
    extractor = service.extractor()
    schema = extractor.generate_schema("Vendor and total")
    assert service.body() == {"prompt": "Vendor and total"}
    assert extractor.extract(schema, None, PDF, NAMED).data == DATA
    service.files.clear()
    asyncio.run(extractor.agenerate_schema(file=SourceText(text_content="An invoice"), data_schema=Invoice))
    assert service.bodies("generate")[-1].keys() == {"file_id", "data_schema"}
    assert service.steps["delete upload"] == 1
    extractor.generate_schema(file="dfl-0f3a")
    assert service.body() == {"file_id": "dfl-0f3a"}
    assert service.files == {}
    service.fault = in_turn({"generate": [422]})
    with pytest.raises(ApiError):
        extractor.generate_schema(file=SourceText(text_content="An invoice"))
    assert service.files == {}


async def test_a_schema_is_made_of_a_file_behind_a_url() -> None:
    """Ensure a URL is fetched and uploaded for it."""
    service = ScriptedExtract()
    async with loopback(reply(PDF)) as server:
        await service.extractor().agenerate_schema(file=f"{server.url}/a.pdf")
    assert service.steps["upload"] == 1
    assert PDF in next(request for request in service.requests if b"a.pdf" in request.content).content


@pytest.mark.parametrize("arguments", [{}, {"prompt": " "}, {"file": "pjb-0f3a"}, {"file": b""}])
def test_schemas_of_nothing_are_refused(arguments: dict[str, Any]) -> None:
    """Ensure what no schema can be made of raises before anything is sent."""
    service = ScriptedExtract()
    with pytest.raises(ConfigurationError):
        service.extractor().generate_schema(**arguments)
    assert service.requests == []


@pytest.mark.parametrize("answer", [{}, {"parameters": None}, {"parameters": {"data_schema": {}}}, []])
def test_an_answer_without_a_schema_is_an_error(answer: Any) -> None:
    """Ensure an empty answer raises instead of giving an empty schema."""
    service = ScriptedExtract(fault=in_turn({"generate": [answer]}))
    with pytest.raises(ApiError, match="holds none"):
        service.extractor().generate_schema("x")


# The extractor itself


def test_webhooks_are_sent_and_their_secrets_are_not_shown() -> None:
    """Ensure webhooks of both kinds go with every create, of schemas and of agents, and no repr has their secrets."""
    service = ScriptedExtract()
    hook = {
        "webhook_url": "https://example.com/hook",
        "webhook_events": ["extract.success"],
        "webhook_signing_secret": "s3cret-one",
        "webhook_headers": {"Authorization": "s3cret-two"},
    }
    extractor = service.extractor(webhook_configurations=[hook], webhook_configuration_ids=["whk-1"])
    extractor.extract(SCHEMA, None, PDF, NAMED)
    extractor.create_agent("a", SCHEMA).extract(PDF, NAMED)
    pickle.loads(pickle.dumps(LlamaExtract(api_key=KEY, webhook_configurations=[hook])))
    for body in service.bodies("create"):
        assert body["webhook_configurations"] == [hook]
        assert body["webhook_configuration_ids"] == ["whk-1"]
    assert "s3cret" not in f"{extractor!r} {extractor}"
    with pytest.raises(ConfigurationError, match="webhook_url"):
        service.extractor(webhook_configurations=[{"webhook_url": "example.com"}])


def test_no_key_is_ever_shown() -> None:
    """Ensure neither the extractor nor its errors show the key."""
    service = ScriptedExtract(fault=lambda step, request: 401)
    extractor = service.extractor(api_key=KEY)
    with pytest.raises(ApiError) as caught:
        extractor.extract(SCHEMA, None, PDF, NAMED)
    shown = f"{extractor!r} {extractor} {extractor.model_dump()} {caught.value!r} {caught.value} {vars(caught.value)}"
    assert KEY not in shown


def test_copies_and_pickles_have_the_options_and_nothing_else() -> None:
    """Ensure copies are equal and keep the key, and deep ones start with no failures."""
    extractor = LlamaExtract(api_key=KEY, base_url="https://x.example", num_workers=3, on_error="skip")
    extractor.failures.append(FailedItem("a.pdf", ValueError("x")))
    for one in (copy.copy(extractor), copy.deepcopy(extractor), pickle.loads(pickle.dumps(extractor))):
        assert one == extractor
        assert one.num_workers == 3
        assert one.settings() == extractor.settings()
    for one in (copy.deepcopy(extractor), pickle.loads(pickle.dumps(extractor))):
        assert one.failures == []
    with pytest.raises(ConfigurationError, match="show_progress"):
        pickle.dumps(LlamaExtract(api_key=KEY, show_progress=lambda progress: None))


def test_names_of_the_existing_class_keep_working() -> None:
    """Ensure options of the existing class are taken: renamed, or said to have no effect."""
    extractor = LlamaExtract(api_key=KEY, max_timeout=5, httpx_timeout=7)
    assert (extractor.job_timeout, extractor.timeout) == (5, 7)
    for name in ("check_interval", "verbose"):
        with pytest.warns(FutureWarning, match=name):
            LlamaExtract(api_key=KEY, **{name: 1})
    with pytest.raises(ConfigurationError, match="max_timeout"):
        LlamaExtract(api_key=KEY, max_timeout=5, job_timeout=6)
