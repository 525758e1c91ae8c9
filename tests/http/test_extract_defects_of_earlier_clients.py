"""What went wrong in earlier clients of Extract, a regression test each.

- a failed job was only warned of:
  `test_a_failed_extraction_raises`, `test_extract_faults.py::test_a_job_that_ends_badly_raises`,
  `test_extract_faults.py::test_failures_among_several_files`
- agents had no asynchronous methods, and blocked the loop:
  `test_agents_block_no_loop`, `test_sync_async_pairs.py::test_every_class_has_pairs`
- uploads and runs were never retried:
  `test_uploads_and_runs_are_retried`, `test_extract_faults.py::test_what_passes_is_tried_again`,
  `test_extract_faults.py::test_a_lost_create_answer_is_looked_up`
- extraction without an agent went one file after the other, the file as base64 in JSON:
  `test_files_go_side_by_side_and_as_they_are`
- the first failure left the jobs that were queued, and billed, to nobody:
  `test_a_failure_loses_no_queued_job`, `test_extract_jobs.py::test_jobs_that_were_queued_are_never_lost`
- results were never validated into the model:
  `test_results_are_instances_of_the_model`, `test_extract_faults.py::test_validation_errors_carry_what_was_paid_for`
- a list of one element gave no list:
  `test_a_list_of_one_gives_a_list`, `test_extract_inputs.py::test_one_gives_one_and_a_list_gives_a_list`
- `__del__` joined threads:
  `test_nothing_is_joined_at_the_end`

Of what users suffered from, rule 22 (schemas): `test_unsupported_schemas_name_the_path_and_the_limit`,
`test_results_are_instances_of_the_model`; rule 23 (failures, confidence): `test_a_failed_extraction_raises`,
`test_citations_and_confidence_are_typed`, `test_extract_faults.py::test_absent_citations_are_said_once`. Request 28
(collect elsewhere): `test_extract_jobs.py::test_a_pickled_handle_is_collected_by_another_process`; request 29 (cost):
`test_extract_jobs.py::test_results_say_what_they_cost`.
"""

from __future__ import annotations

import asyncio
import base64
import gc
import threading
import time
import weakref
from typing import Any

import httpx
import pytest
from pydantic import BaseModel, Field

from llama_cloud_ext import (
    ConfigurationError,
    ExtractionAgent,
    ExtractJob,
    ExtractResult,
    FailedItem,
    JobFailedError,
    LlamaExtract,
    PartialFailureError,
)
from llama_cloud_ext.wire.models.parse_items import BBox
from tests.http.scripted import Fault, in_turn
from tests.http.scripted_extract import DATA, SCHEMA, ScriptedExtract

PDF = b"%PDF-1.7 stands for a file \xff\xfe"
NAMED = {"file_name": "a.pdf"}


class Line(BaseModel):
    """A line of an invoice."""

    text: str
    amount: float


class Invoice(BaseModel):
    """A model with what JSON has not: defaults, constraints, nested models."""

    vendor: str
    total: float = Field(ge=0)
    currency: str = "EUR"
    lines: list[Line] = []


# Failures


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_a_failed_extraction_raises(asynchronous: bool) -> None:
    """Ensure a failed job is an exception in every call that waits, with job, code and reason, and not a warning."""
    service = ScriptedExtract(statuses={"a.pdf": "FAILED"})
    extractor = service.extractor()
    agent = extractor.create_agent("a", Invoice)
    job = asyncio.run(extractor.queue_extraction(Invoice, None, PDF, NAMED))
    sync: list[Any] = [
        lambda: extractor.extract(Invoice, None, PDF, NAMED),
        lambda: agent.extract(PDF, NAMED),
        job.result,
        lambda: agent.get_extraction_run_for_job(job.id),
        lambda: extractor.get_result(job.id),
    ]
    later: list[Any] = [
        lambda: asyncio.run(extractor.aextract(Invoice, None, PDF, NAMED)),
        lambda: asyncio.run(agent.aextract(PDF, NAMED)),
        lambda: asyncio.run(job.aresult()),
        lambda: asyncio.run(agent.aget_extraction_run_for_job(job.id)),
        lambda: asyncio.run(extractor.aget_result(job.id)),
    ]
    for call in later if asynchronous else sync:
        with pytest.raises(JobFailedError) as caught:
            call()
        assert caught.value.job_id in service.jobs
        assert caught.value.code == "PDF_IS_BROKEN"
        assert caught.value.reason


def test_a_failure_loses_no_queued_job() -> None:
    """Ensure the jobs of the other files are in the error of the first, in their places, and can be collected."""

    def fault(step: str, request: httpx.Request) -> Fault:
        return 402 if step == "create" and service.steps["create"] == 3 else None

    service = ScriptedExtract(fault=fault, looks=1)
    files = [PDF + bytes([number]) for number in range(6)]
    with pytest.raises(PartialFailureError) as caught:
        asyncio.run(service.extractor().queue_extraction(Invoice, None, files))
    handles = [one for one in caught.value.results if isinstance(one, ExtractJob)]
    assert len(handles) == len(service.jobs) == 5
    assert sum(isinstance(one, FailedItem) for one in caught.value.results) == 1
    assert {handle.id for handle in handles} == set(service.jobs)
    assert handles[0].result().data == Invoice(**DATA)


# Loops and threads


def test_agents_block_no_loop() -> None:
    """Ensure everything that an agent does can be awaited, and the caller's loop runs on meanwhile."""
    service = ScriptedExtract()
    ticks = 0

    async def slow(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0.05)
        return await service.handle_async_request(request)

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.005)
            ticks += 1

    async def journey() -> ExtractionAgent:
        ticking = asyncio.create_task(tick())
        extractor = service.extractor(transport=httpx.MockTransport(slow))
        agent = await extractor.acreate_agent("a", Invoice)
        agent.config = {"tier": "agentic"}
        await agent.asave()
        assert (await agent.aextract(PDF, NAMED)).data == Invoice(**DATA)
        job = await agent.queue_extraction(PDF, NAMED)
        assert (await agent.aget_extraction_job(job.id)).status == "COMPLETED"
        assert (await agent.aget_extraction_run_for_job(job.id)).data == Invoice(**DATA)
        assert await agent.alist_extraction_runs()
        await agent.adelete_extraction_run(job.id)
        ticking.cancel()
        return agent

    asyncio.run(journey())
    assert ticks > 20


def test_nothing_is_joined_at_the_end() -> None:
    """Ensure extractors and handles go away at once, in whatever thread, and leave no threads of their own."""
    service = ScriptedExtract(looks=10**9)
    service.extractor().list_jobs()
    threads = threading.active_count()
    extractor = service.extractor(job_timeout=0.05)
    job = asyncio.run(extractor.queue_extraction(Invoice, None, PDF, NAMED))
    assert not any(hasattr(kind, "__del__") for kind in (LlamaExtract, ExtractJob, ExtractionAgent, ExtractResult))
    gone = [weakref.ref(extractor), weakref.ref(job)]
    started = time.monotonic()
    del extractor, job
    assert time.monotonic() - started < 1
    gc.collect()
    # The I/O loop and its threads let go of their last call with their next one.
    for _ in range(40):
        service.extractor().list_jobs()
        gc.collect()
        if not any(reference() for reference in gone):
            break
        time.sleep(0.05)
    assert [reference() for reference in gone] == [None, None]
    # Files are looked at in threads of a pool, which are shared and few.
    assert threading.active_count() <= threads + 8


# Requests


def test_uploads_and_runs_are_retried() -> None:
    """Ensure a passing fault of every request of a run, with an agent and without, costs neither result nor job."""
    steps = ["upload", "create", "get", "configurations", "upsert"]
    service = ScriptedExtract(fault=in_turn({step: [httpx.ConnectError("refused")] for step in steps}))
    extractor = service.extractor()
    assert extractor.create_agent("a", Invoice).extract(PDF, NAMED).data == Invoice(**DATA)
    assert extractor.extract("a", None, PDF, NAMED).data == DATA
    assert len(service.jobs) == len(service.files) == 2
    for step in steps[:3]:
        assert service.steps[step] == 3


def test_files_go_side_by_side_and_as_they_are() -> None:
    """Ensure the files of a call are under way at the same time, and are sent as bytes, not as text in JSON."""
    under_way = most = 0
    service = ScriptedExtract()

    async def slow(request: httpx.Request) -> httpx.Response:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.05)
        under_way -= 1
        return await service.handle_async_request(request)

    files = [PDF + bytes([number]) for number in range(8)]
    results = service.extractor(transport=httpx.MockTransport(slow)).extract(Invoice, None, files)
    assert len(results) == 8
    assert most == 8
    assert sorted(service.contents()) == files
    coded = base64.b64encode(PDF)[:12]
    assert not any(coded in request.content for request in service.requests)


# Results


def test_results_are_instances_of_the_model() -> None:
    """Ensure data come as the user's own class, with defaults, nested models and constraints, from every call."""
    data = {"vendor": "Amber", "total": 3, "currency": None, "lines": [{"text": "Saw", "amount": 3}]}
    service = ScriptedExtract(data)
    extractor = service.extractor()
    agent = extractor.create_agent("a", Invoice)
    job = asyncio.run(extractor.queue_extraction(Invoice, None, PDF, NAMED))
    for result in (
        extractor.extract(Invoice, None, PDF, NAMED),
        asyncio.run(extractor.aextract(Invoice, None, PDF, NAMED)),
        next(extractor.stream(Invoice, None, PDF, NAMED)),
        agent.extract(PDF, NAMED),
        agent.get_extraction_run_for_job(job.id),
        job.result(),
        extractor.get_result(job.id, Invoice),
    ):
        assert result.data == Invoice(vendor="Amber", total=3.0, lines=[Line(text="Saw", amount=3.0)])
        assert result.extracted == data
    pages = ScriptedExtract([DATA, DATA]).extractor().extract(Invoice, {"extraction_target": "per_page"}, PDF, NAMED)
    assert pages.data == [Invoice(**DATA)] * 2


def test_a_list_of_one_gives_a_list() -> None:
    """Ensure the shape of what comes back depends on the shape of what was given alone, in all calls."""
    service = ScriptedExtract()
    extractor = service.extractor()
    agent = extractor.create_agent("a", SCHEMA)
    for one, several in (
        (extractor.extract(SCHEMA, None, PDF, NAMED), extractor.extract(SCHEMA, None, [PDF], NAMED)),
        (agent.extract(PDF, NAMED), agent.extract([PDF], NAMED)),
        (asyncio.run(agent.aextract(PDF, NAMED)), asyncio.run(agent.aextract([PDF], NAMED))),
        (asyncio.run(agent.queue_extraction(PDF, NAMED)), asyncio.run(agent.queue_extraction([PDF], NAMED))),
    ):
        assert isinstance(several, list)
        assert [type(element) for element in several] == [type(one)]


# Rules 22 and 23


def test_unsupported_schemas_name_the_path_and_the_limit() -> None:
    """Ensure a schema that the service cannot extract raises here, naming the field and what it may not be."""

    class Anything(BaseModel):
        by_name: dict[str, float]

    class Order(BaseModel):
        number: str
        inner: list[Anything]

    service = ScriptedExtract()
    deep: dict[str, Any] = {"type": "string"}
    for _ in range(9):
        deep = {"type": "object", "properties": {"a": deep}}
    for schema, words in ((Order, ("Order.inner[].by_name",)), (deep, ("a.a", "7")), ({"type": "array"}, ("object",))):
        with pytest.raises(ConfigurationError) as caught:
            service.extractor().extract(schema, None, PDF, NAMED)
        assert caught.value.option == "data_schema"
        assert caught.value.hint
        for word in words:
            assert word in str(caught.value)
    assert service.requests == []


def test_citations_and_confidence_are_typed() -> None:
    """Ensure every field has its place and its confidence as attributes, by its path."""
    result = ScriptedExtract().extractor().extract(SCHEMA, {"cite_sources": True}, PDF, NAMED)
    vendor = result.fields["vendor"]
    (citation,) = vendor.citations
    assert (vendor.value, vendor.page, vendor.confidence) == ("Amber Tools", 2, 0.9)
    assert (citation.page, citation.text) == (2, "Amber Tools Ltd.")
    assert (citation.page_width, citation.page_height) == (612, 792)
    (box,) = citation.boxes
    assert isinstance(box, BBox)
    assert (box.x, box.y, box.w, box.h) == (10, 20, 30, 4)
    assert result.fields["total"].citations[0].boxes == []
