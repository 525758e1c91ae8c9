"""A service with directories and batches inside a transport: it keeps every request, and fails as a test says."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx

from llama_cloud_ext import LlamaBatchReader
from tests.http.scripted import Fault, ScriptedTransport, answer, segment


class ScriptedBatches(ScriptedTransport):
    """A service whose batches parse every file of their directory at once, unless told otherwise.

    Args:
        fault: As for every scripted service.
        looks: What the first looks at a batch say, before it has completed.
        null_results: How many answers have no results, although the batch has completed.
        job_status: The status of every parse job.
    """

    steps_by_request = (
        ("POST", r"/api/v1/beta/directories", "create directory"),
        ("DELETE", r"/api/v1/beta/directories/[^/]+", "delete directory"),
        ("GET", r"/api/v1/beta/directories/[^/]+/files", "files"),
        ("POST", r"/api/v1/beta/directories/[^/]+/files/upload", "upload"),
        ("POST", r"/api/v2/batches", "create batch"),
        ("GET", r"/api/v2/batches", "batches"),
        ("GET", r"/api/v2/batches/[^/]+", "batch"),
        ("GET", r"/api/v2/parse", "jobs"),
        ("GET", r"/api/v2/parse/[^/]+", "job"),
    )

    def __init__(
        self,
        *,
        fault: Callable[[str, httpx.Request], Fault] | None = None,
        looks: list[str] | None = None,
        null_results: int = 0,
        job_status: str = "COMPLETED",
    ) -> None:
        super().__init__(fault)
        self.looks = list(looks or [])
        self.null_results = null_results
        self.job_status = job_status
        self.uploads = 0
        self.batches: list[dict[str, Any]] = []

    def reader(self, **options: Any) -> LlamaBatchReader:
        """A reader that has this service behind it."""
        return LlamaBatchReader(**{**self.connection, "retry_budget": 5.0, **options})

    def _answer(self, step: str, request: httpx.Request) -> httpx.Response:
        if step == "delete directory":
            return httpx.Response(204)
        values: dict[str, Callable[[], Any]] = {
            "create directory": lambda: {"id": "dir-1"},
            "files": lambda: {"items": []},
            "upload": self._upload,
            "create batch": lambda: self._create(json.loads(request.content)),
            "batches": lambda: {"items": self.batches},
            "batch": lambda: self._batch(segment(request, 4), "results" in request.url.params.get_list("expand")),
            "jobs": lambda: {"items": [self._job(one) for one in request.url.params.get_list("job_ids")]},
            "job": lambda: self._result(segment(request, 4)),
        }
        return answer(values[step]()) if step in values else answer({"detail": "Not Found"}, 404)

    def _upload(self) -> dict[str, Any]:
        self.uploads += 1
        return {"id": f"dfl-{self.uploads}"}

    def _create(self, body: dict[str, Any]) -> dict[str, Any]:
        batch = {"id": f"bat-{len(self.batches) + 1}", "status": "PENDING", **body}
        self.batches.append(batch)
        return batch

    def _batch(self, batch_id: str, expanded: bool) -> dict[str, Any]:
        batch = next(one for one in self.batches if one["id"] == batch_id)
        if self.looks:
            return {**batch, "status": self.looks.pop(0)}
        results = None
        if expanded and self.null_results:
            self.null_results -= 1
        elif expanded:
            results = [
                {
                    "source_directory_file_id": f"dfl-{number}",
                    "job_reference": {"type": "parse_v2", "id": f"pjb-{number}"},
                }
                for number in range(1, self.uploads + 1)
            ]
        return {**batch, "status": "COMPLETED", "results": results}

    def _job(self, job_id: str) -> dict[str, Any]:
        return {"id": job_id, "status": self.job_status, "tier": "agentic"}

    def _result(self, job_id: str) -> dict[str, Any]:
        pages = [{"page_number": 1, "text": job_id, "markdown": job_id, "success": True}]
        return {"job": self._job(job_id), "text": {"pages": pages}, "markdown": {"pages": pages}}
