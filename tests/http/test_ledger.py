"""The ledger behind readers and extractors: what is sent, what is not sent again, and what failures leave."""

from __future__ import annotations

import asyncio
import functools
import gzip
import io
import json
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from llama_cloud_ext import ExtractJob, ParseJob, ParseResult
from llama_cloud_ext.errors import (
    ConfigurationError,
    EmptyResultError,
    ExtractValidationError,
    JobFailedError,
    LedgerError,
    LlamaCloudError,
    NotFoundError,
    TransportError,
)
from llama_cloud_ext.jobs import ledger as ledger_module
from llama_cloud_ext.jobs.ledger_leases import Lease
from llama_cloud_ext.wire import recovery
from llama_cloud_ext.wire.models.parse_configuration import RECOVERY_KEY
from llama_cloud_ext.wire.settings import Settings
from tests.http.scripted import BASE_URL
from tests.http.scripted_extract import SCHEMA, ScriptedExtract
from tests.http.scripted_service import ScriptedService, pages

PDF = b"%PDF-1.7 the content"
TODAY = {"version": "2025-01-01"}


@pytest.fixture(autouse=True)
def _fresh_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Looks without pauses, and a process that has opened no ledger yet."""
    looks = functools.partial(recovery.look_up_repeatedly, pauses=(0.01,))
    monkeypatch.setattr(recovery, "look_up_repeatedly", looks)
    ledger_module._ledgers.clear()
    yield
    ledger_module._ledgers.clear()


@pytest.fixture
def ledger(tmp_path: Path) -> str:
    """A folder for a ledger."""
    return str(tmp_path / "ledger")


def records(ledger: str, name: str) -> list[Path]:
    """The records of a kind."""
    return sorted(Path(ledger).rglob(name))


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something to become true."""
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not become true")


def test_the_same_content_is_parsed_once(ledger: str, tmp_path: Path) -> None:
    """Ensure a path, another name with its suffix, bytes and a stream of one content take one job and one upload."""
    service = ScriptedService()
    reader = service.reader(ledger=ledger, **TODAY)
    (tmp_path / "a.pdf").write_bytes(PDF)
    (tmp_path / "b.PDF").write_bytes(PDF)
    first = reader.load_data(tmp_path / "a.pdf")
    service.forget()
    assert reader.load_data(tmp_path / "a.pdf") == first
    others = [
        reader.load_data(tmp_path / "b.PDF"),
        reader.load_data(PDF, extra_info={"file_name": "c.pdf"}),
        reader.load_data(io.BytesIO(PDF), extra_info={"file_name": "d.pdf"}),
    ]
    assert [[document.text for document in other] for other in others] == [["Words."]] * 3
    assert [other[0].metadata["file_name"] for other in others] == ["b.PDF", "c.pdf", "d.pdf"]
    assert reader.parse(tmp_path / "a.pdf").pages[0].items, "all of a result is kept, whoever asked first"
    assert reader.submit(tmp_path / "a.pdf").job_id == "pjb-1"
    reader.prefetch(tmp_path / "a.pdf")
    assert service.requests == []


def test_a_new_process_asks_for_nothing(ledger: str) -> None:
    """Ensure a later process with "latest", as by default, takes a kept result without a single request."""
    service = ScriptedService(script={"look": [{"latest": {"agentic": "2025-02-02"}}]})
    assert service.reader(ledger=ledger).load_data(PDF)[0].text == "Words."
    assert service.paths()[0] == "GET /api/v2/parse/versions"
    ledger_module._ledgers.clear()
    dead = ScriptedService(script={"look": [500] * 9, "create": [500] * 9})
    assert dead.reader(ledger=ledger).load_data(PDF)[0].text == "Words."
    assert dead.requests == []


def test_latest_is_a_date(ledger: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure a newer version of "latest" is parsed anew, and an unreachable service has the last one hold."""
    answers: list[Any] = ["2025-02-02", "2025-03-03", TransportError("away"), NotFoundError(status=404)]

    async def versions(_: Any) -> dict[str, Any]:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return {"latest": {"agentic": answer}}

    monkeypatch.setattr("llama_cloud_ext.parse.ledgered.parse.versions", versions)
    monkeypatch.setattr("llama_cloud_ext.parse.ledgered._VERSIONS_SECONDS", 0.0)
    service = ScriptedService()
    for jobs in (1, 2, 2, 3):  # a deployment that tells no versions is like one of its own
        service.reader(ledger=ledger, tier="agentic").load_data(PDF)
        assert service.steps["create"] == jobs


DIFFERENT: dict[str, dict[str, Any]] = {
    "tier": {"tier": "cost_effective"},
    "version": {"version": "2025-05-05"},
    "pages": {"target_pages": "1"},
    "project": {"project_id": "p2"},
    "organization": {"organization_id": "o2"},
    "host": {"base_url": "https://other.example.com"},
}
SAME: dict[str, dict[str, Any]] = {
    "key": {"api_key": "llx-other"},
    "tags": {"user_metadata": {"team": "a"}},
    "webhooks": {"webhook_configurations": [{"webhook_url": "https://example.com/hook"}]},
    "documents": {"split_by_page": False, "result_type": "text"},
    "patience": {"num_workers": 1, "job_timeout": 5},
}


@pytest.mark.parametrize("options", DIFFERENT.values(), ids=DIFFERENT)
def test_what_never_mixes(ledger: str, options: dict[str, Any]) -> None:
    """Ensure another project, host, tier, version or option has results of its own."""
    service = ScriptedService()
    service.reader(ledger=ledger, **TODAY).load_data(PDF)
    service.reader(**{"ledger": ledger, **TODAY, **options}).load_data(PDF)
    assert service.steps["create"] == 2


@pytest.mark.parametrize("options", SAME.values(), ids=SAME)
def test_what_decides_nothing(ledger: str, options: dict[str, Any]) -> None:
    """Ensure a key, tags, webhooks and how Documents are made of a result need no second job."""
    service = ScriptedService()
    service.reader(ledger=ledger, **TODAY).load_data(PDF)
    service.reader(**{"ledger": ledger, **TODAY, **options}).load_data(PDF)
    assert service.steps["create"] == 1


def test_another_suffix_is_another_file(ledger: str) -> None:
    """Ensure one content under two suffixes, which the service reads by, is parsed twice."""
    service = ScriptedService()
    reader = service.reader(ledger=ledger, **TODAY)
    for name in ("a.txt", "a.md", "b.TXT"):
        reader.load_data(b"# Words", extra_info={"file_name": name})
    assert service.steps["create"] == 2


def test_no_secret_is_kept(ledger: str) -> None:
    """Ensure neither the API key nor a webhook's secret is in any record."""
    hook = {"webhook_url": "https://example.com/hook", "webhook_headers": {"x": "secret-hook"}}
    service = ScriptedService(script={"create": [TransportError("gone"), 500]})
    reader = service.reader(ledger=ledger, webhook_configurations=[hook], retry_budget=0, **TODAY)
    with pytest.raises(LlamaCloudError):
        reader.load_data(PDF)
    assert records(ledger, "intent.json")
    contents = [path.read_bytes() for path in Path(ledger).rglob("*") if path.is_file()]
    service.script.clear()
    reader.load_data(PDF)
    contents += [path.read_bytes() for path in Path(ledger).rglob("*.json")]
    contents += [gzip.decompress(path.read_bytes()) for path in records(ledger, "*.gz")]
    assert len(contents) >= 3
    assert not [content for content in contents if b"llx-test" in content or b"secret-hook" in content]


def test_a_lost_process_is_continued(ledger: str, caplog: pytest.LogCaptureFixture) -> None:
    """Ensure the job of a create whose answer nobody lived to see is found by its tag and used."""
    service = ScriptedService(script={"create": [httpx.ReadError("gone")], "list": [503] * 9})
    with pytest.raises(LlamaCloudError):
        service.reader(ledger=ledger, retry_budget=0, **TODAY).load_data(PDF)
    (intent,) = [json.loads(path.read_bytes()) for path in records(ledger, "intent.json")]
    sent = service.configurations[0]["user_metadata"][RECOVERY_KEY]
    assert intent["tag"] == sent
    found = {**service.record("pjb-77", "COMPLETED"), "user_metadata": {RECOVERY_KEY: sent}}
    others = ScriptedService(script={"list": [{"items": [service.record("pjb-1", "COMPLETED"), found]}]})
    caplog.set_level("INFO")
    result = others.reader(ledger=ledger, **TODAY).parse(PDF)
    assert (result.job_id, others.steps["create"]) == ("pjb-77", 0)
    assert "pjb-77, created by a process that is gone" in caplog.text
    assert records(ledger, "intent.json") == []


def test_a_lost_process_that_had_created_nothing(ledger: str) -> None:
    """Ensure a create that was never accepted is sent again, with the same tag, even if others' jobs have its name."""
    service = ScriptedService(script={"create": [httpx.ReadError("gone")], "list": [503] * 9})
    with pytest.raises(LlamaCloudError):
        service.reader(ledger=ledger, retry_budget=0, **TODAY).load_data(PDF)
    stranger = {**service.record("pjb-5", "COMPLETED"), "name": "document.pdf", "created_at": "2999-01-01T00:00:00Z"}
    service.script["list"] = [{"items": [stranger]}] * 9
    assert service.reader(ledger=ledger, **TODAY).parse(PDF).job_id == "pjb-2"
    tags = [sent["user_metadata"][RECOVERY_KEY] for sent in service.configurations]
    assert tags[0] == tags[1]


def test_a_process_that_stalled_looks_before_it_sends(ledger: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure a create that waits for its turn is not sent by a process that has outslept its lease meanwhile."""
    service = ScriptedService(script={"create": [503]})
    slept: list[str] = []

    def lasts(lease: Lease) -> bool:
        if service.steps["create"] == 1 and not slept:
            slept.append(lease.name)
            return False
        return True

    monkeypatch.setattr(Lease, "lasts", property(lasts))
    service.reader(ledger=ledger, **TODAY).parse(PDF)
    assert len(slept) == 1
    # Two looks after the 503, and two more for what another process may have made of its intent.
    assert (service.steps["create"], service.steps["list"]) == (2, 4)


def test_a_refused_create_leaves_nothing(ledger: str) -> None:
    """Ensure after a refusal the next call creates at once, without a look for what cannot be there."""
    service = ScriptedService(script={"create": [422]})
    with pytest.raises(LlamaCloudError):
        service.reader(ledger=ledger, **TODAY).load_data(PDF)
    assert list(Path(ledger).rglob("*.json")) == []
    service.reader(ledger=ledger, **TODAY).load_data(PDF)
    assert service.steps["list"] == 0


def test_a_failed_job_is_tried_anew(ledger: str) -> None:
    """Ensure a failed job raises, once, and the next call creates another one."""
    service = ScriptedService(final="FAILED")
    reader = service.reader(ledger=ledger, **TODAY)
    with pytest.raises(JobFailedError):
        reader.load_data(PDF)
    assert service.steps["create"] == 1
    service.final = "COMPLETED"
    assert reader.parse(PDF).job_id == "pjb-2"


def test_a_forgotten_job_is_created_anew_once(ledger: str) -> None:
    """Ensure a job that the service no longer has is created anew, and one that was new is not."""
    service = ScriptedService()
    reader = service.reader(ledger=ledger, **TODAY)
    reader.submit(PDF)
    service.script["result"] = [404]
    assert reader.parse(PDF).job_id == "pjb-2"
    service.script["result"] = [404] * 9
    with pytest.raises(NotFoundError):
        reader.load_data(b"%PDF-1.7 other")
    assert service.steps["create"] == 3


def test_a_blank_result_is_not_paid_twice(ledger: str) -> None:
    """Ensure a result without content raises each time, and takes one job."""
    service = ScriptedService(pages("  "))
    for _ in range(2):
        with pytest.raises(EmptyResultError):
            service.reader(ledger=ledger, **TODAY).load_data(PDF)
    assert service.steps["create"] == 1


def test_delete_after_keeps_before_it_deletes(ledger: str) -> None:
    """Ensure with delete_after the result is in the ledger before the job is deleted, and upload and job go."""
    service = ScriptedService()
    seen: list[int] = []
    scripted = service.fault

    def fault(step: str, request: httpx.Request) -> Any:
        if step == "delete":
            seen.append(len(records(ledger, "result.json.gz")))
        return scripted(step, request) if scripted else None

    service.fault = fault
    reader = service.reader(ledger=ledger, delete_after=True, **TODAY)
    reader.load_data(PDF)
    assert seen == [1, 1]
    reader.load_data(PDF)
    assert service.steps["create"] == 1


def test_a_result_that_cannot_be_kept_is_returned(
    ledger: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Ensure a ledger whose place fails after the create loses nothing: the result is returned, and the log says so."""
    from llama_cloud_ext.jobs.ledger_store import FolderStore

    put = FolderStore.put

    def full(self: FolderStore, name: str, data: bytes) -> None:
        if not name.endswith("intent.json"):
            raise OSError(28, "No space left on device")
        put(self, name, data)

    monkeypatch.setattr(FolderStore, "put", full)
    assert ScriptedService().reader(ledger=ledger, **TODAY).load_data(PDF)[0].text == "Words."
    assert f"the ledger {ledger} cannot be written: No space left on device" in caplog.text


def test_a_ledger_that_cannot_be_used(tmp_path: Path) -> None:
    """Ensure a place that cannot be written raises, naming it, before anything is sent."""
    (tmp_path / "ledger").write_text("a file")
    service = ScriptedService()
    with pytest.raises(LedgerError, match=r"ledger cannot be written"):
        service.reader(ledger=tmp_path / "ledger", **TODAY).load_data(PDF)
    assert service.steps["create"] == 0


@pytest.mark.parametrize("record", ["job.json", "result.json.gz"])
def test_a_record_half_written(ledger: str, record: str) -> None:
    """Ensure a record that was half written counts as none: one of a result costs a fetch, one of a job a new job."""
    service = ScriptedService()
    reader = service.reader(ledger=ledger, **TODAY)
    expected = reader.load_data(PDF)
    for path in [*records(ledger, record), *records(ledger, "result.json.gz")]:
        path.write_bytes(path.read_bytes()[:40])
    assert reader.load_data(PDF) == expected
    assert service.steps["create"] == (2 if record == "job.json" else 1)


def test_equal_files_of_one_call(ledger: str) -> None:
    """Ensure several inputs of one call with one content take one job, and each gets its own Documents."""
    service = ScriptedService(script={"look": ["RUNNING"]})
    given = [{"file_name": f"{number}.pdf"} for number in range(5)]
    results = service.reader(ledger=ledger, **TODAY).parse([PDF] * 5, extra_info=given)
    assert [result.source.name for result in results] == [info["file_name"] for info in given]
    assert service.steps["create"] == 1


async def test_a_cancelled_call_begins_nothing_more(ledger: str) -> None:
    """Ensure a call that is cancelled creates no job of those that waited for their turn, and the next one goes on."""
    service = ScriptedService(script={"look": ["RUNNING"] * 10_000})
    reader = service.reader(ledger=ledger, num_workers=2, **TODAY)
    contents = [PDF + bytes([number]) for number in range(8)]
    call = asyncio.create_task(reader.aparse(contents))
    # This service lists no jobs: one whose answer the cancelling cuts off would not be found again.
    await until(lambda: len(records(ledger, "job.json")) == 2)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await asyncio.sleep(0.1)
    assert service.steps["create"] == 2
    service.script.clear()
    assert len(await reader.aparse(contents)) == 8
    assert service.steps["create"] == 8


async def test_one_caller_of_two_is_cancelled(ledger: str) -> None:
    """Ensure who shares the work on a file gets it though the one who began it gave up."""
    service = ScriptedService(script={"look": ["RUNNING"] * 3})
    reader = service.reader(ledger=ledger, **TODAY)
    first, second = (asyncio.create_task(reader.aparse(PDF)) for _ in range(2))
    await until(lambda: service.steps["look"] > 0)
    first.cancel()
    assert (await second).job_id == "pjb-1"


@pytest.mark.parametrize("kind", ["handle", "pickle", "json"])
def test_a_handle_keeps_what_it_collects(ledger: str, kind: str) -> None:
    """Ensure a submitted job's result is in the ledger once collected, and comes from it when its job is gone."""
    service = ScriptedService()
    reader = service.reader(ledger=ledger, delete_after=True, **TODAY)

    def result() -> ParseResult:
        job = reader.submit(PDF)
        if kind == "pickle":
            job = pickle.loads(pickle.dumps(job.connect(Settings.resolve(api_key="llx-test", base_url=BASE_URL))))
            job = job.connect(reader.settings())
        if kind == "json":
            job = ParseJob.from_json(job.to_json(), settings=reader.settings())
        return job.result()

    first = result()
    service.forget()
    assert (result(), reader.parse(PDF)) == (first, first)
    assert service.requests == []


def test_a_failed_handle_is_tried_anew(ledger: str) -> None:
    """Ensure a submitted job that failed raises, and the next submit creates another one."""
    service = ScriptedService(final="FAILED")
    reader = service.reader(ledger=ledger, **TODAY)
    with pytest.raises(JobFailedError):
        reader.submit(PDF).result()
    service.final = "COMPLETED"
    assert reader.submit(PDF).result().job_id == "pjb-2"


async def test_an_extract_handle(ledger: str) -> None:
    """Ensure a submitted extraction is kept once collected, also by way of its JSON form."""
    service = ScriptedExtract()
    extractor = service.extractor(ledger=ledger)
    job = await extractor.queue_extraction(SCHEMA, files=PDF)
    data = (await ExtractJob.from_json(job.to_json(), settings=extractor.settings()).aresult()).data
    service.forget()
    assert (await extractor.aextract(SCHEMA, files=PDF)).data == data
    assert (await (await extractor.queue_extraction(SCHEMA, files=PDF)).aresult()).data == data
    assert service.requests == []


def test_images_are_kept(ledger: str, tmp_path: Path) -> None:
    """Ensure images that were asked for are in the ledger, where the service cannot lose them."""
    url = "https://storage.example.com/page_1.png?signature=x"
    images = {"images": [{"filename": "page_1.png", "content_type": "image/png", "presigned_url": url}]}
    png = b"\x89PNG\r\n\x1a\n" + bytes(20)
    service = ScriptedService({**pages("Words."), "images_content_metadata": images}, downloads={url: png})
    reader = service.reader(ledger=ledger, images=["screenshot"], **TODAY)
    reader.load_data(PDF)
    service.forget()
    (saved,) = reader.parse(PDF).save_images(tmp_path)
    assert saved.read_bytes() == png
    assert service.requests == []


@pytest.mark.parametrize("options", [{"partition_pages": 2}, {}], ids=["parts", "URL"])
def test_what_a_ledger_cannot_know(ledger: str, options: dict[str, Any]) -> None:
    """Ensure parts of documents and URLs, whose content only the service sees, are refused with their reason."""
    service = ScriptedService()
    with pytest.raises(ConfigurationError, match="a ledger k"):
        service.reader(ledger=ledger, **options, **TODAY).load_data("https://example.com/a.pdf")
    assert service.requests == []


def test_the_same_content_is_extracted_once(ledger: str, tmp_path: Path) -> None:
    """Ensure an extraction that was made before takes no request, whatever the file is called."""
    service = ScriptedExtract()
    extractor = service.extractor(ledger=ledger)
    (tmp_path / "a.pdf").write_bytes(PDF)
    first = extractor.extract(SCHEMA, files=str(tmp_path / "a.pdf"))
    service.forget()
    again = service.extractor(ledger=ledger).extract(SCHEMA, files=[PDF], extra_info={"file_name": "b.pdf"})
    assert again[0].data == first.data
    assert again[0].fields.keys() == first.fields.keys()
    assert service.requests == []
    extractor.extract({**SCHEMA, "description": "other"}, files=str(tmp_path / "a.pdf"))
    assert service.steps["create"] == 1


def test_data_that_do_not_fit_are_not_paid_twice(ledger: str) -> None:
    """Ensure data that a model refuses raise with the data each time, and take one job."""
    from pydantic import BaseModel, Field

    class Invoice(BaseModel):
        vendor: str = Field(pattern="^Blue")
        total: float

    service = ScriptedExtract()
    for _ in range(2):
        with pytest.raises(ExtractValidationError) as caught:
            service.extractor(ledger=ledger).extract(Invoice, files=PDF)
        assert caught.value.data == {"vendor": "Amber Tools", "total": 12.5}
    assert service.steps["create"] == 1
