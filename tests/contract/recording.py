"""Records requests instead of sending them, and makes two clients' requests comparable.

Used on both sides: imported by the tests, and by the SDK's process as a file. Standard library and httpx only.
"""

from __future__ import annotations

import json
import re
from typing import Any

import httpx

JOB = {"id": "pjb-1", "project_id": "prj-1", "status": "COMPLETED", "tier": "agentic", "name": "a.pdf"}
EXTRACT_JOB = {**JOB, "id": "ext-1", "extract_result": {"total": 1.0}}
FILE = {"id": "dfl-1", "name": "a.pdf", "project_id": "prj-1"}
PROJECT = {"id": "prj-1", "name": "Default", "organization_id": "org-1"}
URL = {"url": "https://files.example/1", "expires_at": "2030-01-01T00:00:00Z"}
PAGE = {"page_number": 1, "markdown": "Text", "text": "Text", "success": True}


VERSIONS = {tier: ["2026-01-01"] for tier in ("fast", "cost_effective", "agentic", "agentic_plus")}
EMPTY_PAGE = {"items": [], "next_page_token": None}
ANSWERS: list[tuple[str, Any]] = [
    (r"GET /api/v2/parse/versions", {**VERSIONS, "latest": {tier: dates[0] for tier, dates in VERSIONS.items()}}),
    (r"GET /api/v2/parse", EMPTY_PAGE),
    (r"GET /api/v2/parse/.+", {"job": JOB, "markdown": {"pages": [PAGE]}, "text": {"pages": [PAGE]}}),
    (r".* /api/v2/parse.*", JOB),
    (r"GET /api/v2/extract|GET /api/v1/beta/configurations", EMPTY_PAGE),
    (r".* /api/v2/extract.*", EXTRACT_JOB),
    (r"GET /api/v1/projects", [PROJECT]),
    (r"GET /api/v1/projects/.+", PROJECT),
    (r"GET .*/content", URL),
    (r"POST .*/query|GET /api/v1/beta/files", EMPTY_PAGE),
    (r".*", FILE),
]
"""What the recorded service answers, the first match: just enough for a client to go on."""


class Recorder:
    """An httpx handler (for `httpx.MockTransport`) that keeps what it is sent in comparable form."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Keep the request and answer it."""
        self.requests.append(comparable(request))
        if request.method == "DELETE" and re.search("/(files|configurations)/", request.url.path):
            return httpx.Response(204)
        call = f"{request.method} {request.url.path}"
        return httpx.Response(200, json=next(answer for pattern, answer in ANSWERS if re.fullmatch(pattern, call)))


def comparable(request: httpx.Request) -> dict[str, Any]:
    """Method, path, query, authorisation and body of a request, without what may differ between clients."""
    kept: dict[str, Any] = {
        "method": request.method,
        "path": request.url.raw_path.decode().partition("?")[0],
        "query": sorted([name, value] for name, value in request.url.params.multi_items()),
        "authorization": request.headers.get("authorization"),
    }
    kind = request.headers.get("content-type", "")
    if kind.startswith("multipart/form-data"):
        assert int(request.headers["content-length"]) == len(request.content)
        kept["fields"] = parts_of(kind, request.content)
    elif request.content:
        assert kind.startswith("application/json")
        kept["json"] = json.loads(request.content)
    return kept


def parts_of(content_type: str, body: bytes) -> dict[str, dict[str, Any]]:
    """The fields of a multipart body: file name, content type and content of each; JSON contents decoded."""
    boundary = content_type.partition("boundary=")[2].encode()
    before, *parts, after = body.split(b"--" + boundary)
    assert (before, after.strip()) == (b"", b"--")
    fields: dict[str, dict[str, Any]] = {}
    for part in parts:
        head, _, content = part.removesuffix(b"\r\n").partition(b"\r\n\r\n")
        headers = head.decode()
        names = dict(re.findall(r'(\bname|filename)="([^"]*)"', headers))
        field: dict[str, Any] = {"content": content.decode("latin-1")}
        if names["name"] == "configuration":
            field = {"json": json.loads(content)}
        if "filename" in names:
            kind = re.search(r"(?i)content-type: (.+)", headers)
            field |= {"filename": names["filename"], "type": kind[1].strip() if kind else None}
        fields[names["name"]] = field
    return fields
