"""What went wrong in earlier clients of the Parse API, a regression test each.

- an error became a `KeyError`, and the `KeyError` an empty list:
  `test_an_error_is_neither_a_key_error_nor_an_empty_list`
- one HTTP client was shared by several event loops:
  `test_no_client_is_shared_by_event_loops`, `test_one_connection_serves_several_loops`
- a refused key was polled with until the deadline:
  `test_a_refused_key_ends_the_wait_at_once`
- the status of the answer with the result went unread:
  `test_a_refused_result_is_an_error`
- the API key went to another host with a check for updates:
  `test_nothing_is_sent_to_another_host`, `test_the_key_stays_away_from_storage`
- parts of a document read one stream at the same time:
  `test_parts_share_one_upload_and_not_one_stream`
- Documents came with `{}` as metadata:
  `test_no_document_is_without_metadata`
- `False` was never sent:
  `test_false_zero_and_empty_lists_are_sent`
- images were fetched one by one:
  `test_images_are_fetched_side_by_side`
- names from the server were joined to paths:
  `test_names_of_the_server_stay_inside_the_folder`
- results could be neither pickled nor copied:
  `test_results_pickle_and_copy`
- `$` was escaped in a notebook:
  `test_dollar_signs_are_left_alone_in_notebooks`
- nodes had random ids:
  `test_node_ids_are_the_same_in_every_job`
- whole files were held in memory:
  `test_files_are_streamed`, `test_upload_memory.py::test_a_large_upload_needs_little_memory`
- asynchronous waits returned what sync ones raised:
  `test_async_waits_raise_on_failure`, `test_async_waits_raise_on_the_deadline`
- a wait began with sleeping:
  `test_the_first_look_comes_before_the_first_sleep`
- deadlines went by the wall clock:
  `test_clock_jumps_move_no_deadline`, `test_clock_jumps_end_no_wait`,
  `test_a_clock_that_is_wrong_pays_for_no_job_twice`
- a job's end was noticed seconds late:
  `test_the_end_of_a_job_is_noticed_soon`, `test_waiting_figures.py::test_time_lost_after_jobs_of_every_length`
- 32 files took a quarter longer than they had to:
  `test_many_files_take_as_long_as_their_jobs`, `test_waiting_figures.py::test_many_files_at_the_default_and_at_eight`
- a folder was loaded one file after the other:
  `test_a_folder_is_loaded_at_once`
- one failing request in five lost files:
  `test_reader_faults.py::test_one_request_in_five_failing_loses_no_file_and_repeats_no_job`
- one lost create answer in five was billed twice:
  `test_reader_faults.py::test_a_lost_create_answer_is_looked_up`
- one failed job in eight lost files, or all of them:
  `test_reader_faults.py::test_failed_jobs_in_both_modes`
- a low rate lost files, or all of them:
  `test_reader_faults.py::test_a_rate_limit_slows_down_and_loses_nothing`
- the import took seconds:
  `test_import_time.py::test_the_package_is_imported_at_once`,
  `test_import_time.py::test_the_reader_costs_little_over_llamaindex`
"""

from __future__ import annotations

import asyncio
import builtins
import copy
import io
import itertools
import pickle
import socket
import sys
import time
import tracemalloc
import uuid
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from llama_index.core import SimpleDirectoryReader

from llama_cloud_ext import (
    ApiError,
    AuthenticationError,
    FailedItem,
    JobDeadlineError,
    JobFailedError,
    LlamaCloudError,
    LlamaParseReader,
    NotFoundError,
    ParseResult,
    PartialFailureError,
)
from llama_cloud_ext.wire import recovery
from tests.benchmarks.simulated_cloud import SimulatedCloud
from tests.http.scripted import BASE_URL, HOST
from tests.http.scripted_service import ScriptedService, pages
from tests.unit.parse_samples import listed

PDF = b"%PDF-1.7 stands for a file"
NAMED = {"file_name": "a.pdf"}
FILES = "https://files.example.com"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(200))


@pytest.fixture
def options(simulated_cloud: SimulatedCloud) -> dict[str, Any]:
    """Connection options with a key of the test's own, hence a pool, a limiter and a watcher of its own."""
    return {"base_url": simulated_cloud.base_url, "api_key": f"llx-{uuid.uuid4().hex}"}


def with_images(*names: str, downloads: dict[str, bytes] | None = None) -> ScriptedService:
    """A service whose results have images of these names."""
    found = {f"{FILES}/{place}?sig=first": PNG for place in range(len(names))} if downloads is None else downloads
    return ScriptedService({**pages("Words."), "images_content_metadata": listed(*names)}, downloads=found)


# Errors


@pytest.mark.parametrize("step", ["create", "look", "result"])
@pytest.mark.parametrize("status", [400, 402, 403, 404, 422])
def test_an_error_is_neither_a_key_error_nor_an_empty_list(step: str, status: int) -> None:
    """Ensure an error answer to any step raises as what it is, for one file and for a list, sync and async."""
    for files in (PDF, [PDF]):
        for asynchronous in (False, True):
            service = ScriptedService(script={step: [status] * 2})
            reader = service.reader()
            with pytest.raises(LlamaCloudError) as caught:
                asyncio.run(reader.aload_data(files, NAMED)) if asynchronous else reader.load_data(files, NAMED)
            error = caught.value
            if isinstance(error, PartialFailureError):
                assert [type(outcome) for outcome in error.results] == [FailedItem]
                error = error.failures[0].error  # type: ignore[assignment]
            assert isinstance(error, ApiError)
            assert error.status == status
            assert "a.pdf" in str(error)


def test_no_client_is_shared_by_event_loops() -> None:
    """Ensure requests of one reader leave on one loop of its own, however many loops and threads call it."""
    service = ScriptedService()
    reader = service.reader()
    callers: set[int] = set()

    async def call() -> None:
        callers.add(id(asyncio.get_running_loop()))
        await reader.aload_data(PDF, NAMED)
        reader.load_data(PDF, NAMED)

    loops = [asyncio.new_event_loop() for _ in range(3)]
    for loop in loops:
        loop.run_until_complete(call())
    for loop in loops:
        loop.close()
    reader.load_data(PDF, NAMED)
    assert service.steps["create"] == 7
    assert len(callers) == 3
    assert len(service.loops) == 1
    assert service.loops.isdisjoint(callers)


def test_one_connection_serves_several_loops(simulated_cloud: SimulatedCloud, options: dict[str, Any]) -> None:
    """Ensure a kept connection outlives the loop that called first."""
    reader = LlamaParseReader(**options)
    for _ in range(3):
        asyncio.run(reader.aload_data(PDF, {"file_name": "a-0.pdf"}))
    assert simulated_cloud.stats()["connections"] == 1


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refused_key_ends_the_wait_at_once(status: int) -> None:
    """Ensure what waiting does not mend is asked for once, not until the deadline."""
    service = ScriptedService(script={"look": [status] * 50})
    started = time.monotonic()
    with pytest.raises(ApiError) as caught:
        service.reader(job_timeout=60.0).load_data(PDF, NAMED)
    assert time.monotonic() - started < 1.5
    assert service.steps["look"] == 1
    assert caught.value.status == status
    assert caught.value.job_id == "pjb-1"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (httpx.Response(404, json={"detail": "Parse job not found"}), NotFoundError),
        (httpx.Response(401, json={"detail": "Invalid API Key"}), AuthenticationError),
        (httpx.Response(400, json=pages("a page that must not be read")), ApiError),
    ],
)
def test_a_refused_result_is_an_error(answer: httpx.Response, kind: type[ApiError]) -> None:
    """Ensure an error status with the result raises, whatever its body holds, and names job and file."""
    with pytest.raises(kind) as caught:
        ScriptedService(script={"result": [answer]}).reader().parse(PDF, NAMED)
    assert "pjb-1" in str(caught.value)
    assert "a.pdf" in str(caught.value)


# Hosts


def test_nothing_is_sent_to_another_host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Ensure a whole journey asks its own host alone, and no code opens a connection beside the transport."""
    opened: list[Any] = []

    def refuse(*where: Any, **_: Any) -> Any:
        opened.append(where)
        raise OSError("no connections in this test")

    for name in ("getaddrinfo", "gethostbyname", "create_connection"):
        monkeypatch.setattr(socket, name, refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
    own = f"{BASE_URL}/images/0"
    image = {**listed("a.png")["images"][0], "presigned_url": own}
    service = ScriptedService(
        {**pages("Words."), "images_content_metadata": {"images": [image]}}, script={"look": ["RUNNING"]}
    )
    reader = service.reader(headers={"X-Mine": "1"})
    job = reader.submit(PDF, NAMED)
    job.status()
    job.result()
    reader.load_data([PDF, PDF], NAMED)
    reader.list_jobs()
    job.cancel()
    service.reader(delete_after=True).parse(PDF, NAMED)
    assert {request.url.host for request in service.requests} == {HOST}
    for request in service.requests:
        # An address of storage carries its own permission, wherever it is.
        assert request.headers.get("authorization") == (None if str(request.url) == own else "Bearer llx-test")
    assert opened == []


def test_the_key_stays_away_from_storage() -> None:
    """Ensure presigned addresses of another host get neither key nor the user's headers."""
    service = with_images("a.png", "b.png")
    service.reader(headers={"X-Mine": "1"}).parse(PDF, NAMED).image_documents()
    foreign = [request for request in service.requests if request.url.host != HOST]
    assert {request.url.host for request in foreign} == {urlsplit(FILES).hostname}
    assert len(foreign) == 2
    for request in foreign:
        assert not {"authorization", "x-mine", "cookie"} & set(request.headers)
        assert "llx-test" not in f"{request.url} {request.headers}"


# Requests


def test_parts_share_one_upload_and_not_one_stream() -> None:
    """Ensure a stream is sent whole, once, and its parts are jobs on that upload, made at the same time."""
    content = b"%PDF-1.7 " + bytes(range(256)) * 4000
    stream = io.BytesIO(content)
    stream.name = "long.pdf"
    service = ScriptedService(pages("one", "two"), script={"look": ["RUNNING"]})
    service.reader(partition_pages=2, target_pages="1-8").parse(stream)
    uploads = [request for request in service.requests if request.url.path == "/api/v1/beta/files"]
    assert len(uploads) == 1
    assert content in uploads[0].content
    assert [made["file_id"] for made in service.configurations] == ["file-1"] * 4
    ranges = sorted(made["page_ranges"]["target_pages"] for made in service.configurations)
    assert ranges == ["1-2", "3-4", "5-6", "7-8"]
    paths = [(request.method, request.url.path) for request in service.requests]
    created = [place for place, request in enumerate(paths) if request == ("POST", "/api/v2/parse")]
    assert created[-1] - created[0] == 3, "all parts are created before any is waited for"


def test_no_document_is_without_metadata() -> None:
    """Ensure Documents of every kind of input and call say where they come from."""
    service = ScriptedService(pages("one", "two"))
    for reader in (service.reader(), service.reader(split_by_page=False), service.reader(result_type="text")):
        for given in (PDF, io.BytesIO(PDF), "https://example.com/a.pdf?sig=1"):
            for extra_info in (None, {"team": "x"}):
                for document in reader.load_data(given, extra_info=extra_info):  # type: ignore[arg-type]
                    assert document.metadata["file_name"].endswith(".pdf")
                    assert document.metadata["page_count"] == 2
                    assert document.metadata.get("team") == ("x" if extra_info else None)
                    assert ("page_number" in document.metadata) is reader.split_by_page


def test_false_zero_and_empty_lists_are_sent() -> None:
    """Ensure a value that happens to be falsy reaches the service; each option by itself: test_parse_options.py."""
    service = ScriptedService()
    options = {
        "disable_cache": False,
        "images": [],
        "output_options": {"extract_printed_page_number": False},
        "crop_box": {"top": 0.0, "bottom": 0.1},
        "processing_options": {"ignore": {"ignore_diagonal_text": False}},
    }
    service.reader(**options).parse(PDF, NAMED)
    (sent,) = service.configurations
    assert sent["disable_cache"] is False
    assert sent["output_options"]["images_to_save"] == []
    assert sent["output_options"]["extract_printed_page_number"] is False
    assert sent["crop_box"]["top"] == 0.0
    assert sent["processing_options"]["ignore"]["ignore_diagonal_text"] is False


def test_files_are_streamed(tmp_path: Path) -> None:
    """Ensure an upload holds a small part of its file at a time."""
    size = 24 * 1024 * 1024
    path = tmp_path / "large.pdf"
    with path.open("wb") as file:
        file.write(b"%PDF-1.7 ")
        file.truncate(size)

    class Counting(ScriptedService):
        received = 0

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if request.method == "POST":
                assert not isinstance(request.stream, httpx.ByteStream)
                async for piece in request.stream:  # type: ignore[union-attr]
                    self.received += len(piece)
                return httpx.Response(200, json=self.record("pjb-1", "COMPLETED"))
            return await super().handle_async_request(request)

    service = Counting()
    reader = service.reader()
    reader.parse(PDF, NAMED)  # what is imported at the first request is not measured
    before = service.received
    tracemalloc.start()
    try:
        reader.parse(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert service.received - before > size
    assert peak < 8 * 1024 * 1024


# Results


async def test_images_are_fetched_side_by_side() -> None:
    """Ensure the first of eight images need not arrive before the last is asked for."""
    count = 8

    class Waiting(ScriptedService):
        all_asked: asyncio.Event | None = None
        asked = 0

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if request.url.host != HOST:
                self.all_asked = self.all_asked or asyncio.Event()
                self.asked += 1
                if self.asked == count:
                    self.all_asked.set()
                await asyncio.wait_for(self.all_asked.wait(), 2)
                return httpx.Response(200, content=PNG)
            return await super().handle_async_request(request)

    images = listed(*(f"{place}.png" for place in range(count)))
    service = Waiting({**pages("Words."), "images_content_metadata": images})
    result = await service.reader(retry_budget=0).aparse(PDF, NAMED)
    assert len(await result.aimage_documents()) == count


def test_names_of_the_server_stay_inside_the_folder(tmp_path: Path) -> None:
    """Ensure hostile names become files of the folder that was given, each a file of its own."""
    folder = tmp_path / "deep" / "images"
    names = [
        "../../escaped.png",
        str(tmp_path / "absolute.png"),
        "..",
        "C:\\evil.png",
        "a/../../b.png",
        "nul\x00.png",
        "",
    ]
    paths = with_images(*names).reader().parse(PDF, NAMED).save_images(folder)
    assert len(set(paths)) == len(paths) >= len(names) - 1
    assert all(path.resolve().parent == folder.resolve() for path in paths)
    assert all(path.read_bytes() == PNG for path in paths)
    assert sorted(tmp_path.rglob("*.png")) == sorted(paths)


def test_results_pickle_and_copy() -> None:
    """Ensure results go through pickle, both kinds of copy and JSON, equal and working, used before or not."""
    service = with_images("a.png")
    result = service.reader().parse(PDF, NAMED)
    for _ in ("unused", "used"):
        for other in (
            pickle.loads(pickle.dumps(result)),
            copy.copy(result),
            copy.deepcopy(result),
            ParseResult.from_json(result.to_json()),
        ):
            assert other == result
            assert [node.id_ for node in other.nodes()] == [node.id_ for node in result.nodes()]
            assert [page.markdown for page in other] == ["Words."]
            connected = other.connect(service.reader().settings())
            assert connected.image_documents()[0].resolve_image().read() == PNG
        assert b"llx-test" not in pickle.dumps(result)
        assert result.tables == []
        assert result.image_documents()


def test_dollar_signs_are_left_alone_in_notebooks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure text is what the document says, in a notebook too."""
    shell = SimpleNamespace(__class__=type("ZMQInteractiveShell", (), {}), config={"IPKernelApp": {}})
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setattr(builtins, "get_ipython", lambda: shell, raising=False)
    money = "It costs $5 or \\$6 or $x^2$."
    result = ScriptedService(pages(money)).reader().parse(PDF, NAMED)
    assert result.markdown == result.text == result.pages[0].markdown == money
    assert [document.text for document in result.documents()] == [money]
    assert [node.get_content() for node in result.nodes()] == [money]


def test_node_ids_are_the_same_in_every_job() -> None:
    """Ensure a file that is parsed again gives nodes of the same ids, relationships and hashes."""
    service = ScriptedService(pages("one", "two", "two"))
    first, second = (service.reader().parse(PDF, NAMED) for _ in range(2))
    assert first.job_id != second.job_id
    assert len({node.id_ for node in first.nodes()}) == 3
    assert [node.to_dict() for node in first.nodes()] == [node.to_dict() for node in second.nodes()]
    elsewhere = service.reader().parse(PDF + b"another", NAMED)
    assert {node.id_ for node in elsewhere.nodes()}.isdisjoint(node.id_ for node in first.nodes())


# Waiting


async def test_async_waits_raise_on_failure() -> None:
    """Ensure a failed job raises from every asynchronous call."""
    service = ScriptedService(script={"look": ["RUNNING"]}, final="FAILED")
    reader = service.reader()
    job = await reader.asubmit(PDF, NAMED)
    for call in (
        reader.aload_data(PDF, NAMED),
        reader.aparse(PDF, NAMED),
        reader.alazy_load_data(PDF, NAMED),
        reader.aget_result("pjb-1"),
        job.aresult(),
        anext(reader.astream(PDF, NAMED)),
    ):
        with pytest.raises(JobFailedError) as caught:
            await call
        assert (caught.value.code, caught.value.status) == ("PDF_IS_BROKEN", "FAILED")


async def test_async_waits_raise_on_the_deadline() -> None:
    """Ensure a job that runs on raises from every asynchronous call when its time is over."""
    reader = ScriptedService(final="RUNNING").reader(job_timeout=0.3)
    job = await reader.asubmit(PDF, NAMED)
    calls = [
        reader.aload_data(PDF, NAMED),
        reader.aparse(PDF, NAMED),
        reader.alazy_load_data(PDF, NAMED),
        reader.aget_result("pjb-1"),
        job.aresult(),
        anext(reader.astream(PDF, NAMED)),
    ]
    started = time.monotonic()
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [JobDeadlineError] * 6
    assert all(outcome.job_id for outcome in outcomes)  # type: ignore[union-attr]
    assert time.monotonic() - started < 1.5


def test_the_first_look_comes_before_the_first_sleep() -> None:
    """Ensure a job that is done already is collected without waiting, from its create as by its id."""
    service = ScriptedService()
    reader = service.reader()
    reader.parse(PDF, NAMED)  # the first request builds the client
    for call in (lambda: reader.parse(PDF, NAMED), lambda: reader.get_result("pjb-1")):
        fastest = min(_seconds(call) for _ in range(5))
        assert fastest < 0.15


def _seconds(call: Any) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


@pytest.mark.parametrize("direction", [1, -1])
def test_clock_jumps_end_no_wait(monkeypatch: pytest.MonkeyPatch, direction: int) -> None:
    """Ensure a wall clock that leaps by days at every reading neither ends a wait early nor prolongs one."""
    now, days = time.time(), itertools.count(1)
    monkeypatch.setattr(time, "time", lambda: now + direction * 86_400 * next(days))
    service = ScriptedService(script={"look": ["RUNNING", 503, "RUNNING"]})
    started = time.monotonic()
    assert service.reader(job_timeout=30.0).load_data(PDF, NAMED)[0].text == "Words."
    assert time.monotonic() - started < 3


@pytest.mark.parametrize("direction", [1, -1])
def test_clock_jumps_move_no_deadline(monkeypatch: pytest.MonkeyPatch, direction: int) -> None:
    """Ensure the deadline comes when it was set for, although the wall clock leaps."""
    now, days = time.time(), itertools.count(1)
    monkeypatch.setattr(time, "time", lambda: now + direction * 86_400 * next(days))
    started = time.monotonic()
    with pytest.raises(JobDeadlineError):
        ScriptedService(final="RUNNING").reader(job_timeout=0.5).load_data(PDF, NAMED)
    assert 0.5 <= time.monotonic() - started < 1.5


# What was measured


def test_the_end_of_a_job_is_noticed_soon(simulated_cloud: SimulatedCloud, options: dict[str, Any]) -> None:
    """Ensure that little of a job's time is lost after its end, however loaded the machine is."""
    reader = LlamaParseReader(**options)
    reader.parse(PDF, {"file_name": "warm-0.pdf"})

    async def returned(seconds: float) -> tuple[float, float]:
        result = await reader.aparse(PDF, {"file_name": f"job-{seconds}.pdf"})
        return time.time(), next(j["finished_at"] for j in simulated_cloud.stats()["jobs"] if j["id"] == result.job_id)

    async def main() -> None:
        for seconds in (0.3, 1.2):
            back, finished = await returned(seconds)
            assert back - finished <= 0.2 * seconds + 0.75

    asyncio.run(main())


def test_many_files_take_as_long_as_their_jobs(simulated_cloud: SimulatedCloud, options: dict[str, Any]) -> None:
    """Ensure 16 jobs of half a second return soon at eight at a time, with five requests each at most."""
    reader = LlamaParseReader(**options, num_workers=8)
    reader.parse(PDF, {"file_name": "warm-0.pdf"})
    simulated_cloud.reset()
    started = time.monotonic()
    results = reader.parse([PDF] * 16, [{"file_name": f"{index}-0.5.pdf"} for index in range(16)])
    seconds, stats = time.monotonic() - started, simulated_cloud.stats()
    assert [result.job.name for result in results] == [f"{index}-0.5.pdf" for index in range(16)]
    assert seconds < 3.0, "one second is ideal; looking at fixed intervals of two takes five"
    assert stats["requests"] <= 80
    assert stats["max_unfinished"] <= 8


def test_a_folder_is_loaded_at_once(simulated_cloud: SimulatedCloud, options: dict[str, Any], tmp_path: Path) -> None:
    """Ensure a prefetched folder of eight files waits once instead of eight times, and makes eight jobs."""
    paths = [tmp_path / f"{index}-0.8.pdf" for index in range(8)]
    for path in paths:
        path.write_bytes(PDF + path.name.encode())
    reader = LlamaParseReader(**options)
    folder = SimpleDirectoryReader(str(tmp_path), file_extractor={".pdf": reader})
    started = time.monotonic()
    reader.prefetch(folder.input_files)
    documents = folder.load_data()
    assert time.monotonic() - started < 3, "one after the other they take 6.4 s"
    assert sorted(document.metadata["file_name"] for document in documents) == [path.name for path in paths]
    assert simulated_cloud.stats()["jobs_created"] == 8


@pytest.mark.parametrize("hours", [-30, 0, 30])
def test_a_clock_that_is_wrong_pays_for_no_job_twice(hours: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure a job whose create was not answered is found, though the service's clock is hours from ours."""
    monkeypatch.setattr(recovery.look_up_repeatedly, "__defaults__", ((0.0, 0.01),))

    class Service(ScriptedService):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            response = await super().handle_async_request(request)
            if self._step(request) == "create":
                raise httpx.ReadError("the answer was lost")
            if self._step(request) == "list":
                created = datetime.now(timezone.utc) + timedelta(hours=hours)
                job = {
                    **self.record("pjb-1", "COMPLETED"),
                    "user_metadata": self.configurations[0]["user_metadata"],
                    "created_at": created.isoformat(),
                }
                after = request.url.params.get("created_at_on_or_after")
                shown = [job] if after is None or datetime.fromisoformat(after) <= created else []
                return httpx.Response(200, json={"items": shown})
            return response

    service = Service()
    assert service.reader(retry_budget=3.0).parse(PDF, NAMED).job_id == "pjb-1"
    assert service.steps["create"] == 1
