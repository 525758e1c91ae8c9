"""LlamaExtract against a service that fails, forgets and loses answers: nothing lost, nothing paid twice."""

from __future__ import annotations

import asyncio
import functools
import logging
import re
from collections.abc import Callable
from contextlib import aclosing
from datetime import datetime, timedelta, timezone
from typing import Any

import httpx
import pytest

from llama_cloud_ext import (
    ApiError,
    BadRequestError,
    ConfigurationError,
    ExtractResult,
    ExtractValidationError,
    FailedItem,
    JobCancelledError,
    JobDeadlineError,
    JobError,
    JobFailedError,
    LlamaCloudError,
    LlamaExtract,
    PartialFailureError,
    PlanLimitError,
    Progress,
    SourceText,
)
from llama_cloud_ext.wire import recovery
from tests.http.scripted import Fault, in_turn
from tests.http.scripted_extract import DATA, SCHEMA, ScriptedExtract

PDF = b"%PDF-1.7 stands for a file"
NAMED = {"file_name": "a.pdf"}
OTHER = {"type": "object", "properties": {"date": {"type": "string"}}}
KNOWN = {"configuration", "extract_metadata"}
EXPANDED = "Input should be 'configuration' or 'extract_metadata'"


class Lost(httpx.ReadError):
    """A connection that was cut after the request had been sent."""


LOST: dict[str, Callable[[], Fault]] = {
    "cut": lambda: Lost("cut"),
    "502": lambda: 502,
    "timeout": lambda: httpx.ReadTimeout("no answer"),
    "empty": lambda: httpx.Response(200, content=b""),
    "no JSON": lambda: httpx.Response(200, content=b'{"id": "ext'),
}


@pytest.fixture(autouse=True)
def _little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks for what a lost answer made follow each other at once; the scripted service shows it at once."""
    looks = functools.partial(recovery.look_up_repeatedly, pauses=(0.01, 0.05))
    monkeypatch.setattr(recovery, "look_up_repeatedly", looks)


def texts(count: int, *, bad: tuple[int, ...] = ()) -> list[SourceText]:
    """So many different inputs; some of them called bad."""
    return [
        SourceText(text_content=f"Text {number}", filename=f"{'bad' if number in bad else number}.txt")
        for number in range(count)
    ]


# Lost answers


@pytest.mark.parametrize("lost", LOST.values(), ids=LOST)
def test_a_lost_create_answer_is_looked_up(lost: Callable[[], Fault]) -> None:
    """Ensure a create whose answer is lost is found again, and made once."""
    service = ScriptedExtract(fault=in_turn({"after create": [lost()]}))
    assert service.extractor().extract(SCHEMA, None, PDF, NAMED).data == DATA
    assert service.steps["create"] == len(service.jobs) == 1
    assert service.steps["list"] == 1


@pytest.mark.parametrize("lost", LOST.values(), ids=LOST)
def test_a_lost_upload_answer_is_looked_up(lost: Callable[[], Fault]) -> None:
    """Ensure an upload whose answer is lost is found again, and sent once."""
    service = ScriptedExtract(fault=in_turn({"after upload": [lost()]}))
    assert service.extractor().extract(SCHEMA, None, PDF, NAMED).data == DATA
    assert service.steps["upload"] == len(service.files) == 1


def test_a_create_that_never_arrived_is_sent_again() -> None:
    """Ensure what cannot be found is created, once, after an answer that never came."""
    service = ScriptedExtract(fault=in_turn({"create": [Lost("cut"), 503]}))
    assert service.extractor().extract(SCHEMA, None, PDF, NAMED).data == DATA
    assert len(service.jobs) == 1
    assert len(service.files) == 1


def test_jobs_with_different_schemas_on_one_parse_job_are_told_apart() -> None:
    """Ensure two creates on the same input at the same moment, both answers lost, find each its own job."""
    service = ScriptedExtract(fault=in_turn({"after create": [Lost("cut"), Lost("cut")]}))
    extractor = service.extractor()

    async def both() -> list[Any]:
        return await asyncio.gather(*(extractor.aextract(schema, None, "pjb-0f3a") for schema in (SCHEMA, OTHER)))

    results = asyncio.run(both())
    assert [result.job.configuration["data_schema"] for result in results] == [SCHEMA, OTHER]
    assert service.steps["create"] == len({result.job_id for result in results}) == 2


def test_jobs_with_the_same_schema_on_one_parse_job_are_each_found_once() -> None:
    """Ensure equal creates at the same moment share no job and repeat none."""
    service = ScriptedExtract(fault=in_turn({"after create": [Lost("cut"), 502, Lost("cut")]}))
    results = service.extractor().extract(SCHEMA, None, ["pjb-0f3a"] * 3)
    assert service.steps["create"] == len({result.job_id for result in results}) == 3


def test_jobs_of_saved_configurations_are_told_apart() -> None:
    """Ensure creates by reference find each the job with its own reference."""
    service = ScriptedExtract(fault=in_turn({"after create": [Lost("cut"), Lost("cut")]}))
    extractor = service.extractor()
    agents = [extractor.create_agent(name, SCHEMA) for name in ("one", "two")]

    async def both() -> list[Any]:
        return await asyncio.gather(*(agent.aextract("dfl-0f3a") for agent in agents))

    results = asyncio.run(both())
    assert [result.job.configuration_id for result in results] == [agent.id for agent in agents]
    assert service.steps["create"] == 2


def test_an_older_job_on_the_same_file_is_another_one() -> None:
    """Ensure a job that ran on the same input minutes ago is not taken for the one whose answer was lost."""
    service = ScriptedExtract(fault=in_turn({"create": [Lost("cut")]}))
    earlier = datetime.now(timezone.utc) - timedelta(minutes=5)
    service.add_job(file_input="dfl-0f3a", configuration={"data_schema": SCHEMA}, created_at=earlier.isoformat())
    result = service.extractor().extract(SCHEMA, None, "dfl-0f3a")
    assert result.job_id != "ext-0"
    assert len(service.jobs) == 2


def test_a_job_on_another_input_is_never_taken() -> None:
    """Ensure a service that ignores `file_input` in its lists does not hand out the result of somebody else's file."""
    service = ScriptedExtract(fault=in_turn({"create": [Lost("cut")]}))
    service.add_job(file_input="dfl-0")
    everything = {"items": list(service.jobs.values()), "next_page_token": None}
    service.fault = in_turn({"create": [Lost("cut")], "list": [httpx.Response(200, json=everything)] * 4})
    assert service.extractor().extract(SCHEMA, None, PDF, NAMED).job_id != "ext-0"


def in_its_own_way(shown: dict[str, Any]) -> dict[str, Any]:
    """A configuration with what a service may add to it: at the top, in schemas, and within lists."""
    copied = {**shown, "tier": "agentic", "cite_sources": False}
    schema = {**copied["data_schema"], "additionalProperties": False}
    schema["properties"] = {
        name: {"title": name, "anyOf": [{**one, "title": name} for one in field["anyOf"]]}
        for name, field in schema["properties"].items()
    }
    return {**copied, "data_schema": schema}


@pytest.mark.parametrize("given", [PDF, "pjb-0f3a"], ids=["upload", "parse job"])
def test_a_job_is_recognised_however_the_service_writes_its_schema(given: Any) -> None:
    """Ensure additions of the service to a configuration do not make a paid job unknown."""
    schema = {"type": "object", "properties": {"a": {"anyOf": [{"type": "string"}, {"type": "null"}]}}}
    service = ScriptedExtract({"a": "x"})

    def fault(step: str, request: httpx.Request) -> Fault:
        if step == "after create" and len(service.jobs) == 1:
            (job,) = service.jobs.values()
            job["configuration"] = in_its_own_way(job["configuration"])
            return Lost("cut")
        return None

    service.fault = fault
    assert service.extractor().extract(schema, None, given).data == {"a": "x"}
    assert service.steps["create"] == 1


def test_an_upload_made_for_the_job_is_enough_to_know_it() -> None:
    """Ensure the job on a file that was uploaded for it is found, whatever else the record says or leaves out."""

    def fault(step: str, request: httpx.Request) -> Fault:
        if step == "list" and request.url.params.get_list("expand"):
            return httpx.Response(422, json={"detail": [{"loc": ["query", "expand"], "msg": "not known"}]})
        if step == "after create" and len(service.jobs) == 1:
            (job,) = service.jobs.values()
            job |= {"configuration": {"data_schema": OTHER}, "created_at": None}
            return Lost("cut")
        return None

    service = ScriptedExtract(fault=fault)
    assert service.extractor().extract(SCHEMA, None, PDF, NAMED).data == DATA
    assert service.steps["create"] == 1


def test_a_create_that_cannot_be_looked_up_is_not_repeated() -> None:
    """Ensure nobody pays twice because the look-up failed, too: the create's own error is raised."""
    service = ScriptedExtract(fault=lambda step, request: {"after create": 502, "list": 403}.get(step))
    with pytest.raises(ApiError) as caught:
        service.extractor().extract(SCHEMA, None, PDF, NAMED)
    assert caught.value.status == 502
    assert service.steps["create"] == 1


# Faults that pass


@pytest.mark.parametrize("step", ["upload", "create", "get"])
@pytest.mark.parametrize("fault", [429, 503, httpx.ConnectError("refused")], ids=["429", "503", "no connection"])
def test_what_passes_is_tried_again(step: str, fault: Fault) -> None:
    """Ensure a request that failed for the moment is sent again, and everything happens once."""
    service = ScriptedExtract(fault=in_turn({step: [fault]}))
    assert service.extractor().extract(SCHEMA, None, PDF, NAMED).data == DATA
    assert service.steps[step] == 2
    assert (len(service.files), len(service.jobs)) == (1, 1)


def test_faults_while_waiting_neither_fail_nor_repeat_a_job() -> None:
    """Ensure looks at jobs may fail in every passing way."""
    passing: list[Fault] = [502, Lost("cut")]
    service = ScriptedExtract(fault=in_turn({"list": passing, "get": passing}), looks=2)
    results = service.extractor().extract(SCHEMA, None, texts(4))
    assert [result.data for result in results] == [DATA] * 4
    assert service.steps["create"] == 4


@pytest.mark.parametrize("step", ["upload", "create", "get"])
@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 422])
def test_what_does_not_pass_is_raised_at_once(step: str, status: int) -> None:
    """Ensure a refusal raises as what it is, naming the file, after one request of its kind."""
    service = ScriptedExtract(fault=lambda at, request: status if at == step else None)
    with pytest.raises(ApiError) as caught:
        service.extractor().extract(SCHEMA, None, PDF, NAMED)
    assert caught.value.status == status
    assert "a.pdf" in str(caught.value)
    assert service.steps[step] == 1
    assert caught.value.job_id == ("ext-1" if step == "get" else None)


def test_a_limit_of_the_plan_is_raised_at_once() -> None:
    """Ensure a 429 that waiting does not lift ends the call."""
    detail = {"detail": "You've already reached the maximum number of extractions"}
    service = ScriptedExtract(fault=in_turn({"create": [httpx.Response(429, json=detail)]}))
    with pytest.raises(PlanLimitError):
        service.extractor().extract(SCHEMA, None, PDF, NAMED)
    assert service.steps["create"] == 1


def refused(problem: Any, allowed: set[str], status: int = 422) -> Callable[[str, httpx.Request], Fault]:
    """Refuses every result with more than the allowed parts."""

    def fault(step: str, request: httpx.Request) -> Fault:
        parts = set(request.url.params.get_list("expand"))
        return httpx.Response(status, json={"detail": problem}) if step == "get" and parts - allowed else None

    return fault


@pytest.mark.parametrize(
    ("problem", "allowed", "status"),
    [
        ("unknown expand value: usage", KNOWN, 422),
        ("usage cannot be expanded", KNOWN, 400),
        (
            [{"loc": ["query", "expand", 2], "msg": EXPANDED, "input": "usage"}],
            {"configuration", "extract_metadata"},
            422,
        ),
        ([{"loc": ["query", "expand", 0], "msg": "Input should be 'extract_metadata'"}], {"extract_metadata"}, 422),
        ("unexpected parameter expand", set(), 400),
    ],
)
def test_older_services_that_know_fewer_parts_still_give_the_result(
    problem: Any, allowed: set[str], status: int
) -> None:
    """Ensure a paid result is fetched with as much beside it as the deployment knows, however it words its refusal."""
    service = ScriptedExtract(fault=refused(problem, allowed, status))
    result = service.extractor().extract(SCHEMA, None, PDF, NAMED)
    assert result.data == DATA
    assert (result.job.credits is not None) is ("usage" in allowed)
    assert bool(result.fields["total"].citations) is ("extract_metadata" in allowed)
    assert (result.job.tier is not None or result.job.configuration != {}) is ("configuration" in allowed)


# Jobs that end without a result


@pytest.mark.parametrize(
    ("status", "error"), [("FAILED", JobFailedError), ("CANCELLED", JobCancelledError), ("EXPLODED", JobDeadlineError)]
)
@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_a_job_that_ends_badly_raises(status: str, error: type[JobError], asynchronous: bool) -> None:
    """Ensure failed and cancelled jobs raise, and a state that nobody knows is waited for until the deadline."""
    service = ScriptedExtract(looks=1, statuses={"a.pdf": status})
    extractor = service.extractor(job_timeout=0.6 if status == "EXPLODED" else 60)
    with pytest.raises(error) as caught:
        asyncio.run(extractor.aextract(SCHEMA, None, PDF, NAMED)) if asynchronous else extractor.extract(
            SCHEMA, None, PDF, NAMED
        )
    assert caught.value.job_id == "ext-1"
    assert caught.value.job is not None
    assert caught.value.file == "a.pdf"
    assert caught.value.product == "extract"
    if status == "FAILED":
        assert caught.value.code == "PDF_IS_BROKEN"
        assert "could not be read" in str(caught.value)


def test_a_job_beyond_its_deadline_is_collected_later() -> None:
    """Ensure the deadline raises with the id of the job, which goes on and is collected without a second one."""
    service = ScriptedExtract(looks=10**9)
    with pytest.raises(JobDeadlineError) as caught:
        service.extractor(job_timeout=0.3).extract(SCHEMA, None, PDF, NAMED)
    service.looks = 0
    assert service.extractor().get_result(str(caught.value.job_id)).data == DATA
    assert asyncio.run(service.extractor().aget_result("ext-1")).data == DATA
    assert service.steps["create"] == 1


def test_failures_among_several_files() -> None:
    """Ensure strict mode raises with the results of the others, lenient mode gives records in their places."""
    service = ScriptedExtract(statuses={"bad.txt": "FAILED"})
    with pytest.raises(PartialFailureError) as caught:
        service.extractor().extract(SCHEMA, None, texts(5, bad=(1, 3)))
    assert [isinstance(one, ExtractResult) for one in caught.value.results] == [True, False, True, False, True]
    assert [failure.index for failure in caught.value.failures] == [1, 3]
    extractor = service.extractor(on_error="skip")
    outcomes = asyncio.run(extractor.aextract(SCHEMA, None, texts(5, bad=(1, 3))))
    assert [isinstance(one, FailedItem) for one in outcomes] == [False, True, False, True, False]
    for failure in extractor.failures:
        assert isinstance(failure.error, JobFailedError)
        assert failure.source == "bad.txt"
        assert failure.job_id in service.jobs
        assert failure.job is not None


def test_when_all_fail_lenient_mode_raises_too() -> None:
    """Ensure several inputs that all failed are an error in every mode, and a single one is a record."""
    service = ScriptedExtract(statuses={"bad.txt": "FAILED"})
    extractor = service.extractor(on_error="skip")
    with pytest.raises(PartialFailureError):
        extractor.extract(SCHEMA, None, texts(2, bad=(0, 1)))
    assert isinstance(extractor.extract(SCHEMA, None, texts(1, bad=(0,))[0]), FailedItem)


def test_validation_errors_carry_what_was_paid_for() -> None:
    """Ensure data that do not fit the model come with the error: the data, the job, the file and each fault's path."""
    from pydantic import BaseModel

    class Invoice(BaseModel):
        vendor: str
        total: float

    service = ScriptedExtract(lambda name: {"vendor": "x", "total": "a lot"} if name == "bad.txt" else DATA)
    with pytest.raises(ExtractValidationError) as caught:
        service.extractor().extract(Invoice, None, texts(1, bad=(0,))[0])
    error = caught.value
    assert error.data == {"vendor": "x", "total": "a lot"}
    assert (error.job_id, error.file) == ("ext-1", "bad.txt")
    assert error.job is not None
    assert error.job["extract_result"] == error.data
    assert list(error.problems) == ["total"]
    with pytest.raises(PartialFailureError) as several:
        service.extractor().extract(Invoice, None, texts(3, bad=(1,)))
    assert [type(one).__name__ for one in several.value.results] == ["ExtractResult", "FailedItem", "ExtractResult"]
    assert several.value.results[0].data == Invoice(**DATA)
    failure = several.value.failures[0]
    assert isinstance(failure.error, ExtractValidationError)
    assert failure.job_id == failure.error.job_id


@pytest.mark.parametrize("missing", [None, [], "", 3, "words"])
def test_a_completed_job_without_data_raises(missing: Any) -> None:
    """Ensure a job that says COMPLETED and holds no object is no success."""
    service = ScriptedExtract(lambda name: missing)
    if missing == []:
        assert service.extractor().extract(SCHEMA, None, PDF, NAMED).data == []
        return
    with pytest.raises(ExtractValidationError, match=r"a\.pdf"):
        service.extractor().extract(SCHEMA, None, PDF, NAMED)


# Clearing away


@pytest.mark.parametrize(
    ("service", "options"),
    [
        (ScriptedExtract, {}),
        (lambda: ScriptedExtract(looks=1), {}),
        (lambda: ScriptedExtract(statuses={"a.pdf": "FAILED"}), {}),
        (lambda: ScriptedExtract(looks=10**9), {"job_timeout": 0.3}),
        (lambda: ScriptedExtract(lambda name: "no object"), {}),
        (lambda: ScriptedExtract(fault=refused("no", set(), 403)), {}),
        (lambda: ScriptedExtract(fault=in_turn({"create": [402]})), {}),
        (lambda: ScriptedExtract(fault=in_turn({"after create": [Lost("cut")]})), {}),
    ],
    ids=["done", "done later", "failed", "deadline", "not valid", "not to be fetched", "not created", "answer lost"],
)
@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_delete_after_leaves_nothing_behind(
    service: Callable[[], ScriptedExtract], options: dict[str, Any], asynchronous: bool
) -> None:
    """Ensure upload and job are gone when the call has ended, however it ended."""
    cloud = service()
    extractor = cloud.extractor(delete_after=True, **options)
    try:
        if asynchronous:
            asyncio.run(extractor.aextract(SCHEMA, None, PDF, NAMED))
        else:
            extractor.extract(SCHEMA, None, PDF, NAMED)
    except LlamaCloudError:
        pass
    assert cloud.steps["upload"] == 1
    assert (cloud.files, cloud.jobs) == ({}, {})


def test_delete_after_leaves_alone_what_it_did_not_upload() -> None:
    """Ensure a file or parse job that the caller named stays, and the job on it goes."""
    service = ScriptedExtract()
    service.files["dfl-0f3a"] = {"id": "dfl-0f3a", "name": "a.pdf", "content": PDF}
    service.extractor(delete_after=True).extract(SCHEMA, None, "dfl-0f3a")
    assert list(service.files) == ["dfl-0f3a"]
    assert service.jobs == {}


def test_what_cannot_be_deleted_is_only_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Ensure a result is given even if nothing could be cleared away, and the log says what stays."""
    service = ScriptedExtract(fault=lambda step, request: 403 if "delete" in step else None)
    assert service.extractor(delete_after=True).extract(SCHEMA, None, PDF, NAMED).data == DATA
    assert "ext-1" in caplog.text
    assert "dfl-1" in caplog.text


def test_a_job_whose_workflow_is_gone_is_deleted_by_force() -> None:
    """Ensure a job that neither ends nor can be cancelled goes away all the same."""
    service = ScriptedExtract(looks=10**9, fault=lambda step, request: 409 if step == "cancel" else None)
    service.add_job("ext-5", status="RUNNING")
    service.extractor().delete("ext-5")
    assert service.jobs == {}
    assert [request.url.params.get("force") for request in service.requests if request.method == "DELETE"] == [
        None,
        "true",
    ]


async def test_a_cancelled_call_clears_away() -> None:
    """Ensure a caller who stops waiting leaves neither job nor upload behind, if asked to."""
    service = ScriptedExtract(looks=10**9)
    extractor = service.extractor(delete_after=True, num_workers=1)
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(extractor.aextract(SCHEMA, None, PDF, NAMED), 0.3)
    assert (service.files, service.jobs) == ({}, {})
    service.looks = 0
    assert (await asyncio.wait_for(extractor.aextract(SCHEMA, None, PDF, NAMED), 5)).data == DATA


async def test_a_stream_that_is_left_early_clears_away() -> None:
    """Ensure the jobs that a left stream had started are gone by the time that it is closed."""
    service = ScriptedExtract(statuses={})
    extractor = service.extractor(delete_after=True)
    async with aclosing(extractor.astream(SCHEMA, None, texts(6))) as stream:
        assert (await anext(stream)).data == DATA
    assert (service.files, service.jobs) == ({}, {})


# Places and progress


def test_the_service_never_sees_more_jobs_than_asked_for() -> None:
    """Ensure num_workers bounds unfinished jobs over all calls of one extractor, queued ones included."""
    service = ScriptedExtract(looks=1)
    extractor = service.extractor(num_workers=3)

    async def all_at_once() -> None:
        jobs, results = await asyncio.gather(
            extractor.queue_extraction(SCHEMA, None, texts(5)), extractor.aextract(SCHEMA, None, texts(5))
        )
        assert [result.data for result in results] == [DATA] * 5
        for job in jobs:
            assert (await job.aresult()).data == DATA

    asyncio.run(all_at_once())
    assert service.steps["create"] == 10
    assert service.most_unfinished == 3


def test_progress_is_told_of_every_file() -> None:
    """Ensure a callback learns of each input once, failures among them, and its mistakes cost nothing."""
    seen: list[Progress] = []
    service = ScriptedExtract(statuses={"bad.txt": "FAILED"})
    extractor = service.extractor(show_progress=seen.append, on_error="skip")
    extractor.extract(SCHEMA, None, texts(4, bad=(2,)))
    assert [progress.done for progress in seen] == [1, 2, 3, 4]
    assert {progress.file for progress in seen} == {"0.txt", "1.txt", "bad.txt", "3.txt"}
    assert (seen[-1].total, seen[-1].failed) == (4, 1)
    assert len(service.extractor(show_progress=lambda progress: 1 / 0).extract(SCHEMA, None, texts(2))) == 2


# What was asked for and did not come


def warnings_of(caplog: pytest.LogCaptureFixture, option: str) -> list[str]:
    """What the log says of an option."""
    return [record.message for record in caplog.records if re.search(rf"\b{option}\b", record.message)]


@pytest.mark.parametrize("option", ["cite_sources", "confidence_scores"])
def test_absent_citations_are_said_once(option: str, caplog: pytest.LogCaptureFixture) -> None:
    """Ensure a call whose results lack what was asked for says so once, whatever the number of files."""
    service = ScriptedExtract(said={})
    service.extractor().extract(SCHEMA, {option: True}, texts(4))
    assert len(warnings_of(caplog, option)) == 1
    assert "ext-" in warnings_of(caplog, option)[0]
    caplog.clear()
    service.extractor().create_agent("a", SCHEMA, {option: True}).extract(texts(4))
    service.extractor().extract("a", None, texts(2))
    assert len(warnings_of(caplog, option)) == 2


def test_nothing_is_said_of_what_came_or_was_not_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    """Ensure there is no warning without a reason."""
    everything = {"cite_sources": True, "confidence_scores": True}
    ScriptedExtract().extractor().extract(SCHEMA, everything, texts(2))
    ScriptedExtract(said={}).extractor().extract(SCHEMA, None, texts(2))
    ScriptedExtract({"vendor": None, "total": None}, said={}).extractor().extract(SCHEMA, everything, texts(2))
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


# Wrong calls


@pytest.mark.parametrize(
    ("schema", "config", "message"),
    [
        ({"type": "array", "items": {"type": "object"}}, None, "object"),
        ({"type": "object", "properties": {}}, None, "propert"),
        (SCHEMA, {"tier": "agentik"}, "agentic"),
        (SCHEMA, {"cite_source": True}, "cite_sources"),
        (SCHEMA, {"extraction_target": "per_page", "tier": "agentic_plus"}, "per_page"),
        (SCHEMA, "agentic", "ExtractConfig"),
        ("saved", {"tier": "agentic"}, "saved"),
        (3, None, "schema"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_sent(schema: Any, config: Any, message: str) -> None:
    """Ensure schemas and settings are checked first, in all calls that take them."""
    service = ScriptedExtract()
    extractor = service.extractor()
    calls: list[Callable[[], Any]] = [
        lambda: extractor.extract(schema, config, PDF, NAMED),
        lambda: asyncio.run(extractor.aextract(schema, config, PDF, NAMED)),
        lambda: asyncio.run(extractor.queue_extraction(schema, config, PDF, NAMED)),
        lambda: list(extractor.stream(schema, config, PDF, NAMED)),
    ]
    if not isinstance(schema, str):
        calls.append(lambda: extractor.create_agent("a", schema, config))
    for call in calls:
        with pytest.raises(ConfigurationError, match=message):
            call()
    assert service.requests == []


def test_no_argument_is_swallowed() -> None:
    """Ensure an option that means nothing raises, naming the nearest."""
    with pytest.raises(ConfigurationError, match="num_workers"):
        LlamaExtract(api_key="llx-test", num_worker=3)
    extractor = ScriptedExtract().extractor()
    with pytest.raises(ConfigurationError, match="num_workers"):
        extractor.num_workers = 0
    with pytest.raises(BadRequestError):
        ScriptedExtract(fault=in_turn({"validate": [400]})).extractor().validate_schema(SCHEMA)
