"""What users of earlier clients suffered from, and the rule that ends it: a test for each.

- what did not work raises, and is never an empty or junk Document: `test_failures_never_become_empty_documents`,
  `test_a_success_without_content_raises`, `test_defects_of_earlier_clients.py::test_a_refused_result_is_an_error`
- sync calls work inside event loops, of any kind, again and again: `test_sync_calls_work_inside_event_loops`,
  `test_notebooks.py::test_a_notebook_runs_and_shows_as_many_pictures_as_are_committed`,
  `test_reader.py::test_one_reader_in_every_kind_of_caller`
- no answer, however odd, crashes a finished job: `test_odd_answers_never_crash_a_finished_job`,
  `test_tolerant_responses.py::test_any_mutation_of_any_field_reads`
- the package fits beside others: `test_requirements_leave_room_for_other_packages`,
  `test_packaging.py::test_requirements_are_ranges`
- errors say what, where, why and what to do: `test_errors_say_what_happened_and_what_to_do`,
  `test_hints.py::test_messages`, `test_hints.py::test_job_failures`, `test_errors.py::test_text_is_never_blank`
- the deadline of a job holds, and is not the timeout of a request: `test_deadlines_hold_and_the_job_goes_on`,
  `test_transport.py::test_silence_ends_at_the_timeout`
- a paid job is found again by its id: `test_paid_jobs_are_found_again`
- Documents know file, page and page count: `test_documents_know_their_file_and_page`
- pages are the service's, whatever their text holds: `test_no_separator_splits_a_page`
- limits of a service are kept to, and waited out: `test_no_more_unfinished_jobs_than_asked_for`,
  `test_a_rate_holds_over_all_threads`, `test_rate_limits_are_waited_out_and_plan_limits_raise`
- passing faults cost nothing, lasting ones no time: `test_passing_faults_cost_nothing`,
  `test_lasting_refusals_cost_no_time`
- no option is ignored: `test_no_option_is_ignored`,
  `test_parse_options.py::test_every_option_reaches_the_request`
- missing content is kept, flagged and counted: `test_missing_content_shows`
- files in any fsspec filesystem load: `test_filesystems_load`, `test_s3_sources.py::test_a_file_on_s3`
- bytes and streams load, and have names: `test_bytes_and_streams_have_names`
- the service judges suffixes, not the client: `test_no_suffix_is_refused`
- image downloads are images: `test_no_error_is_saved_as_an_image`,
  `test_result_downloads.py::test_downloads_are_concurrent_and_bounded`
- proxy, certificates, headers and transports apply everywhere: `test_proxy_and_headers_apply_to_every_request`,
  `test_certificates_apply_to_every_request`, `test_nothing_bypasses_a_transport`
- the cache is visible, and can be switched off: `test_cache_use_is_visible_and_can_be_switched_off`
- the region is what was asked for: `test_the_region_is_what_was_asked_for`
- long documents can be divided: `test_long_documents_in_parts_keep_their_pages`, `test_missing_parts_are_named`
- ids are the same again, and never shared: `test_ids_are_stable_and_distinct`
- an ingestion of which something failed raises, and names it: `test_no_failed_ingestion_passes_for_a_success`,
  `test_index_requests.py::test_an_index_that_calls_itself_a_success`
- retrieved nodes know file, page, score and mode: `test_retrieved_nodes_know_where_they_come_from`
- metadata filters map completely, or raise: `test_retriever.py::test_filters`,
  `test_retriever.py::test_filters_that_cannot_be_mapped`
- an ambiguous project raises with the candidates:
  `test_index_requests.py::test_an_ambiguous_project_raises_with_the_candidates`
- the documentation works: `test_readme.py::test_every_python_block_runs`,
  `test_docstrings.py::test_interactive_examples_of_a_module_run`, `test_docstrings.py::test_a_fenced_example_runs`

What they asked for:

- submit now, collect later: `test_submit_now_collect_later_elsewhere`,
  `test_reader.py::test_a_handle_works_in_another_process`
- credits and usage: `test_results_tell_what_they_cost`
- each file as soon as it is done: `test_files_stream_as_they_are_done`
- URLs are for the service to fetch: `test_urls_are_passed_on`
- tables across pages, with spans, as DataFrames: `test_tables_across_pages_with_spans_as_dataframes`
- images in their place in the text: `test_images_stand_in_their_place`
- uploads and results can be deleted afterwards, on error too: `test_nothing_stays_behind_when_asked_not_to`
- the parsed content of an index's files can be read: `test_parsed_content_of_an_index_can_be_read`
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import itertools
import json
import logging
import pickle
import re
import ssl
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import httpx
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.schema import Document, ImageNode

from llama_cloud_ext import (
    ApiError,
    ConfigurationError,
    DownloadError,
    EmptyResultError,
    FailedItem,
    IngestionError,
    JobDeadlineError,
    JobError,
    JobFailedError,
    LlamaCloudError,
    LlamaCloudIndex,
    LlamaParseReader,
    ParseJob,
    ParseResult,
    PartialFailureError,
    PlanLimitError,
    SourceError,
    TransportError,
)
from tests.benchmarks.simulated_cloud import SimulatedCloud
from tests.http.loopback import loopback, reply
from tests.http.scripted import BASE_URL, HOST
from tests.http.scripted_service import ScriptedService, pages
from tests.unit.parse_samples import heading, image, listed, response, table, text

PICTURES = "table-and-pictures.pdf"
LATEX = "latex-lorem.pdf"
BROKEN = "truncated.pdf"
PDF = b"%PDF-1.7 stands for a file"
NAMED = {"file_name": "a.pdf"}
FILES = "https://files.example.com"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(200))
TESTS = Path(__file__).parents[1]


@pytest.fixture
def address(tmp_path: Path) -> str:
    """A local LlamaCloud of the test's own."""
    return f"local:{tmp_path / 'cloud'}"


@pytest.fixture
def reader(address: str) -> LlamaParseReader:
    """A reader with its defaults."""
    return LlamaParseReader(base_url=address)


@pytest.fixture
def options(simulated_cloud: SimulatedCloud) -> dict[str, Any]:
    """Connection options with a key of the test's own, hence a pool, a limiter and a watcher of its own."""
    return {"base_url": simulated_cloud.base_url, "api_key": f"llx-{uuid.uuid4().hex}"}


def contents(documents: list[Document]) -> list[tuple[str, str]]:
    """What makes Documents equal to LlamaIndex."""
    return [(document.id_, document.hash) for document in documents]


def named(count: int, seconds: float) -> list[dict[str, str]]:
    """Metadata that names so many files, each a job of so many seconds."""
    return [{"file_name": f"file-{index}-{seconds}.pdf"} for index in range(count)]


# Failures


def test_failures_never_become_empty_documents(reader: LlamaParseReader, address: str, data_dir: Path) -> None:
    """Ensure a failed job raises alone and in a list, and is a record with its reason in lenient mode."""
    bad, good = data_dir / BROKEN, data_dir / PICTURES
    with pytest.raises(JobFailedError, match="PDF_IS_BROKEN"):
        reader.load_data(bad)
    with pytest.raises(PartialFailureError, match="PDF_IS_BROKEN"):
        reader.load_data([bad, good])
    lenient = LlamaParseReader(base_url=address, on_error="skip")
    failed, parsed = lenient.parse([bad, good])
    assert isinstance(failed, FailedItem)
    assert isinstance(parsed, ParseResult)
    assert (failed.source, failed.index) == (str(bad), 0)
    assert isinstance(failed.error, JobFailedError)
    assert failed.error.code == "PDF_IS_BROKEN"
    with pytest.raises(PartialFailureError):
        lenient.load_data([bad, bad])


@pytest.mark.parametrize(
    "result", [{}, pages(), pages(""), pages(" \n", "\t"), {"markdown": None}, {"markdown": {"pages": None}}]
)
def test_a_success_without_content_raises(result: dict[str, Any]) -> None:
    """Ensure a completed job without one page that holds anything raises, from every call."""
    reader = ScriptedService(result or {"nothing": 1}).reader()
    for call in (
        lambda: reader.load_data(PDF, NAMED),
        lambda: reader.parse(PDF, NAMED),
        lambda: list(reader.lazy_load_data(PDF, NAMED)),
        lambda: list(reader.stream(PDF, NAMED)),
        lambda: reader.submit(PDF, NAMED).result(),
        lambda: reader.get_result("pjb-1"),
    ):
        with pytest.raises(EmptyResultError) as caught:
            call()
        assert caught.value.job_id
        assert caught.value.hint


def test_errors_say_what_happened_and_what_to_do(reader: LlamaParseReader, data_dir: Path) -> None:
    """Ensure errors of jobs and of requests carry everything that helps, and their text says it."""
    with pytest.raises(JobError) as failed:
        reader.load_data(data_dir / BROKEN)
    error = failed.value
    assert (error.status, error.code) == ("FAILED", "PDF_IS_BROKEN")
    for part in (BROKEN, error.job_id, "failed", "PDF_IS_BROKEN", error.reason, error.hint):
        assert part
        assert part in str(error)
    answer = httpx.Response(
        404,
        json={"detail": "Parse job not found", "correlation_id": "cor-7"},
        headers={"x-request-id": "req-9"},
    )
    with pytest.raises(ApiError) as refused:
        ScriptedService(script={"result": [answer]}).reader().load_data(PDF, NAMED)
    shown = str(refused.value)
    for part in ("a.pdf", "pjb-1", "404", "Parse job not found", "cor-7", "req-9", f"{BASE_URL}/api/v2/parse/pjb-1"):
        assert part in shown
    for blank in (httpx.Response(404), httpx.Response(400, content=b"\xff\x00"), httpx.Response(422, json={})):
        with pytest.raises(ApiError) as caught:
            ScriptedService(script={"create": [blank]}).reader().load_data(PDF, NAMED)
        assert str(caught.value).strip()


def test_missing_content_shows(caplog: pytest.LogCaptureFixture) -> None:
    """Ensure blank and failed pages stay in their places, are flagged, and are counted in one warning."""
    result = pages("first", "", "third")
    result["markdown"]["pages"].append({"page_number": 4, "success": False, "error": "the page is damaged"})
    with caplog.at_level(logging.WARNING):
        documents = ScriptedService(result).reader().load_data(PDF, NAMED)
    assert [document.metadata["page_number"] for document in documents] == [1, 2, 3, 4]
    assert [document.metadata.get("page_blank") for document in documents][:3] == [None, True, None]
    assert "damaged" in documents[3].metadata["page_error"]
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    for part in ("a.pdf", "pjb-1", "2", "4"):
        assert part in warnings[0]


def test_odd_answers_never_crash_a_finished_job() -> None:
    """Ensure a job's result is read when any field of any answer is missing, null, another number or something new."""
    whole = pages("Words.", "More.")
    odd: list[dict[str, Any]] = [{"markdown": whole["markdown"], "text": part} for part in (None, {}, [], 7, "x")]
    for name, value in itertools.product(
        ("page_number", "success", "header", "confidence", "printed_page_number", "new_field"),
        (None, 1.0, "1", [], {"new": 1}, True, "SHINING"),
    ):
        for part in ("markdown", "metadata", "items"):
            mutated = json.loads(json.dumps(whole))
            mutated[part]["pages"][0][name] = value
            odd.append(mutated)
    reader_of: Callable[[dict[str, Any]], LlamaParseReader] = lambda result: ScriptedService(result).reader()  # noqa: E731
    for result in odd:
        documents = reader_of(result).load_data(PDF, NAMED)
        assert {document.text for document in documents} == {"Words.", "More."}
    job = {"id": "pjb-1", "status": "completed", "usage": {"credits": "3"}, "created_at": 7, "tier": "new", "x": [1]}
    parsed = ScriptedService(script={"create": [job], "result": [{**whole, "job": job}]}).reader().parse(PDF, NAMED)
    assert (parsed.job.id, parsed.job.credits) == ("pjb-1", 3.0)
    assert parsed.nodes()


# Loops


def test_sync_calls_work_inside_event_loops(reader: LlamaParseReader, data_dir: Path) -> None:
    """Ensure one reader loads twice in a script, inside running loops of both kinds, in threads and over new loops."""
    import uvloop

    path = data_dir / PICTURES
    expected = contents(reader.load_data(path))

    async def inside() -> None:
        assert contents(reader.load_data(path)) == expected
        assert contents(await reader.aload_data(path)) == expected
        assert contents(await asyncio.to_thread(reader.load_data, path)) == expected

    assert contents(reader.load_data(path)) == expected
    for _ in range(2):
        asyncio.run(inside())
    loop = uvloop.new_event_loop()
    try:
        loop.run_until_complete(inside())
    finally:
        loop.close()
    assert contents(reader.load_data(path)) == expected
    assert not hasattr(asyncio, "_nest_patched"), "no patched event loop was needed"


def test_requirements_leave_room_for_other_packages() -> None:
    """Ensure all requirements are ranges, and CI installs both of their ends."""
    project = (TESTS.parent / "pyproject.toml").read_text(encoding="utf-8")
    required = re.findall(r'^ {4}"([^"]+)",$', project.split("dependencies = [", 1)[1].split("]\n", 1)[0], re.MULTILINE)
    assert {re.split(r"[<>=]", entry)[0] for entry in required} >= {"llama-index-core", "httpx", "pydantic"}
    assert all(">=" in entry and "==" not in entry and "~=" not in entry for entry in required)
    assert "llama-cloud" not in {re.split(r"[<>=]", entry)[0] for entry in required}
    script = (TESTS.parent / ".ci" / "run").read_text(encoding="utf-8")
    for end in ("lowest", "highest"):
        assert f"check_install {end}\n" in script
        assert f'finished {end} "${end}"\n' in script


# Jobs


def test_deadlines_hold_and_the_job_goes_on(address: str, data_dir: Path) -> None:
    """Ensure the deadline raises within a look's time with the job's id, by which the result is collected later."""
    reader = LlamaParseReader(base_url=f"{address}?latency=1.2", job_timeout=0.4, timeout=60)
    started = time.monotonic()
    with pytest.raises(JobDeadlineError) as caught:
        reader.load_data(data_dir / LATEX)
    assert 0.4 <= time.monotonic() - started < 1.1
    assert caught.value.job_id
    reader.job_timeout = 10
    result = reader.get_result(caught.value.job_id, source=data_dir / LATEX)
    assert len(result.pages) == 4
    assert len(reader.list_jobs()) == 1


def test_paid_jobs_are_found_again() -> None:
    """Ensure every result and every error names its job, and by its id the same Documents come without an upload."""
    service = ScriptedService(pages("one", "two"))
    reader = service.reader()
    first = reader.parse(PDF, {"file_name": "a.pdf", "team": "x"})
    created = service.steps["create"]
    again = service.reader().get_result(first.job_id, source=PDF, extra_info={"file_name": "a.pdf", "team": "x"})
    assert contents(again.documents()) == contents(first.documents())
    assert (service.steps["create"], service.steps["upload"]) == (created, 0)
    for step, scripted in (("look", 404), ("result", 404), ("look", "FAILED"), ("look", "CANCELLED")):
        with pytest.raises(LlamaCloudError) as caught:
            ScriptedService(script={step: [scripted]}).reader().load_data(PDF, NAMED)
        assert caught.value.job_id == "pjb-1"
        assert "pjb-1" in str(caught.value)
    with pytest.raises(JobDeadlineError) as late:
        ScriptedService(final="RUNNING").reader(job_timeout=0.1).load_data(PDF, NAMED)
    assert late.value.job_id == "pjb-1"
    failing = ScriptedService(script={"result": [httpx.ConnectError("gone")] * 9})
    with pytest.raises(TransportError) as lost:
        failing.reader(retry_budget=0).load_data(PDF, NAMED)
    assert lost.value.job_id == "pjb-1"


def test_no_more_unfinished_jobs_than_asked_for(simulated_cloud: SimulatedCloud, options: dict[str, Any]) -> None:
    """Ensure num_workers bounds what the service sees, over calls, threads and ways of calling of one reader."""
    reader = LlamaParseReader(**options, num_workers=3)
    calls: list[Callable[[], Any]] = [
        lambda: reader.load_data([PDF] * 4, named(4, 0.2)),
        lambda: asyncio.run(reader.aparse([PDF] * 4, named(4, 0.2))),
        lambda: [job.result() for job in reader.submit([PDF] * 4, named(4, 0.2))],
    ]
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stats = simulated_cloud.stats()
    assert stats["jobs_created"] == 12
    assert stats["max_unfinished"] == 3


def test_a_rate_holds_over_all_threads() -> None:
    """Ensure requests_per_minute bounds the requests of all readers and threads of one account together."""
    service = ScriptedService()

    async def load() -> None:
        reader = service.reader(requests_per_minute=10)
        # Most of the requests are due in a minute only.
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(reader.aparse([PDF] * 4, named(4, 0.1)), 2.0)

    threads = [threading.Thread(target=asyncio.run, args=(load(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(service.requests) == 10


def test_rate_limits_are_waited_out_and_plan_limits_raise() -> None:
    """Ensure a 429 for the rate is repeated after the time it asks for, and one for the plan raises at once."""
    slow = httpx.Response(429, json={"detail": "Rate limit exceeded"}, headers={"retry-after": "1"})
    service = ScriptedService(script={"create": [slow]})
    started = time.monotonic()
    assert service.reader().load_data(PDF, NAMED)
    assert time.monotonic() - started >= 1
    assert service.steps["create"] == 2
    plan = httpx.Response(429, json={"detail": "You've already reached the maximum number of jobs for your plan."})
    service = ScriptedService(script={"create": [plan]})
    with pytest.raises(PlanLimitError, match="maximum number"):
        service.reader().load_data(PDF, NAMED)
    assert service.steps["create"] == 1


@pytest.mark.parametrize(
    "fault", [502, 503, httpx.ReadTimeout("slow"), httpx.RemoteProtocolError("cut"), httpx.Response(200, text="<")]
)
def test_passing_faults_cost_nothing(fault: Any) -> None:
    """Ensure a 502, a timeout, a lost connection and nonsense while polling neither fail the job nor repeat it."""
    service = ScriptedService(script={"look": ["RUNNING", fault], "result": [fault]})
    assert service.reader().load_data(PDF, NAMED)[0].text == "Words."
    assert (service.steps["create"], service.steps["upload"]) == (1, 0)
    assert (service.steps["look"], service.steps["result"]) == (3, 2)


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 409, 413, 422])
@pytest.mark.parametrize("step", ["create", "look", "result"])
def test_lasting_refusals_cost_no_time(status: int, step: str) -> None:
    """Ensure what waiting does not mend is sent once, and raises at once."""
    service = ScriptedService(script={step: [status] * 9})
    with pytest.raises(LlamaCloudError) as caught:
        service.reader().load_data(PDF, NAMED)
    assert isinstance(caught.value, ApiError)
    assert service.steps[step] == 1


def test_submit_now_collect_later_elsewhere(reader: LlamaParseReader, address: str, data_dir: Path) -> None:
    """Ensure a handle of a job works after pickling and after JSON, and a job id is enough."""
    job = reader.submit(data_dir / LATEX, extra_info={"team": "x"})
    expected = contents(reader.load_data(data_dir / LATEX, extra_info={"team": "x"}))
    settings = LlamaParseReader(base_url=address).settings()
    for handle in (job, pickle.loads(pickle.dumps(job)), ParseJob.from_json(job.to_json(), settings=settings)):
        assert contents(handle.result().documents()) == expected
        assert handle.status() == "COMPLETED"
    by_id = LlamaParseReader(base_url=address).get_result(job.job_id, data_dir / LATEX, {"team": "x"})
    assert contents(by_id.documents()) == expected
    assert len(reader.list_jobs()) == 2


def test_results_tell_what_they_cost() -> None:
    """Ensure credits and usage are on the result, whatever the service says of them, and never in the metadata."""
    result = ScriptedService(pages("Words.")).reader().parse(PDF, NAMED)
    assert (result.job.credits, result.job.usage) == (3.0, {"credits": 3.0})
    assert "credits" not in result.documents()[0].metadata
    silent = {"id": "pjb-1", "status": "COMPLETED"}
    unknown = ScriptedService(script={"create": [silent], "result": [{**pages("Words."), "job": silent}]})
    assert unknown.reader().parse(PDF, NAMED).job.credits is None


def test_files_stream_as_they_are_done(simulated_cloud: SimulatedCloud, options: dict[str, Any]) -> None:
    """Ensure each file's result comes when its job ends, in whatever order they were given."""
    reader = LlamaParseReader(**options)
    names = [{"file_name": f"{seconds}.pdf"} for seconds in (1.2, 0.1, 0.6)]

    async def main() -> list[str]:
        return [outcome.source.name async for outcome in reader.astream([PDF] * 3, names)]  # type: ignore[union-attr]

    assert asyncio.run(main()) == ["0.1.pdf", "0.6.pdf", "1.2.pdf"]
    started = time.monotonic()
    first = next(reader.stream([PDF] * 3, names))
    assert isinstance(first, ParseResult)
    assert first.source.name == "0.1.pdf"
    assert time.monotonic() - started < 1.1


def test_nothing_stays_behind_when_asked_not_to() -> None:
    """Ensure uploads and jobs are deleted after success, failure, deadline and a create that was refused."""
    for script, final in (
        ({}, "COMPLETED"),
        ({}, "FAILED"),
        ({}, "RUNNING"),
        ({"result": [404]}, "COMPLETED"),
        ({"create": [402]}, "COMPLETED"),
    ):
        service = ScriptedService(script=script, final=final)  # type: ignore[arg-type]
        try:
            service.reader(delete_after=True, job_timeout=0.3).parse(PDF, NAMED)
        except LlamaCloudError:
            assert (script, final) != ({}, "COMPLETED")
        deleted = {request.url.path for request in service.requests if request.method == "DELETE"}
        jobs = set() if "create" in script else {"/api/v2/parse/pjb-1"}
        assert deleted == {"/api/v1/beta/files/file-1"} | jobs
        assert service.steps["cancel"] == (1 if final == "RUNNING" else 0)


# Options


@pytest.mark.parametrize(
    ("wrong", "way_out"),
    [
        ({"target_page": "1"}, "target_pages"),
        ({"parsing_instruction": "x"}, "custom_prompt"),
        ({"tier": "agentik"}, "agentic"),
        ({"page_ranges": {"target_page": "1"}}, "target_pages"),
        ({"tier": "fast", "result_type": "markdown"}, "text"),
        ({"max_pages": 1, "page_ranges": {"max_pages": 2}}, "max_pages"),
        ({"target_pages": "1-3,2"}, "target_pages"),
    ],
)
def test_no_option_is_ignored(wrong: dict[str, Any], way_out: str) -> None:
    """Ensure unknown and contradictory options raise before anything is sent, naming the way out."""
    service = ScriptedService()
    with pytest.raises(ConfigurationError, match=way_out):
        service.reader(**wrong).load_data(PDF, NAMED)
    assert service.requests == []


def test_cache_use_is_visible_and_can_be_switched_off() -> None:
    """Ensure the result says whether it came from the cache, and disable_cache reaches the service either way."""
    for said in (True, False, None):
        service = ScriptedService({**pages("Words."), "job_metadata": {} if said is None else {"is_cache_hit": said}})
        assert service.reader(disable_cache=said).parse(PDF, NAMED).job.from_cache is said
        assert service.configurations[0].get("disable_cache", "not sent") == ("not sent" if said is None else said)


def test_the_region_is_what_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure requests go to the region's host, and an argument beats the environment."""
    monkeypatch.setenv("LLAMA_CLOUD_BASE_URL", "https://api.cloud.llamaindex.ai")
    hosts: list[str] = []

    def refuse(request: httpx.Request) -> httpx.Response:
        hosts.append(request.url.host)
        return httpx.Response(401, json={"detail": "Invalid API Key"})

    for options in ({"region": "eu"}, {"base_url": "api.cloud.eu.llamaindex.ai"}, {}, {"region": "na"}):
        with pytest.raises(ApiError) as caught:
            LlamaParseReader(api_key="llx-x", transport=httpx.MockTransport(refuse), **options).load_data(PDF, NAMED)
        assert hosts[-1] in str(caught.value), "a key of one region is refused in the other"
    assert hosts == ["api.cloud.eu.llamaindex.ai"] * 2 + ["api.cloud.llamaindex.ai"] * 2


# Connections


async def test_proxy_and_headers_apply_to_every_request() -> None:
    """Ensure upload, polling, result and download go through the proxy, with the user's headers for the own host."""
    job = {"id": "pjb-1", "status": "RUNNING"}
    done = {"id": "pjb-1", "status": "COMPLETED"}
    whole = {"job": done, **pages("Words."), "images_content_metadata": listed("a.png", host="http://files.invalid")}
    answers: list[dict[str, Any]] = [job, {"job": done}, whole]
    async with loopback(*(reply(json.dumps(answer).encode()) for answer in answers), reply(PNG)) as proxy:
        reader = LlamaParseReader(
            api_key="llx-x", base_url="http://cloud.invalid", proxy=proxy.url, headers={"X-Mine": "1"}
        )
        result = await reader.aparse(PDF, NAMED)
        assert len(await result.aimage_documents()) == 1
    assert [received.line.split("?")[0].split(" HTTP")[0] for received in proxy.received] == [
        "POST http://cloud.invalid/api/v2/parse/upload",
        "GET http://cloud.invalid/api/v2/parse/pjb-1",
        "GET http://cloud.invalid/api/v2/parse/pjb-1",
        "GET http://files.invalid/0",
    ]
    assert [received.headers.get("x-mine") for received in proxy.received] == ["1", "1", "1", None]
    assert "authorization" not in proxy.received[-1].headers


def test_certificates_apply_to_every_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure one client, made with the user's TLS settings, sends uploads, looks and downloads."""
    made: list[dict[str, Any]] = []
    service = ScriptedService(
        {**pages("Words."), "images_content_metadata": listed("a.png")}, downloads={f"{FILES}/0?sig=first": PNG}
    )

    class Client(httpx.AsyncClient):
        def __init__(self, **options: Any) -> None:
            made.append(options)
            super().__init__(transport=service)

    monkeypatch.setattr(httpx, "AsyncClient", Client)
    context = ssl.create_default_context()
    reader = LlamaParseReader(api_key=f"llx-{uuid.uuid4().hex}", base_url=BASE_URL, verify=context)
    assert reader.parse(PDF, NAMED).image_documents()
    assert len(made) == 1
    assert made[0]["verify"] is context
    assert {request.url.host for request in service.requests} == {HOST, "files.example.com"}


def test_nothing_bypasses_a_transport() -> None:
    """Ensure a transport of the user's carries everything, though its answers come from memory."""
    images = listed("a.png", "b.png")
    downloads = {f"{FILES}/{place}?sig=first": PNG for place in range(2)}
    service = ScriptedService({**pages("Words."), "images_content_metadata": images}, downloads=downloads)
    assert len(service.reader().parse(PDF, NAMED).image_documents()) == 2
    assert service.steps["download"] == 2


# Files


def test_filesystems_load(reader: LlamaParseReader, data_dir: Path) -> None:
    """Ensure `load_data(path, extra_info=…, fs=…)` works, sync and async, with paths of every type, and URLs too."""
    memory = MemoryFileSystem()
    memory.pipe("/suffered/lorem.pdf", (data_dir / LATEX).read_bytes())
    given: dict[str, Any] = {"extra_info": {"team": "x"}, "fs": memory}
    first = reader.load_data(PurePosixPath("/suffered/lorem.pdf"), **given)
    assert len(first) == 4
    assert first[0].metadata["team"] == "x"
    assert first[0].metadata["file_name"] == "lorem.pdf"
    assert contents(asyncio.run(reader.aload_data("/suffered/lorem.pdf", **given))) == contents(first)
    by_url = reader.load_data("memory://suffered/lorem.pdf", {"team": "x"})
    assert [document.id_ for document in by_url] == [document.id_ for document in first]


def test_bytes_and_streams_have_names(reader: LlamaParseReader, data_dir: Path) -> None:
    """Ensure names come from `.name`, `extra_info` or the content, for every method, and only then is it an error."""
    content = (data_dir / LATEX).read_bytes()
    stream = io.BytesIO(content)
    stream.name = "folder/stream.pdf"
    with (data_dir / LATEX).open("rb") as opened:
        for given, extra_info, name in (
            (stream, None, "stream.pdf"),
            (opened, None, LATEX),
            (content, {"file_name": "said.pdf"}, "said.pdf"),
            (bytearray(content), {"file_name": "said"}, "said.pdf"),
        ):
            assert reader.parse(given, extra_info).source.name == name
    assert reader.submit(content).source.name.endswith(".pdf")
    assert reader.load_data(io.BytesIO(content))[0].metadata["file_name"].endswith(".pdf")
    with pytest.raises(SourceError) as caught:
        reader.load_data(b"\x00\x01\x02 nobody can tell what this is")
    assert "file_name" in str(caught.value)


def test_no_suffix_is_refused(tmp_path: Path) -> None:
    """Ensure upper-case, unknown and missing suffixes reach the service as they are."""
    service = ScriptedService()
    for name in ("LOUD.PDF", "notes.unheard-of", "bare.", "many.dots.v2.xyz"):
        path = tmp_path / name
        path.write_bytes(b"\x01\x02 something")
        assert service.reader().load_data(path)[0].metadata["file_name"] == name
        assert f'filename="{name}"'.encode() in next(r for r in service.requests[::-1] if r.method == "POST").content


def test_urls_are_passed_on() -> None:
    """Ensure an http(s) URL goes to the service whole, signature included, and nothing downloads or uploads it here."""
    url = "https://bucket.example.com/reports/q3.pdf?X-Amz-Signature=abc&x=1"
    service = ScriptedService(pages("Words."))
    (document,) = service.reader().load_data(url)
    assert service.configurations[0]["source_url"] == url
    assert {request.url.host for request in service.requests} == {HOST}
    assert service.requests[0].url.path == "/api/v2/parse"
    assert document.metadata["file_name"] == "q3.pdf"
    assert "abc" not in str(document.metadata)


# Documents


def test_documents_know_their_file_and_page(reader: LlamaParseReader, data_dir: Path) -> None:
    """Ensure one Document a page by default, with file, page and page count beside the user's, also after splitting."""
    documents = reader.load_data(data_dir / LATEX, extra_info={"team": "x"})
    assert [document.metadata["page_number"] for document in documents] == [1, 2, 3, 4]
    chunks = SentenceSplitter(chunk_size=256, chunk_overlap=20).get_nodes_from_documents(documents)
    assert len(chunks) > len(documents)
    for found in (*documents, *chunks):
        assert found.metadata["file_name"] == LATEX
        assert found.metadata["file_path"] == str(data_dir / LATEX)
        assert found.metadata["page_count"] == 4
        assert found.metadata["team"] == "x"
    assert {chunk.metadata["page_number"] for chunk in chunks} == {1, 2, 3, 4}


def test_no_separator_splits_a_page() -> None:
    """Ensure pages that contain separators of earlier clients stay one Document each, unchanged."""
    texts = ["a\n---\nb", "c\n\n---\n\nd", "---", "\f e \f", "<!-- page -->\n\n{page_number}"]
    reader = ScriptedService(pages(*texts)).reader()
    assert [document.text for document in reader.load_data(PDF, NAMED)] == texts
    assert [document.text for document in reader.parse(PDF, NAMED).documents(kind="text")] == texts


def test_ids_are_stable_and_distinct(reader: LlamaParseReader, data_dir: Path, tmp_path: Path) -> None:
    """Ensure the same file gives the same ids and hashes again, and files of one name in two folders do not."""
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
        (folder / "same.pdf").write_bytes((data_dir / LATEX).read_bytes())
    one, two = (reader.load_data(folder / "same.pdf") for folder in folders)
    assert contents(reader.load_data(folders[0] / "same.pdf")) == contents(one)
    ids = [document.id_ for document in (*one, *two)]
    assert len(set(ids)) == 8
    assert not any("/" in document_id for document_id in ids)
    assert [document.text for document in one] == [document.text for document in two]


def test_long_documents_in_parts_keep_their_pages(address: str, data_dir: Path) -> None:
    """Ensure parts give what the whole gives: page numbers, texts and ids of the document."""
    path = data_dir / LATEX
    whole = LlamaParseReader(base_url=address).load_data(path)
    reader = LlamaParseReader(base_url=address, partition_pages=1)
    assert contents(reader.load_data(path)) == contents(whole)
    assert [document.metadata["page_number"] for document in whole] == [1, 2, 3, 4]


def test_missing_parts_are_named(simulated_cloud: SimulatedCloud, options: dict[str, Any]) -> None:
    """Ensure parts run at the same time on one upload, and those that failed are named by their page ranges."""
    simulated_cloud.reset(one_job_in_fails=4, pages=2)
    reader = LlamaParseReader(**options, partition_pages=2, target_pages="1-8")
    with pytest.raises(PartialFailureError) as caught:
        reader.parse(PDF, {"file_name": "long-0.3.pdf"})
    stats = simulated_cloud.stats()
    assert stats["by_status"].keys() <= {"200"}
    assert (stats["jobs_created"], stats["max_unfinished"]) == (4, 4)
    assert [type(outcome) for outcome in caught.value.results].count(ParseResult) == 3
    (failure,) = caught.value.failures
    assert re.search(r"pages \d-\d", failure.source)
    assert re.search(r"pages \d-\d are missing", str(caught.value))


# Tables and images


def test_tables_across_pages_with_spans_as_dataframes() -> None:
    """Ensure a table that runs across pages is one table, keeps its spans as HTML, and becomes a DataFrame."""
    rows: list[list[Any]] = [["year", "tons"], [1990, 12.5], [1991, 14]]
    raw = response(
        [
            [heading(1, "Harvest"), table(rows, merged_from_pages=[1, 2])],
            [table([], merged_into_page=1), text("after")],
        ]
    )
    result = ScriptedService(raw).reader().parse(PDF, NAMED)
    (found,) = result.tables
    assert (found.page_number, found.merged_from_pages, found.heading) == (1, [1, 2], "Harvest")
    assert found.to_pandas()["tons"].tolist() == [12.5, 14]
    assert "colspan=2" in found.html
    assert sum("table_id" in node.metadata for node in result.nodes()) == 1


def test_images_stand_in_their_place() -> None:
    """Ensure an image's node stands between what is before and after it, knows its section, and holds its bytes."""
    raw = response([[heading(1, "Sales"), text("before"), image("chart.png", "A chart"), text("after")]])
    service = ScriptedService(
        {**raw, "images_content_metadata": listed("chart.png")}, downloads={f"{FILES}/0?sig=first": PNG}
    )
    nodes = service.reader().parse(PDF, NAMED).nodes(with_images=True)
    place = next(index for index, node in enumerate(nodes) if isinstance(node, ImageNode))
    assert [nodes[place - 1].get_content(), nodes[place + 1].get_content()] == ["before", "after"]
    shown = nodes[place]
    assert isinstance(shown, ImageNode)
    assert shown.metadata["section"] == "Sales"
    assert shown.metadata["page_number"] == 1
    assert shown.prev_node is not None
    assert shown.next_node is not None
    assert (shown.prev_node.node_id, shown.next_node.node_id) == (nodes[place - 1].node_id, nodes[place + 1].node_id)
    assert shown.resolve_image().read() == PNG


@pytest.mark.parametrize("body", [b'{"detail": "expired"}', b"<Error>AccessDenied</Error>", b"", b"<html></html>"])
def test_no_error_is_saved_as_an_image(body: bytes, tmp_path: Path) -> None:
    """Ensure what is no image raises and writes nothing, also with status 200; a real one has suffix and mimetype."""
    raw = {**pages("Words."), "images_content_metadata": listed("a.dat")}
    bad = ScriptedService(raw, downloads={f"{FILES}/0?sig=first": body}).reader(retry_budget=0).parse(PDF, NAMED)
    with pytest.raises(DownloadError):
        bad.save_images(tmp_path)
    with pytest.raises(DownloadError):
        bad.image_documents()
    assert list(tmp_path.iterdir()) == []
    good = ScriptedService(raw, downloads={f"{FILES}/0?sig=first": PNG}).reader().parse(PDF, NAMED)
    assert [path.suffix for path in good.save_images(tmp_path)] == [".png"]
    assert good.image_documents()[0].image_mimetype == "image/png"


# Indexes


def test_no_failed_ingestion_passes_for_a_success(address: str, data_dir: Path) -> None:
    """Ensure waiting raises for files that are broken or hold no text, each named with its reason; others are in."""
    index = LlamaCloudIndex.create_index("files", base_url=address)
    with pytest.raises(IngestionError) as caught:
        index.upload_files([data_dir / name for name in (BROKEN, LATEX, "scanned-page.pdf")])
    reasons = {failure.source: str(failure) for failure in caught.value.failures}
    assert set(reasons) == {BROKEN, "scanned-page.pdf"}
    assert "PDF_IS_BROKEN" in reasons[BROKEN]
    assert "NO_DATA_FOUND_IN_FILE" in reasons["scanned-page.pdf"]
    with pytest.raises(IngestionError):
        index.wait_for_completion()
    assert [file.name for file in index.list_files(statuses=["SUCCESS"])] == [LATEX]


def test_retrieved_nodes_know_where_they_come_from(address: str, data_dir: Path) -> None:
    """Ensure every node has file, page, score and mode, those of files and of pages that came as Documents."""
    index = LlamaCloudIndex.create_index("both", base_url=address)
    index.upload_file(data_dir / LATEX)
    parsed = LlamaParseReader(base_url=address).load_data(data_dir / PICTURES)
    index.refresh_ref_docs(parsed)
    nodes = index.as_retriever(dense_similarity_top_k=30, enable_reranking=False).retrieve("text, table and pictures")
    assert {node.metadata["file_name"] for node in nodes} == {LATEX, PICTURES}
    for node in nodes:
        assert node.metadata["page_number"] >= 1
        assert isinstance(node.score, float)
        assert node.metadata["retrieval_mode"] == "chunks"


def test_parsed_content_of_an_index_can_be_read(address: str, data_dir: Path) -> None:
    """Ensure what was parsed out of each file comes back, whole and by its pages, in the order of the file."""
    index = LlamaCloudIndex.create_index("content", base_url=address)
    index.upload_files([data_dir / LATEX, data_dir / "mtcars.csv"])
    by_name = {file.name: file.file_id for file in index.list_files()}
    (whole,) = index.documents(by_name[LATEX])
    pages = index.documents(by_name[LATEX], split_by_page=True)
    direct = LlamaParseReader(base_url=address).load_data(data_dir / LATEX)
    assert [page.metadata["page_number"] for page in pages] == [1, 2, 3, 4]
    assert [page.text for page in pages] == [document.text.strip("\n") for document in direct]
    assert all(page.text in whole.text for page in pages)
    assert "Mazda RX4" in index.documents(by_name["mtcars.csv"])[0].text


# The lists of tests


@pytest.mark.parametrize(
    "file",
    [
        "local/test_what_users_suffered.py",
        "http/test_defects_of_earlier_clients.py",
        "http/test_index_defects_of_earlier_clients.py",
    ],
)
def test_the_list_names_tests_that_exist(file: str) -> None:
    """Ensure no test is renamed or removed without its entry, and every other test of these files has one."""
    source = (TESTS / file).read_text(encoding="utf-8")
    listing = source.split('"""')[1]
    entries = re.findall(r"`(?:(test_\w+\.py)::)?(test_\w+)`", listing)
    for elsewhere, test in entries:
        (path,) = TESTS.rglob(elsewhere) if elsewhere else [TESTS / file]
        assert re.search(rf"def {test}\(", path.read_text(encoding="utf-8")), f"{path.name}::{test}"
    written = set(re.findall(r"^(?:async )?def (test_\w+)\(", source, re.MULTILINE))
    assert written - {"test_the_list_names_tests_that_exist"} == {test for elsewhere, test in entries if not elsewhere}
