"""`/api/v2/parse` on local LlamaCloud, with a stand-in engine."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from datetime import datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from llama_cloud_ext.local.results import EXPAND_VALUES
from tests.local import fake_engine
from tests.local.clients import PARSE, expanded, finished, local_client, running, submit, upload_file


async def test_upload_and_parse(tmp_path: Path) -> None:
    """Ensure one multipart request gives a job that completes and can be fetched in every inline form."""
    async with local_client(tmp_path) as client:
        job = await submit(client, "one\ftwo", "pages.txt", user_metadata={"team": "red"})
        assert job["id"].startswith("pjb-")
        assert (job["status"], job["name"], job["tier"]) == ("PENDING", "pages.txt", "agentic")
        job = await finished(client, job["id"])
        assert job["user_metadata"] == {"team": "red"}
        assert job["created_at"] <= job["updated_at"]
        assert job["usage"] is None
        fields = ("text", "markdown", "items", "metadata", "job_metadata", "text_full", "markdown_full", "usage")
        answer = await expanded(client, job["id"], *fields)
        assert [page["text"] for page in answer["text"]["pages"]] == ["one", "two"]
        assert [page["markdown"] for page in answer["markdown"]["pages"]] == ["# one", "# two"]
        assert answer["items"]["pages"][1]["items"][0]["value"] == "two"
        assert [page["page_number"] for page in answer["metadata"]["pages"]] == [1, 2]
        assert answer["text_full"] == "one\n\n---\n\ntwo"
        assert answer["markdown_full"] == "# one\n\n---\n\n# two"
        assert answer["job"]["usage"] == {"credits": 0.0}


async def test_job_metadata_is_honest(tmp_path: Path) -> None:
    """Ensure the job's metadata names the engine that ran, and says that tier and version were not applied."""
    async with local_client(tmp_path) as client:
        job = await finished(client, (await submit(client, "x"))["id"])
        facts = (await expanded(client, job["id"], "job_metadata"))["job_metadata"]
        assert facts["engine"] == "fake 1.0"
        assert (facts["tier"], facts["tier_applied"], facts["version_applied"]) == ("agentic", False, False)
        assert facts["credits"] == 0.0
        assert facts["notes"] == {"tessdata": "None"}


async def test_webhooks_are_not_kept(tmp_path: Path) -> None:
    """Ensure webhooks, which nothing delivers here, are noted as not applied, and their secrets are not stored."""
    webhook = {"webhook_url": "https://example.com/hook", "webhook_signing_secret": "wh-secret"}
    async with local_client(tmp_path) as client:
        job = await finished(client, (await submit(client, "x", webhook_configurations=[webhook]))["id"])
        notes = (await expanded(client, job["id"], "job_metadata"))["job_metadata"]["notes"]
        assert notes["options_not_applied"] == ["webhook_configurations"]
    assert b"wh-secret" not in everything_in(tmp_path)


def everything_in(folder: Path) -> bytes:
    """The content of all files."""
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


async def test_parse_by_file_id_survives_the_files_deletion(tmp_path: Path) -> None:
    """Ensure a job on a stored file keeps its source when the file is deleted right after."""
    async with local_client(tmp_path) as client:
        record = await upload_file(client, b"SLEEP 0.2\fcontent", "a.txt")
        body = {"tier": "fast", "version": "latest", "file_id": record["id"]}
        job = (await client.post(PARSE, json=body)).json()
        await client.delete(f"/api/v1/beta/files/{record['id']}")
        assert (await finished(client, job["id"]))["status"] == "COMPLETED"
        pages = (await expanded(client, job["id"], "text"))["text"]["pages"]
        assert pages[1]["text"] == "content"
        assert list((tmp_path / "sources").iterdir()) == []


async def test_expand_is_repeated_or_comma_separated(tmp_path: Path) -> None:
    """Ensure both ways of asking for several fields give the same answer."""
    async with local_client(tmp_path) as client:
        job = await finished(client, (await submit(client, "x"))["id"])
        assert await expanded(client, job["id"], "text", "items") == await expanded(client, job["id"], "text,items")


async def test_every_expand_value_is_answered(tmp_path: Path) -> None:
    """Ensure each `expand` value alone gives a 200 with JSON."""
    outputs = ["stripped_md", "concatenated_stripped_txt", "word_bbox"]
    options = {"additional_outputs": outputs, "save_output_pdf": True}
    async with local_client(tmp_path) as client:
        job = await finished(client, (await submit(client, "IMAGE\fx", output_options=options))["id"])
        for value in EXPAND_VALUES:
            assert (await expanded(client, job["id"], value))["job"]["id"] == job["id"]


async def test_downloads(tmp_path: Path) -> None:
    """Ensure each kind of result file has its size and a working URL, and absent ones say so."""
    outputs = ["stripped_md", "concatenated_stripped_txt", "word_bbox"]
    options = {"additional_outputs": outputs, "save_output_pdf": True}
    async with local_client(tmp_path) as client:
        job = await finished(client, (await submit(client, "one\ftwo", "my doc.txt", output_options=options))["id"])
        values = [value for value in EXPAND_VALUES if value.endswith("_content_metadata") and "images" not in value]
        offered = (await expanded(client, job["id"], *values))["result_content_metadata"]
        contents = {}
        for key, offer in offered.items():
            if not offer["exists"]:
                assert (offer["size_bytes"], offer["presigned_url"]) == (0, None)
                continue
            response = await client.get(offer["presigned_url"])
            assert len(response.content) == offer["size_bytes"] == int(response.headers["content-length"])
            assert "my%20doc." in response.headers["content-disposition"]
            contents[key] = response
        assert offered.keys() - contents.keys() == {"xlsx", "forms"}
        assert contents["markdown"].text == contents["markdown_full"].text == "# one\n\n---\n\n# two"
        assert contents["outputPDF"].headers["content-type"] == "application/pdf"
        assert contents["outputPDF"].content == b"%PDF-1.4"
        assert contents["concatenated_stripped_markdown"].text == "one\n\n---\n\ntwo"
        assert contents["stripped_markdown"].json()["pages"][1]["markdown"] == "two"
        assert json.loads(contents["raw_words"].text)["text"] == "word"
        assert contents["items"].json() == (await expanded(client, job["id"], "items"))["items"]


async def test_images(tmp_path: Path) -> None:
    """Ensure images come with whole-number boxes and working URLs, and can be chosen by name."""
    async with local_client(tmp_path) as client:
        job = await finished(client, (await submit(client, "IMAGE\fx"))["id"])
        for names, count in (
            ({}, 1),
            ({"image_filenames": "figure 1.png,b.png"}, 1),
            ({"image_filenames": "b.png"}, 0),
        ):
            listed = (await expanded(client, job["id"], "images_content_metadata", **names))["images_content_metadata"]
            assert listed["total_count"] == len(listed["images"]) == count
        image = (await expanded(client, job["id"], "images_content_metadata"))["images_content_metadata"]["images"][0]
        assert image["bbox"] == {"x": 1, "y": 2, "w": 3, "h": 4}
        response = await client.get(image["presigned_url"])
        assert (response.content, response.headers["content-type"]) == (fake_engine.PNG, "image/png")


async def test_fast_tier_has_no_markdown(tmp_path: Path) -> None:
    """Ensure markdown and items of a fast job are a 400 with the documented message, its text is not."""
    async with local_client(tmp_path) as client:
        job = await finished(client, (await submit(client, "x", tier="fast"))["id"])
        for value in ("markdown", "markdown_full", "items", "markdown_content_metadata", "items_content_metadata"):
            response = await client.get(f"{PARSE}/{job['id']}", params={"expand": value})
            assert response.status_code == 400
            assert response.json() == {"detail": "Markdown expansion is not available for FAST tier jobs."}
        assert (await expanded(client, job["id"], "text_full"))["text_full"] == "x"


async def test_expand_of_a_running_job_is_left_out(tmp_path: Path) -> None:
    """Ensure clients may poll with `expand`: until the end the answer has the job alone."""
    async with local_client(tmp_path) as client:
        job = await submit(client, "SLEEP 5")
        assert (await expanded(client, job["id"], "text", "markdown")).keys() == {"job"}
        assert (await client.post(f"{PARSE}/{job['id']}/cancel")).json()["status"] == "CANCELLED"


async def test_lost_results_are_not_found(tmp_path: Path) -> None:
    """Ensure a completed job whose files vanished is a 404 with the documented message."""
    async with local_client(tmp_path) as client:
        job = await finished(client, (await submit(client, "x"))["id"])
        for path in (tmp_path / "results").glob("*/*"):
            path.unlink()
        for value in ("text", "text_full", "images_content_metadata"):
            response = await client.get(f"{PARSE}/{job['id']}", params={"expand": value})
            assert response.status_code == 404
            assert response.json()["detail"].startswith("Result not found.")


@pytest.mark.parametrize(
    ("body", "loc"),
    [
        ({"version": "latest"}, ["tier"]),
        ({"tier": "agentic"}, ["version"]),
        ({"tier": "best", "version": "latest"}, ["tier"]),
        ({"tier": ["agentic"], "version": "latest"}, ["tier"]),
        ({"tier": "fast", "version": "2026-10-16"}, ["version"]),
        ({"tier": "fast", "version": "latest", "user_metadata": {"a": 1}}, ["user_metadata"]),
        ({"tier": "fast", "version": "latest", "user_metadata": {"a": "x" * 5000}}, ["user_metadata", "a"]),
        ({"tier": "fast", "version": "latest", "user_metadata": {str(n): "" for n in range(99)}}, ["user_metadata"]),
        ({"tier": "fast", "version": "latest", "source_url": "ftp://example.com/a.pdf"}, ["source_url"]),
        ({"tier": "fast", "version": "latest", "unheard_of": 1}, ["unheard_of"]),
        ({"tier": "fast", "version": "latest", "disable_cache": {}}, ["disable_cache"]),
    ],
)
async def test_bad_configurations_are_structured_422s(tmp_path: Path, body: dict[str, Any], loc: list[str]) -> None:
    """Ensure what is wrong with a configuration is named with its place, and no job is made."""
    async with local_client(tmp_path) as client:
        response = await client.post(PARSE, json={"file_id": "any", **body})
        assert response.status_code == 422
        problem = response.json()["detail"][0]
        assert {"type", "loc", "msg", "input"} == problem.keys()
        assert problem["loc"] == loc
        assert (await client.get(PARSE)).json()["total_size"] == 0


async def test_refusals(tmp_path: Path) -> None:
    """Ensure requests without a source, file, form field or permission are refused as documented."""
    valid = {"tier": "fast", "version": "latest"}
    async with local_client(tmp_path) as client:
        for body, status, detail in [
            (valid, 400, "Either file, input_url, or input_s3_path must be provided."),
            ({**valid, "file_id": "none"}, 404, "File none not found"),
            ({**valid, "configuration_id": "cfg-1"}, 403, "Access denied to this parse configuration"),
        ]:
            response = await client.post(PARSE, json=body)
            assert (response.status_code, response.json()["detail"]) == (status, detail)
        file = {"file": ("a.txt", b"x")}
        assert (await client.post(f"{PARSE}/upload", files=file)).status_code == 422
        for text in ("nonsense", "[]", json.dumps({**valid, "file_id": "x"})):
            response = await client.post(f"{PARSE}/upload", files=file, data={"configuration": text})
            assert response.status_code == 422
        assert (await client.post(PARSE, content=b"{")).status_code == 422
        assert (await client.post(PARSE, content=b" " * (5 * 2**20))).status_code == 413
        for method, path in [("GET", ""), ("DELETE", ""), ("POST", "/cancel")]:
            response = await client.request(method, f"{PARSE}/pjb-none{path}")
            assert (response.status_code, response.json()) == (404, {"detail": "Parse job not found"})
        assert list((tmp_path / "incoming").iterdir()) == list((tmp_path / "sources").iterdir()) == []


async def test_unknown_expand_is_a_structured_422(tmp_path: Path) -> None:
    """Ensure an unknown `expand` value is refused by name, whatever the job's state."""
    async with local_client(tmp_path) as client:
        job = await submit(client, "x")
        response = await client.get(f"{PARSE}/{job['id']}", params={"expand": ["text", "everything"]})
        assert response.status_code == 422
        assert response.json()["detail"][0]["loc"] == ["query", "expand", 1]


async def test_failures_carry_the_codes_of_the_error_reference(tmp_path: Path) -> None:
    """Ensure an engine's code leads the job's error message, and a bug of the engine fails its job alone."""
    async with local_client(tmp_path) as client:
        for content, message in [
            ("FAIL PDF_IS_PROTECTED", "PDF_IS_PROTECTED: doc.pdf was meant to fail"),
            ("CRASH", "Internal error of the local engine: ZeroDivisionError: a bug of the engine"),
            ("BAD PAGE\fx", "PDF_IS_BROKEN: 1 of 2 pages failed"),
        ]:
            job = await finished(client, (await submit(client, content, "doc.pdf"))["id"])
            assert job["status"] == "FAILED"
            assert job["error_message"].startswith(message)
            assert (await expanded(client, job["id"], "text")).keys() == {"job"}
        assert list((tmp_path / "results").iterdir()) == list((tmp_path / "sources").iterdir()) == []


async def test_tolerated_page_failures_are_marked(tmp_path: Path) -> None:
    """Ensure a damaged page within the allowed ratio is `success: false` with its reason."""
    control = {"job_failure_conditions": {"allowed_page_failure_ratio": 0.5}}
    async with local_client(tmp_path) as client:
        job = await finished(client, (await submit(client, "BAD PAGE\fx", processing_control=control))["id"])
        assert job["status"] == "COMPLETED"
        answer = await expanded(client, job["id"], "markdown", "items", "text")
        failed = {"page_number": 2, "success": False, "error": "this page is damaged"}
        assert answer["markdown"]["pages"][1] == answer["items"]["pages"][1] == failed


async def test_cancel_stops_a_running_job(tmp_path: Path) -> None:
    """Ensure cancelling ends the engine's work at once, for good, and only once."""
    async with local_client(tmp_path) as client:
        job = await submit(client, "SLEEP 60")
        await running(client, job["id"])
        assert (await client.post(f"{PARSE}/{job['id']}/cancel")).json()["status"] == "CANCELLED"
        again = await client.post(f"{PARSE}/{job['id']}/cancel")
        assert again.status_code == 409
        assert "CANCELLED" in again.json()["detail"]
        # The core is free again: another job runs long before the sixty seconds are over.
        assert (await finished(client, (await submit(client, "x"))["id"]))["status"] == "COMPLETED"
        assert (await client.get(f"{PARSE}/{job['id']}")).json()["job"]["status"] == "CANCELLED"


async def test_delete_takes_finished_jobs_and_their_results(tmp_path: Path) -> None:
    """Ensure a running job cannot be deleted, and a deleted one leaves nothing on disk."""
    async with local_client(tmp_path) as client:
        running = await submit(client, "SLEEP 60")
        refused = await client.delete(f"{PARSE}/{running['id']}")
        assert refused.status_code == 409
        await client.post(f"{PARSE}/{running['id']}/cancel")
        done = await finished(client, (await submit(client, "x"))["id"])
        project = (await client.get("/api/v1/projects")).json()[0]["id"]
        for job in (running, done):
            response = await client.delete(f"{PARSE}/{job['id']}")
            assert response.json() == {"id": job["id"], "project_id": project}
            assert (await client.get(f"{PARSE}/{job['id']}")).status_code == 404
        assert (await client.get(PARSE)).json()["items"] == []
        assert list((tmp_path / "results").iterdir()) == []


async def test_list_filters_and_pages(tmp_path: Path) -> None:
    """Ensure the list is newest first, pages through, and filters by status, ids and creation."""
    async with local_client(tmp_path) as client:
        jobs = [await finished(client, (await submit(client, content))["id"]) for content in ("a", "FAIL X", "c", "d")]
        ids = [job["id"] for job in jobs]

        async def listed(**query: Any) -> list[str]:
            page = (await client.get(PARSE, params=query)).json()
            assert page["total_size"] == len(page["items"])
            return [job["id"] for job in page["items"]]

        assert await listed() == ids[::-1]
        assert await listed(status="FAILED") == [ids[1]]
        assert await listed(job_ids=[ids[0], ids[2], "pjb-none"]) == [ids[2], ids[0]]
        assert await listed(job_ids=[ids[0], ids[1]], status="COMPLETED") == [ids[0]]
        assert await listed(created_at_on_or_after=jobs[2]["created_at"]) == ids[:1:-1]
        assert await listed(created_at_on_or_before=jobs[1]["created_at"]) == ids[1::-1]
        local_time = datetime.fromisoformat(jobs[2]["created_at"].replace("Z", "+00:00")).astimezone()
        assert await listed(created_at_on_or_after=local_time.isoformat()) == ids[:1:-1]
        first = (await client.get(PARSE, params={"page_size": 3})).json()
        assert first["total_size"] == 4
        rest = (await client.get(PARSE, params={"page_size": 3, "page_token": first["next_page_token"]})).json()
        assert [job["id"] for job in first["items"] + rest["items"]] == ids[::-1]
        assert rest["next_page_token"] is None
        for query in ({"status": "DONE"}, {"created_at_on_or_after": "yesterday"}, {"page_token": "x"}):
            assert (await client.get(PARSE, params=query)).status_code == 422


async def test_versions(tmp_path: Path) -> None:
    """Ensure the versions of each tier are listed, with what `latest` means, and all of them are accepted."""
    async with local_client(tmp_path) as client:
        versions = (await client.get(f"{PARSE}/versions")).json()
        for tier, latest in versions["latest"].items():
            assert latest == versions[tier][0]
            await submit(client, "x", tier=tier, version=versions[tier][-1])


@pytest.fixture
def web() -> Iterator[str]:
    """A web server on the loopback: `/doc?…` is a document, `/empty` is empty, `/away` redirects to ftp."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            self.send_response({"/doc": 200, "/empty": 200, "/away": 302}.get(path, 404))
            body = b"from the web" if path == "/doc" else b""
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Location", "ftp://127.0.0.1/a.pdf")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


async def test_source_url(tmp_path: Path, web: str) -> None:
    """Ensure documents behind URLs are fetched, and those that cannot be fail their job with the reason."""
    valid = {"tier": "fast", "version": "latest"}
    async with local_client(tmp_path) as client:
        job = (await client.post(PARSE, json={**valid, "source_url": f"{web}/doc?key=secret"})).json()
        assert job["name"] == "doc"
        assert (await finished(client, job["id"]))["status"] == "COMPLETED"
        assert (await expanded(client, job["id"], "text_full"))["text_full"] == "from the web"
        for path, reason in [
            (f"{web}/none?key=secret", "answered 404"),
            (f"{web}/empty", "is empty"),
            (f"{web}/away", "redirects to ftp:"),
            ("http://127.0.0.1:1/a.pdf", "could not be reached"),
        ]:
            job = (await client.post(PARSE, json={**valid, "source_url": path})).json()
            job = await finished(client, job["id"])
            assert job["status"] == "FAILED"
            assert job["error_message"].startswith("source_url: ")
            assert reason in job["error_message"]
            assert "secret" not in job["error_message"]
        assert list((tmp_path / "incoming").iterdir()) == []


async def test_server_errors_have_a_correlation_id(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Ensure a bug answers 500 with an id that the log has as well, and shows none of its inside."""
    async with local_client(tmp_path) as client:
        await client.get(PARSE)
        (tmp_path / "incoming").rmdir()
        response = await client.post(f"{PARSE}/upload", files={"file": ("a.txt", b"x")})
        assert response.status_code == 500
        assert response.json()["detail"] == "Internal Server Error"
        assert response.json()["correlation_id"] == response.headers["x-correlation-id"]
        assert response.json()["correlation_id"] in caplog.text


async def test_polling_is_cheap(tmp_path: Path) -> None:
    """Ensure asking for a job's state takes single-digit milliseconds, the best of several."""
    async with local_client(tmp_path) as client:
        job = await finished(client, (await submit(client, "x"))["id"])
        loop = asyncio.get_running_loop()
        times = []
        for _ in range(20):
            started = loop.time()
            await client.get(f"{PARSE}/{job['id']}")
            times.append(loop.time() - started)
        assert min(times) < 0.01
