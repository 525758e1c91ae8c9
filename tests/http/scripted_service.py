"""A Parse service inside a transport: it keeps every request, and answers each step as a test's script says."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from llama_cloud_ext import LlamaParseReader
from tests.http.scripted import Fault, ScriptedTransport

Scripted = Exception | int | str | dict[str, Any] | httpx.Response
"""What a step may do: raise, answer a status, say that the job is in a state, answer JSON or anything else."""


def pages(*texts: str) -> dict[str, Any]:
    """Page contents as the service lists them: text, markdown and a paragraph for each."""
    numbered = list(enumerate(texts, start=1))
    item = {"type": "text", "bbox": [{"x": 1, "y": 2, "w": 3, "h": 4}]}
    return {
        "text": {"pages": [{"page_number": n, "text": text} for n, text in numbered]},
        "markdown": {"pages": [{"page_number": n, "markdown": text, "success": True} for n, text in numbered]},
        "items": {
            "pages": [
                {"page_number": n, "success": True, "items": [{**item, "value": text, "md": text}]}
                for n, text in numbered
            ]
        },
        "metadata": {"pages": [{"page_number": n, "confidence": 0.9} for n, _ in numbered]},
    }


class ScriptedService(ScriptedTransport):
    """A service whose jobs are done at once, unless a script says otherwise.

    Args:
        result: The parts of every result; one page by default.
        script: For each step ("upload", "create", "look", "list", "result", "cancel", "delete", "download") what its
            first calls do. When it is used up, the step succeeds.
        final: The state of jobs when all scripted looks have been taken.
        downloads: What other addresses hold.
    """

    def __init__(
        self,
        result: Mapping[str, Any] | None = None,
        *,
        script: Mapping[str, Sequence[Scripted]] | None = None,
        final: str = "COMPLETED",
        downloads: Mapping[str, bytes] | None = None,
    ) -> None:
        super().__init__(self._scripted)
        self.result = dict(result or pages("Words."))
        self.script = {step: list(calls) for step, calls in (script or {}).items()}
        self.final = final
        self.downloads = dict(downloads or {})
        self.configurations: list[dict[str, Any]] = []

    def reader(self, **options: Any) -> LlamaParseReader:
        """A reader that has this service behind it."""
        return LlamaParseReader(**{**self.connection, **options})

    def _scripted(self, step: str, request: httpx.Request) -> Fault:
        if step == "create":
            self.configurations.append(_configuration(request.content))
        scripted = self.script[step].pop(0) if self.script.get(step) else None
        return self._seen(step, request, scripted) if isinstance(scripted, str) else scripted

    def _step(self, request: httpx.Request) -> str:
        path, method = request.url.path, request.method
        if not path.startswith("/api/"):
            return "download"
        if path == "/api/v1/beta/files" and method == "POST":
            return "upload"
        if method == "POST":
            return "cancel" if path.endswith("/cancel") else "create"
        if method == "DELETE":
            return "delete"
        if path == "/api/v2/parse":
            # The same look, whether at one job or at several at once.
            return "look" if "job_ids" in request.url.params else "list"
        return "result" if "expand" in request.url.params else "look"

    def _answer(self, step: str, request: httpx.Request) -> httpx.Response:
        if step == "download":
            content = self.downloads.get(str(request.url))
            return httpx.Response(404) if content is None else httpx.Response(200, content=content)
        if step == "upload":
            return httpx.Response(200, json={"id": "file-1", "name": "a.pdf"})
        if step == "create":
            waited_for = self.script.get("look") or self.final != "COMPLETED"
            return httpx.Response(
                200, json=self.record(f"pjb-{self.steps['create']}", "RUNNING" if waited_for else "COMPLETED")
            )
        if step == "list":
            return httpx.Response(200, json={"items": [], "next_page_token": None})
        if step in ("cancel", "delete"):
            return httpx.Response(200, json={})
        return httpx.Response(200, json=self._seen(step, request, self.final))

    def _seen(self, step: str, request: httpx.Request, status: str) -> dict[str, Any]:
        if ids := request.url.params.get_list("job_ids"):
            return {"items": [self.record(job_id, status) for job_id in ids], "next_page_token": None}
        job = self.record(request.url.path.split("/")[4], status)
        if step != "result":
            return {"job": job}
        wanted = set(request.url.params.get_list("expand"))
        return {"job": job, **{name: part for name, part in self.result.items() if name in wanted or name == "extra"}}

    def record(self, job_id: str, status: str) -> dict[str, Any]:
        """A job as the service shows it."""
        reason = "PDF_IS_BROKEN: the file could not be read" if status == "FAILED" else None
        return {"id": job_id, "status": status, "tier": "agentic", "error_message": reason, "usage": {"credits": 3.0}}


def _configuration(body: bytes) -> dict[str, Any]:
    """The options of a create, from either kind of body."""
    start = body.index(b"{", body.find(b'name="configuration"') + 1)
    found: dict[str, Any] = json.JSONDecoder().raw_decode(body[start:].decode(errors="replace"))[0]
    return found
