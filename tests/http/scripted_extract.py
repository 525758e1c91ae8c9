"""An Extract service inside a transport: files, jobs and configurations that it really keeps, and faults on demand."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any

import httpx

from llama_cloud_ext import LlamaExtract, LlamaParseReader
from tests.contract.recording import parts_of
from tests.http.scripted import Fault, ScriptedTransport, answer, segment

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"vendor": {"type": "string"}, "total": {"type": "number"}},
}
DATA: dict[str, Any] = {"vendor": "Amber Tools", "total": 12.5}
SAID: dict[str, Any] = {
    "document_metadata": {
        "vendor": {
            "citation": [
                {
                    "page": 2,
                    "matching_text": "Amber Tools Ltd.",
                    "bounding_boxes": [{"x": 10, "y": 20, "w": 30, "h": 4}],
                    "page_dimensions": {"width": 612, "height": 792},
                }
            ],
            "confidence": 0.9,
        },
        "total": {"citation": [{"page": 3, "matching_text": "12.50"}], "confidence": 0.8},
    }
}
"""What the service says of each field."""

ENDED = ("COMPLETED", "FAILED", "CANCELLED")
_ID = "[^/]+"
_STEPS = (
    ("POST", "/api/v1/beta/files", "upload"),
    ("GET", "/api/v1/beta/files", "uploads"),
    ("DELETE", f"/api/v1/beta/files/{_ID}", "delete upload"),
    ("POST", "/api/v2/extract", "create"),
    ("GET", "/api/v2/extract", "list"),
    ("GET", f"/api/v2/extract/{_ID}", "get"),
    ("POST", f"/api/v2/extract/{_ID}/cancel", "cancel"),
    ("DELETE", f"/api/v2/extract/{_ID}", "delete"),
    ("POST", "/api/v2/extract/schema/validation", "validate"),
    ("POST", "/api/v2/extract/schema/generate", "generate"),
    ("GET", "/api/v1/beta/configurations", "configurations"),
    ("POST", "/api/v1/beta/configurations", "upsert"),
    ("GET", f"/api/v1/beta/configurations/{_ID}", "configuration"),
    ("PUT", f"/api/v1/beta/configurations/{_ID}", "update"),
    ("DELETE", f"/api/v1/beta/configurations/{_ID}", "delete configuration"),
    ("POST", "/api/v2/parse/upload", "parse"),
    ("GET", "/api/v2/parse", "parse jobs"),
    ("GET", f"/api/v2/parse/{_ID}", "parse job"),
)


class ScriptedExtract(ScriptedTransport):
    """A service whose jobs are done at once, unless told otherwise.

    Args:
        data: What every job extracts; or made of the name of the file.
        said: The `field_metadata` of every job.
        fault: As for `ScriptedTransport`.
        looks: How many looks at a job say that it is still running.
        statuses: How jobs end by the names of their files, where it is not "COMPLETED".
        page_size: Records on a page of a list, where no size is asked for.
    """

    steps_by_request = _STEPS

    def __init__(
        self,
        data: Any = None,
        *,
        said: Mapping[str, Any] | None = None,
        fault: Callable[[str, httpx.Request], Fault] | None = None,
        looks: int = 0,
        statuses: Mapping[str, str] | None = None,
        page_size: int = 2,
    ) -> None:
        super().__init__(fault)
        self.data = DATA if data is None else data
        self.said = SAID if said is None else said
        self.looks = looks
        self.statuses = dict(statuses or {})
        self.page_size = page_size
        self.files: dict[str, dict[str, Any]] = {}
        self.jobs: dict[str, dict[str, Any]] = {}
        self.parse_jobs: dict[str, dict[str, Any]] = {}
        self.configurations: dict[str, dict[str, Any]] = {}
        self.most_unfinished = 0
        self._looked: dict[str, int] = {}

    def extractor(self, **options: Any) -> LlamaExtract:
        """An extractor that has this service behind it."""
        return LlamaExtract(**{**self.connection, **options})

    def reader(self, **options: Any) -> LlamaParseReader:
        """A reader that has this service behind it."""
        return LlamaParseReader(**{**self.connection, **options})

    def add_job(self, job_id: str = "ext-0", **fields: Any) -> dict[str, Any]:
        """A job that was there before."""
        record = {
            "id": job_id,
            "project_id": "prj-1",
            "status": "COMPLETED",
            "file_input": "dfl-0",
            "configuration": {"data_schema": SCHEMA, "tier": "agentic"},
            "created_at": datetime.now(timezone.utc).isoformat(),
            **fields,
        }
        self.jobs[job_id] = record
        return record

    def contents(self) -> list[bytes]:
        """What was uploaded, the first first."""
        return [file["content"] for file in self.files.values()]

    def _answer(self, step: str, request: httpx.Request) -> httpx.Response:
        answers: dict[str, Callable[[httpx.Request], httpx.Response]] = {
            "upload": self._upload,
            "uploads": self._uploads,
            "delete upload": lambda request: self._delete(self.files, request),
            "create": self._create,
            "list": self._list,
            "get": self._get,
            "cancel": self._cancel,
            "delete": self._delete_job,
            "validate": lambda request: answer(json.loads(request.content)),
            "generate": self._generate,
            "configurations": self._configurations,
            "upsert": self._upsert,
            "configuration": lambda request: self._kept(self.configurations, request),
            "update": self._update,
            "delete configuration": lambda request: self._delete(self.configurations, request),
            "parse": self._parse,
            "parse jobs": self._parse_jobs,
            "parse job": self._parse_job,
        }
        known = answers.get(step)
        return answer({"detail": "Not Found"}, 404) if known is None else known(request)

    # Files

    def _upload(self, request: httpx.Request) -> httpx.Response:
        fields = parts_of(request.headers["content-type"], request.content)
        file_id = f"dfl-{self.steps['upload']}"
        self.files[file_id] = {
            "id": file_id,
            "name": fields["file"]["filename"],
            "content": fields["file"]["content"].encode("latin-1"),
            "external_file_id": fields["external_file_id"]["content"],
            "purpose": fields["purpose"]["content"],
        }
        return answer(self._shown(self.files[file_id]))

    def _uploads(self, request: httpx.Request) -> httpx.Response:
        wanted = request.url.params.get("external_file_id")
        found = [self._shown(file) for file in self.files.values() if wanted in (None, file["external_file_id"])]
        return self._page(found, request)

    @staticmethod
    def _shown(file: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in file.items() if name != "content"}

    # Jobs

    def _create(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        file = self.files.get(body["file_input"], {})
        final = self.statuses.get(file.get("name", body["file_input"]), "COMPLETED")
        saved = self.configurations.get(body.get("configuration_id", ""), {}).get("parameters")
        job = self.add_job(
            f"ext-{self.steps['create']}",
            status="PENDING" if self.looks else final,
            file_input=body["file_input"],
            configuration=body.get("configuration") or saved,
            configuration_id=body.get("configuration_id"),
        )
        self._looked[job["id"]] = 0
        self._count()
        return answer(self._job(job))

    def _count(self) -> None:
        unfinished = sum(job["status"] not in ENDED for job in self.jobs.values())
        self.most_unfinished = max(self.most_unfinished, unfinished)

    def _list(self, request: httpx.Request) -> httpx.Response:
        params = request.url.params
        found = []
        for job in reversed(self.jobs.values()):
            ids = params.get_list("job_ids")
            if ids and job["id"] not in ids:
                continue
            if any(params.get(name, job.get(name)) != job.get(name) for name in ("file_input", "configuration_id")):
                continue
            if params.get("status", job["status"]) != job["status"]:
                continue
            if ids:
                self._look(job)
            found.append(self._job(job, params.get_list("expand")))
        return self._page(found, request)

    def _get(self, request: httpx.Request) -> httpx.Response:
        job = self.jobs.get(segment(request, 4))
        if job is None:
            return answer({"detail": "Extract job not found"}, 404)
        self._look(job)
        return answer(self._job(job, request.url.params.get_list("expand"), whole=True))

    def _look(self, job: dict[str, Any]) -> None:
        if job["status"] in ENDED or job["id"] not in self._looked:
            return
        self._looked[job["id"]] += 1
        name = self.files.get(job["file_input"], {}).get("name", job["file_input"])
        over = self._looked[job["id"]] > self.looks
        job["status"] = self.statuses.get(name, "COMPLETED") if over else "RUNNING"

    def _job(self, job: dict[str, Any], expand: list[str] | None = None, *, whole: bool = False) -> dict[str, Any]:
        shown = {name: value for name, value in job.items() if name != "configuration"}
        if job["status"] == "FAILED":
            shown["error_message"] = "PDF_IS_BROKEN: the file could not be read"
        if "configuration" in (expand or []):
            shown["configuration"] = job["configuration"]
        if whole and job["status"] == "COMPLETED":
            name = self.files.get(job["file_input"], {}).get("name", job["file_input"])
            shown["extract_result"] = self.data(name) if callable(self.data) else self.data
            shown["metadata"] = {"usage": {"num_pages_extracted": 3}}
            if "extract_metadata" in (expand or []):
                shown["extract_metadata"] = {"field_metadata": self.said, "parse_job_id": "pjb-7"}
            if "usage" in (expand or []):
                shown["usage"] = {"credits": 15.0, "extract_credits": 10.0, "parse_credits": 5.0}
        return shown

    def _cancel(self, request: httpx.Request) -> httpx.Response:
        job = self.jobs.get(segment(request, 4))
        if job is None:
            return answer({"detail": "Extract job not found"}, 404)
        if job["status"] in ENDED:
            return answer({"detail": "The job has ended"}, 409)
        job["status"] = "CANCELLED"
        return answer(self._job(job))

    def _delete_job(self, request: httpx.Request) -> httpx.Response:
        job = self.jobs.get(segment(request, 4))
        if job is not None and job["status"] not in ENDED and request.url.params.get("force") != "true":
            return answer({"detail": "The job has not ended: cancel it first"}, 409)
        return self._delete(self.jobs, request)

    def _generate(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        schema = body.get("data_schema") or SCHEMA
        return answer({"name": "generated", "parameters": {"product_type": "extract_v2", "data_schema": schema}})

    # Configurations

    def _configurations(self, request: httpx.Request) -> httpx.Response:
        params = request.url.params
        products = params.get_list("product_type")
        found = [
            record
            for record in self.configurations.values()
            if params.get("name") in (None, record["name"]) and (not products or record["product_type"] in products)
        ]
        return self._page(found, request)

    def _upsert(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        key = body["name"], body["parameters"]["product_type"]
        records = self.configurations.values()
        known = next((one for one in records if (one["name"], one["product_type"]) == key), None)
        record = known or {"id": f"cfg-{self.steps['upsert']}", "name": body["name"], "version": "0"}
        return self._save(record, body)

    def _update(self, request: httpx.Request) -> httpx.Response:
        record = self.configurations.get(segment(request, 5))
        if record is None:
            return answer({"detail": "Configuration not found"}, 404)
        return self._save(record, json.loads(request.content))

    def _save(self, record: dict[str, Any], body: dict[str, Any]) -> httpx.Response:
        record |= body | {"version": str(int(record["version"]) + 1)}
        record["product_type"] = record["parameters"]["product_type"]
        self.configurations[record["id"]] = record
        return answer(record)

    # Parse jobs, as far as extractions start from them

    def _parse(self, request: httpx.Request) -> httpx.Response:
        job_id = f"pjb-{self.steps['parse']}"
        self.parse_jobs[job_id] = {"id": job_id, "status": "PENDING" if self.looks else "COMPLETED", "name": "a.pdf"}
        self._looked[job_id] = 0
        return answer(self.parse_jobs[job_id])

    def _parse_jobs(self, request: httpx.Request) -> httpx.Response:
        found = [self.parse_jobs[one] for one in request.url.params.get_list("job_ids")]
        for job in found:
            self._end(job)
        return self._page(found, request)

    def _parse_job(self, request: httpx.Request) -> httpx.Response:
        job = self.parse_jobs[segment(request, 4)]
        self._end(job)
        page = {"page_number": 1, "markdown": "Amber Tools", "text": "Amber Tools", "success": True}
        return answer({"job": job, "markdown": {"pages": [page]}})

    def _end(self, job: dict[str, Any]) -> None:
        self._looked[job["id"]] += 1
        if self._looked[job["id"]] > self.looks:
            job["status"] = self.statuses.get(job["id"], "COMPLETED")

    # All of them

    def _page(self, records: list[dict[str, Any]], request: httpx.Request) -> httpx.Response:
        start = int(request.url.params.get("page_token", "0"))
        end = start + int(request.url.params.get("page_size", self.page_size))
        return answer({"items": records[start:end], "next_page_token": str(end) if end < len(records) else None})

    @staticmethod
    def _kept(records: dict[str, dict[str, Any]], request: httpx.Request) -> httpx.Response:
        record = records.get(segment(request, -1))
        return answer({"detail": "Not Found"}, 404) if record is None else answer(record)

    @staticmethod
    def _delete(records: dict[str, dict[str, Any]], request: httpx.Request) -> httpx.Response:
        gone = records.pop(segment(request, -1), None)
        return answer({"detail": "Not Found"}, 404) if gone is None else httpx.Response(204)
