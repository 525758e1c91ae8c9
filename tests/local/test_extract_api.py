"""`/api/v2/extract` on local LlamaCloud, with stand-ins for what parses and what extracts."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.base.llms.types import LLMMetadata
from llama_index.core.llms import MockLLM

from llama_cloud_ext.local import Simulation
from llama_cloud_ext.local.engine import parse_document
from llama_cloud_ext.local.extraction import Extraction, ExtractionRequest, SourcePage
from tests.local.clients import PARSE, expanded, finished, running, submit, upload_file
from tests.local.extract_calls import (
    CONFIGURATIONS,
    EXTRACT,
    SCHEMA,
    ended,
    extract,
    extract_client,
    extracted,
    extracting,
    places,
    save,
)


async def test_a_file_becomes_data(tmp_path: Path) -> None:
    """Ensure a job extracts from an uploaded file, names the parse job behind it, and costs nothing."""
    async with extract_client(tmp_path) as client:
        file = await upload_file(client, b"one\ftwo", "doc.txt")
        created = await extract(client, file["id"])
        assert (created["status"], created["file_input"], created["extract_result"]) == ("PENDING", file["id"], None)
        assert created["id"].startswith("ext-")
        job = await ended(client, created["id"], "extract_metadata", "usage", "configuration")
        assert job["extract_result"] == {"pages": [{"text": "one", "page": 1}, {"text": "two", "page": 2}]}
        assert job["configuration"] == {"data_schema": SCHEMA}
        assert job["usage"] == {"credits": 0.0, "extract_credits": 0.0, "parse_credits": 0.0}
        assert job["metadata"]["usage"] == {"num_pages_extracted": 2, "num_pages_billed": 0}
        assert job["extract_metadata"]["parse_tier"] == "agentic"
        parse_job = job["extract_metadata"]["parse_job_id"]
        assert (await expanded(client, parse_job, "text_full"))["text_full"] == "one\n\n---\n\ntwo"


async def test_metadata_comes_when_it_was_asked_for(tmp_path: Path) -> None:
    """Ensure citations and confidence bring their metadata along, and it is left out otherwise, as the rest is."""
    async with extract_client(tmp_path) as client:
        plain = await extracted(client, "one")
        assert (plain["extract_metadata"], plain["configuration"], plain["usage"]) == (None, None, None)
        for option in ("cite_sources", "confidence_scores"):
            job = await extracted(client, "one", **{option: True})
            assert job["extract_metadata"]["field_metadata"]["document_metadata"]["text"]["citation"][0]["page"] == 1
        listed = (await client.get(EXTRACT)).json()["items"]
        assert [job["extract_metadata"] is None for job in listed] == [False, False, True]
        listed = (await client.get(EXTRACT, params={"expand": ["configuration", "extract_metadata"]})).json()["items"]
        assert all(job["configuration"] and job["extract_metadata"]["parse_job_id"] for job in listed)


async def test_a_document_is_parsed_once(tmp_path: Path) -> None:
    """Ensure several extractions from a file share a parse job, and other ways of parsing get their own."""
    async with extract_client(tmp_path) as client:
        file = await upload_file(client, b"one\ftwo", "doc.txt")

        async def parsing(**options: Any) -> str:
            job = await ended(client, (await extract(client, file["id"], **options))["id"], "extract_metadata")
            return str(job["extract_metadata"]["parse_job_id"])

        first = await parsing()
        assert first == await parsing(system_prompt="Look twice.") == await parsing(disable_cache=True)
        assert first == await parsing(tier="cost_effective", parse_tier="agentic")
        others = [await parsing(parse_tier="fast"), await parsing(target_pages="2"), await parsing(tier="agentic_plus")]
        assert len({first, *others}) == 4
        assert (await client.get(PARSE)).json()["total_size"] == 4
        assert list((tmp_path / "sources").iterdir()) == []
        again = await submit(client, "three")
        await finished(client, again["id"])
        job = await ended(client, (await extract(client, again["id"]))["id"], "extract_metadata")
        assert job["extract_metadata"]["parse_job_id"] == again["id"] == job["file_input"]
        assert job["extract_result"]["pages"][0]["text"] == "three"


async def test_two_at_once_share_one_parsing(tmp_path: Path) -> None:
    """Ensure extractions that come while their document is being parsed wait for that."""
    async with extract_client(tmp_path) as client:
        file = await upload_file(client, b"SLEEP 0.2", "doc.txt")
        jobs = await asyncio.gather(*(extract(client, file["id"], system_prompt=str(number)) for number in range(5)))
        for job in jobs:
            assert (await ended(client, job["id"]))["status"] == "COMPLETED"
        assert (await client.get(PARSE)).json()["total_size"] == 1


async def test_equal_extractions_are_done_once(tmp_path: Path) -> None:
    """Ensure a result is used again for equal input and configuration, says so, and not where that is refused."""
    async with extract_client(tmp_path) as client:
        file = await upload_file(client, b"one", "doc.txt")

        async def notes(**options: Any) -> dict[str, Any]:
            job = await ended(client, (await extract(client, file["id"], **options))["id"])
            assert job["extract_result"]["pages"][0]["text"] == "one"
            return {"id": job["id"], **job["metadata"]}

        uncached = await notes(disable_cache=True)
        first = await notes()
        assert uncached["cache_hit"] is first["cache_hit"] is False
        again = await notes()
        assert (again["cache_hit"], again["cached_from_job_id"]) == (True, first["id"])
        assert (await notes(system_prompt="Look twice."))["cache_hit"] is False
        assert (await notes(disable_cache=True))["cache_hit"] is False


async def test_pages_and_targets(tmp_path: Path) -> None:
    """Ensure target pages, the most pages, and one object a page are heeded, for files and for parse jobs."""
    async with extract_client(tmp_path) as client:
        parsed = await finished(client, (await submit(client, "one\ftwo\fthree\ffour"))["id"])
        file = await upload_file(client, b"one\ftwo\fthree\ffour", "doc.txt")
        for source in (parsed["id"], file["id"]):
            for options, pages in (
                ({"target_pages": "2-3,9"}, [2, 3]),
                ({"max_pages": 3}, [1, 2, 3]),
                ({"max_pages": 2.0}, [1, 2]),
                ({"target_pages": "2-4", "max_pages": 2}, [2, 3]),
            ):
                job = await ended(client, (await extract(client, source, **options))["id"])
                assert [page["page"] for page in job["extract_result"]["pages"]] == pages
                assert job["metadata"]["usage"]["num_pages_extracted"] == len(pages)
            job = await ended(client, (await extract(client, source, extraction_target="per_page"))["id"])
            assert [page["text"] for page in job["extract_result"]] == ["one", "two", "three", "four"]
            job = await ended(client, (await extract(client, source, target_pages="7"))["id"])
            assert job["status"] == "FAILED"
            assert job["error_message"].startswith("NO_DATA_FOUND_IN_FILE: target_pages")


async def test_what_the_extraction_gets(tmp_path: Path) -> None:
    """Ensure system prompt, target and the wish for citations reach what extracts."""
    async with extract_client(tmp_path) as client:
        job = await extracted(client, "one", system_prompt="Be brief.", confidence_scores=True)
        seen = job["metadata"]["seen"]
        assert (seen["system_prompt"], seen["target"]) == ("Be brief.", "per_doc")
        assert (seen["cite_sources"], seen["confidence_scores"]) == (False, True)


async def test_an_llm_of_ones_own(tmp_path: Path) -> None:
    """Ensure an LLM reaches what extracts, many jobs wait for it at a time, and its results are its own."""
    calls = threading.Barrier(5, timeout=10)

    def waiting(pages: Sequence[SourcePage], request: ExtractionRequest, *, llm: Any) -> Extraction:
        calls.wait()
        return Extraction({"llm": llm.metadata.model_name}, {}, len(pages), {})

    async with extract_client(tmp_path) as client:
        ruled = await extracted(client, "one")
        parse_job = (await client.get(PARSE)).json()["items"][0]["id"]
        assert ruled["metadata"]["llm"] == "None"
    async with extract_client(tmp_path, llm=MockLLM(), extractor=waiting) as client:
        jobs = [
            await extract(client, parse_job, **({"system_prompt": str(number)} if number else {}))
            for number in range(5)
        ]
        for job in jobs:
            assert (await ended(client, job["id"]))["extract_result"] == {"llm": MockLLM().metadata.model_name}


async def test_an_llm_that_is_broken(tmp_path: Path) -> None:
    """Ensure an LLM that cannot even say its name fails the job, once."""

    class Nameless(MockLLM):
        @property
        def metadata(self) -> LLMMetadata:
            raise RuntimeError("no such model")

    async with extract_client(tmp_path, llm=Nameless()) as client:
        job = await extracted(client, "one")
        assert job["error_message"] == "Internal error of the local extraction: RuntimeError: no such model"


async def test_saved_configurations(tmp_path: Path) -> None:
    """Ensure a saved configuration does what it says at the time, and says so in the job."""
    async with extract_client(tmp_path) as client:
        file = await upload_file(client, b"one\ftwo", "doc.txt")
        saved = await save(client, "texts", target_pages="2")
        answer = await client.post(EXTRACT, json={"file_input": file["id"], "configuration_id": saved["id"]})
        await save(client, "texts", target_pages="1")
        job = await ended(client, answer.json()["id"], "configuration")
        assert (job["configuration_id"], job["configuration"]["target_pages"]) == (saved["id"], "2")
        assert [page["page"] for page in job["extract_result"]["pages"]] == [2]
        parsing = await save(client, "first page", "parse_v2", tier="fast", version="latest")
        job = await extracted(client, "one", "extract_metadata", parse_config_id=parsing["id"])
        assert job["extract_metadata"]["parse_tier"] == "fast"
        for body, status in (
            ({"configuration_id": "cfg-none"}, 404),
            ({"configuration_id": parsing["id"]}, 422),
            ({"configuration_id": saved["id"], "configuration": {"data_schema": SCHEMA}}, 422),
            ({}, 422),
            ({"configuration": {"data_schema": SCHEMA, "parse_config_id": saved["id"]}}, 422),
        ):
            answer = await client.post(EXTRACT, json={"file_input": file["id"], **body})
            assert answer.status_code == status, answer.text


@pytest.mark.parametrize(
    ("configuration", "loc"),
    [
        ({"data_schema": None}, ["data_schema"]),
        ({"data_schema": []}, ["data_schema"]),
        ({"data_schema": {"type": "array"}}, ["data_schema"]),
        ({"data_schema": {"type": "object", "properties": {"a": {"type": "frob"}}}}, ["data_schema", "a"]),
        ({"tier": "best"}, ["tier"]),
        ({"tier": "agentic_plus", "extraction_target": "per_page"}, ["extraction_target"]),
        ({"tier": "turbo", "extraction_target": "per_table_row"}, ["extraction_target"]),
        ({"version": "2.5", "extraction_target": "per_page"}, ["extraction_target"]),
        ({"version": "newest"}, ["version"]),
        ({"version": "2026-02-31"}, ["version"]),
        ({"tier": "turbo", "parse_tier": "fast"}, ["tier"]),
        ({"tier": "turbo", "parse_config_id": "cfg-1"}, ["tier"]),
        ({"spreadsheet_mode": True, "tier": "agentic"}, ["spreadsheet_mode"]),
        ({"sheet_names": ["A"]}, ["sheet_names"]),
        ({"target_pages": "one"}, ["target_pages"]),
        ({"max_pages": 0}, ["max_pages"]),
        ({"unheard_of": 1}, ["unheard_of"]),
    ],
)
async def test_bad_configurations_are_structured_422s(configuration: dict[str, Any], loc: list[str]) -> None:
    """Ensure what is wrong with a configuration is named with its place, and no job is made."""
    async with extract_client(None) as client:
        file = await upload_file(client)
        body = {"file_input": file["id"], "configuration": {"data_schema": SCHEMA, **configuration}}
        assert places(await client.post(EXTRACT, json=body))[0] == ["body", "configuration", *loc]
        for jobs in (EXTRACT, PARSE):
            assert (await client.get(jobs)).json()["total_size"] == 0


async def test_refusals(tmp_path: Path) -> None:
    """Ensure requests for what there is not, or not yet, are refused and leave nothing behind."""
    configuration = {"data_schema": SCHEMA}
    async with extract_client(tmp_path) as client:
        slow = await submit(client, "SLEEP 30")
        await running(client, slow["id"])
        for file_input, status, detail in (
            ("dfl-none", 404, "file_input: there is no file and no parse job dfl-none"),
            (slow["id"], 400, f"Parse job {slow['id']} is RUNNING; file_input takes a completed one"),
        ):
            answer = await client.post(EXTRACT, json={"file_input": file_input, "configuration": configuration})
            assert (answer.status_code, answer.json()["detail"]) == (status, detail)
        assert places(await client.post(EXTRACT, json={"configuration": configuration})) == [["body", "file_input"]]
        assert (await client.post(EXTRACT, content=b"{")).status_code == 422
        for method, path in [("GET", ""), ("DELETE", ""), ("POST", "/cancel")]:
            answer = await client.request(method, f"{EXTRACT}/ext-none{path}")
            assert (answer.status_code, answer.json()) == (404, {"detail": "Extract job not found"})
        assert places(await client.get(f"{EXTRACT}/ext-none?expand=everything")) == [["query", "expand", 0]]
        assert places(await client.get(f"{EXTRACT}?expand=usage")) == [["query", "expand", 0]]
        assert (await client.get(EXTRACT, params={"project_id": "other"})).status_code == 404
        assert (await client.get(EXTRACT)).json()["total_size"] == 0


def nested(levels: int) -> dict[str, Any]:
    """A schema of objects in objects."""
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"a": schema}}
    return schema


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (EXTRACT, {"file_input": {}, "configuration": {"data_schema": SCHEMA}}),
        (EXTRACT, {"file_input": 1, "configuration_id": "cfg-1"}),
        (EXTRACT, {"file_input": "x", "configuration_id": []}),
        (EXTRACT, {"file_input": "x", "configuration": "agentic"}),
        (EXTRACT, {"file_input": "x", "configuration": {"data_schema": nested(200)}}),
        (EXTRACT, {"file_input": "x", "configuration": {"data_schema": {"type": ["object"], "properties": []}}}),
        (EXTRACT, {"file_input": "x", "configuration": {"data_schema": SCHEMA, "parse_config_id": 3}}),
        (EXTRACT, {"file_input": "x", "configuration": {"data_schema": SCHEMA, "version": 2.5}}),
        (EXTRACT, {"file_input": "x", "configuration": {"data_schema": SCHEMA, "target_pages": [1]}}),
        (EXTRACT, {"file_input": "x", "configuration": {"data_schema": SCHEMA, "target_pages": "1-" + "9" * 5000}}),
        (EXTRACT, {"file_input": "x", "configuration": {"data_schema": SCHEMA, "max_pages": 1e30}}),
        (EXTRACT, {"file_input": "x", "configuration": {"data_schema": SCHEMA, "sheet_names": "A"}}),
        (f"{EXTRACT}/schema/validation", {"data_schema": nested(200)}),
        (f"{EXTRACT}/schema/generate", {"data_schema": "x"}),
        (f"{EXTRACT}/schema/generate", {"file_id": []}),
        (CONFIGURATIONS, {"name": {}, "parameters": {"product_type": "unknown"}}),
        (CONFIGURATIONS, {"name": "a", "parameters": {"product_type": ["unknown"]}}),
        (PARSE, {"file_id": "x", "configuration_id": {}}),
    ],
)
async def test_nonsense_is_refused(path: str, body: dict[str, Any]) -> None:
    """Ensure bodies of any shape get an answer that says what is wrong, and never an error of the server."""
    async with extract_client(None) as client:
        answer = await client.post(path, json=body)
        assert answer.status_code in {403, 404, 422}, answer.text
        assert answer.json()["detail"]


async def test_failures_carry_their_codes(tmp_path: Path) -> None:
    """Ensure what parsing or extraction cannot do fails the job with its code first, and a bug its job alone."""
    async with extract_client(tmp_path) as client:
        for content, message in (
            ("FAIL PDF_IS_PROTECTED", "PDF_IS_PROTECTED: doc.txt was meant to fail"),
            ("REFUSE NO_DATA_FOUND_IN_FILE", "NO_DATA_FOUND_IN_FILE: it was meant to fail"),
            ("BREAK", "Internal error of the local extraction: ZeroDivisionError: a bug of the extraction"),
        ):
            job = await extracted(client, content, "extract_metadata", "usage")
            assert (job["status"], job["error_message"], job["extract_result"]) == ("FAILED", message, None)
        # A document that could not be parsed is parsed anew, in case that helps.
        file = await upload_file(client, b"FAIL PDF_IS_BROKEN", "doc.txt")
        jobs = [await ended(client, (await extract(client, file["id"]))["id"], "extract_metadata") for _ in range(2)]
        assert len({job["extract_metadata"]["parse_job_id"] for job in jobs}) == 2


async def test_cancel(tmp_path: Path) -> None:
    """Ensure cancelling ends a job for good and once, with the parsing that nothing else waits for."""
    async with extract_client(tmp_path) as client:
        file = await upload_file(client, b"SLEEP 60", "doc.txt")
        one, other = await extract(client, file["id"]), await extract(client, file["id"], system_prompt="x")
        assert (await client.post(f"{EXTRACT}/{one['id']}/cancel")).json()["status"] == "CANCELLED"
        (parsing,) = (await client.get(PARSE)).json()["items"]
        assert parsing["status"] in {"PENDING", "RUNNING"}, "the other job waits for it"
        assert (await client.post(f"{EXTRACT}/{other['id']}/cancel")).json()["status"] == "CANCELLED"
        assert (await finished(client, parsing["id"]))["status"] == "CANCELLED"
        again = await client.post(f"{EXTRACT}/{one['id']}/cancel")
        assert (again.status_code, "CANCELLED" in again.json()["detail"]) == (409, True)
        assert (await extracted(client, "free again"))["status"] == "COMPLETED"
        assert list((tmp_path / "sources").iterdir()) == []


async def test_cancelling_what_extracts(tmp_path: Path) -> None:
    """Ensure what a cancelled extraction finds in the end is thrown away, and the parse job stays."""
    async with extract_client(tmp_path) as client:
        file = await upload_file(client, b"LINGER 0.3", "doc.txt")
        job = await extract(client, file["id"])
        await extracting(client, job["id"])
        await client.post(f"{EXTRACT}/{job['id']}/cancel")
        await asyncio.sleep(0.4)
        job = await ended(client, job["id"])
        assert (job["status"], job["extract_result"]) == ("CANCELLED", None)
        assert (await client.get(PARSE)).json()["items"][0]["status"] == "COMPLETED"


async def test_delete(tmp_path: Path) -> None:
    """Ensure a finished job goes with its result, an unfinished one only by force, with its parsing."""
    async with extract_client(tmp_path) as client:
        done = await extracted(client, "one")
        file = await upload_file(client, b"SLEEP 60", "doc.txt")
        waiting = await extract(client, file["id"])
        refused = await client.delete(f"{EXTRACT}/{waiting['id']}")
        assert (refused.status_code, "force=true" in refused.json()["detail"]) == (409, True)
        for job, query in ((waiting, "?force=true"), (done, "")):
            answer = await client.delete(f"{EXTRACT}/{job['id']}{query}")
            assert (answer.status_code, answer.json()) == (200, {})
            assert (await client.get(f"{EXTRACT}/{job['id']}")).status_code == 404
        assert (await client.get(EXTRACT)).json()["items"] == []
        statuses = [job["status"] for job in (await client.get(PARSE)).json()["items"]]
        assert statuses == ["CANCELLED", "COMPLETED"]


async def test_a_deleted_parse_job_fails_the_extraction(tmp_path: Path) -> None:
    """Ensure an extraction whose parse job is deleted before its turn says so."""
    async with extract_client(tmp_path, simulate=Simulation(latency=0.2)) as client:
        parsed = await finished(client, (await submit(client, "one"))["id"])
        job = await extract(client, parsed["id"])
        assert (await client.delete(f"{PARSE}/{parsed['id']}")).status_code == 200
        job = await ended(client, job["id"])
        assert job["error_message"] == f"NO_DATA_FOUND_IN_FILE: the parse job {parsed['id']} was deleted"


async def test_list_filters_and_pages(tmp_path: Path) -> None:
    """Ensure the list is newest first, pages through, and filters by everything the SDK offers."""
    async with extract_client(tmp_path) as client:
        saved = await save(client, "texts")
        parsed = await finished(client, (await submit(client, "parsed"))["id"])
        jobs = [await extracted(client, content) for content in ("one", "REFUSE X")]
        file = await upload_file(client, b"three", "doc.txt")
        answer = await client.post(EXTRACT, json={"file_input": file["id"], "configuration_id": saved["id"]})
        jobs.append(await ended(client, answer.json()["id"]))
        jobs.append(await ended(client, (await extract(client, parsed["id"]))["id"]))
        ids = [job["id"] for job in jobs]

        async def listed(**query: Any) -> list[str]:
            page = (await client.get(EXTRACT, params=query)).json()
            assert page["total_size"] == len(page["items"])
            return [job["id"] for job in page["items"]]

        assert await listed() == ids[::-1]
        assert await listed(status="FAILED") == [ids[1]]
        assert await listed(status="THROTTLED") == []
        assert await listed(configuration_id=saved["id"]) == [ids[2]]
        assert await listed(file_input=file["id"]) == await listed(document_input_value=file["id"]) == [ids[2]]
        assert await listed(document_input_type="parse_job_id") == [ids[3]]
        assert await listed(document_input_type="file_id", status="COMPLETED") == [ids[2], ids[0]]
        assert await listed(job_ids=[ids[0], ids[3], "ext-none"]) == [ids[3], ids[0]]
        assert await listed(created_at_on_or_after=jobs[2]["created_at"]) == ids[:1:-1]
        assert await listed(created_at_on_or_before=jobs[1]["created_at"]) == ids[1::-1]
        first = (await client.get(EXTRACT, params={"page_size": 3})).json()
        assert first["items"][0]["extract_result"]["pages"][0]["text"] == "parsed"
        rest = (await client.get(EXTRACT, params={"page_size": 3, "page_token": first["next_page_token"]})).json()
        assert [job["id"] for job in first["items"] + rest["items"]] == ids[::-1]
        assert rest["next_page_token"] is None
        for query in ({"status": "DONE"}, {"created_at_on_or_after": "yesterday"}, {"page_token": "x"}):
            assert (await client.get(EXTRACT, params=query)).status_code == 422


async def test_webhooks_are_accepted_and_not_delivered(tmp_path: Path) -> None:
    """Ensure webhooks do no harm: nothing is sent, their secrets are not kept, and the job says so."""
    async with extract_client(tmp_path) as client:
        file = await upload_file(client, b"one", "doc.txt")
        body = {
            "file_input": file["id"],
            "configuration": {"data_schema": SCHEMA},
            "webhook_configurations": [{"webhook_url": "https://example.com", "webhook_signing_secret": "s3cret"}],
            "webhook_configuration_ids": ["whk-1"],
        }
        job = await ended(client, (await client.post(EXTRACT, json=body)).json()["id"], "configuration")
        ignored = ["webhook_configuration_ids", "webhook_configurations"]
        assert job["metadata"]["options_not_applied"] == ignored
        job = await extracted(client, "one", tier="agentic", version="2.0", advanced_citations=False)
        assert job["metadata"]["options_not_applied"] == ["tier", "version"]
        assert places(await client.post(EXTRACT, json={**body, "webhook_configurations": {}}))
    assert b"s3cret" not in (tmp_path / "llamacloud.sqlite3").read_bytes()


async def test_turbo_has_no_parse_output(tmp_path: Path) -> None:
    """Ensure the turbo tier names no parse job for a file, as with the service."""
    async with extract_client(tmp_path) as client:
        job = await extracted(client, "one", "extract_metadata", tier="turbo", cite_sources=True)
        assert (job["extract_metadata"]["parse_job_id"], job["extract_metadata"]["parse_tier"]) == (None, None)
        assert job["extract_metadata"]["field_metadata"]["document_metadata"]


async def test_sheets(tmp_path: Path, data_dir: Path) -> None:
    """Ensure spreadsheet mode reads the sheets that were named, and workbooks only."""
    book = data_dir / "two-sheets.xlsx"
    async with extract_client(tmp_path, engine=parse_document) as client:
        file = await upload_file(client, book.read_bytes(), book.name)
        options = {"tier": "agentic_plus", "spreadsheet_mode": True}
        whole = await ended(client, (await extract(client, file["id"], **options))["id"])
        numbers = [page["page"] for page in whole["extract_result"]["pages"]]
        parse_job = (await client.get(PARSE)).json()["items"][0]["id"]
        items = (await expanded(client, parse_job, "items"))["items"]["pages"]
        names = [page["items"][0]["value"] for page in items if page["items"]]
        one = await ended(client, (await extract(client, file["id"], sheet_names=names[-1:], **options))["id"])
        assert [page["page"] for page in one["extract_result"]["pages"]] == numbers[-1:]
        none = await ended(client, (await extract(client, file["id"], sheet_names=["No such"], **options))["id"])
        assert "no sheet 'No such'" in none["error_message"]
        assert repr(names[0]) in none["error_message"]
        job = await extracted(client, "no book", **options)
        assert job["error_message"] == "UNSUPPORTED_FILE_TYPE: spreadsheet_mode reads .xlsx, .xls, .csv, not doc.txt"


async def test_simulated_latency_is_that_of_one_job(tmp_path: Path) -> None:
    """Ensure an extraction takes the simulated latency once, whether or not its file must be parsed first."""
    drawn: list[str] = []

    def latency(name: str) -> float:
        drawn.append(name)
        return 0.05

    async with extract_client(tmp_path, simulate=Simulation(latency=latency)) as client:
        file = await upload_file(client, b"one", "doc.txt")
        for count, prompt in enumerate(("parse first", "parsed already"), 1):
            await ended(client, (await extract(client, file["id"], system_prompt=prompt))["id"])
            assert drawn == ["doc.txt"] * count
