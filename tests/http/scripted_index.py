"""An index service inside a transport: it keeps every request, holds documents and files, and fails as a test says."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import httpx

from llama_cloud_ext import LlamaCloudCompositeRetriever, LlamaCloudIndex, LlamaCloudRetriever
from tests.http.scripted import Fault, ScriptedTransport, answer, segment

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(200))

_STEPS: Sequence[tuple[str, str, str]] = (
    ("GET", r"/api/v1/projects", "projects"),
    ("GET", r"/api/v1/projects/[^/]+", "project"),
    ("GET", r"/api/v1/pipelines", "pipelines"),
    ("PUT", r"/api/v1/pipelines", "upsert"),
    ("GET", r"/api/v1/pipelines/[^/]+", "pipeline"),
    ("DELETE", r"/api/v1/pipelines/[^/]+", "delete"),
    ("GET", r"/api/v1/pipelines/[^/]+/status", "status"),
    ("POST", r"/api/v1/pipelines/[^/]+/sync", "sync"),
    ("POST", r"/api/v1/pipelines/[^/]+/retrieve", "retrieve"),
    ("POST", r"/api/v1/pipelines/[^/]+/documents", "post"),
    ("PUT", r"/api/v1/pipelines/[^/]+/documents", "put"),
    ("GET", r"/api/v1/pipelines/[^/]+/documents/paginated", "documents"),
    ("GET", r"/api/v1/pipelines/[^/]+/documents/status-counts", "document counts"),
    ("GET", r"/api/v1/pipelines/[^/]+/documents/[^/]+/status", "document status"),
    ("GET", r"/api/v1/pipelines/[^/]+/documents/[^/]+", "document"),
    ("DELETE", r"/api/v1/pipelines/[^/]+/documents/[^/]+", "delete document"),
    ("PUT", r"/api/v1/pipelines/[^/]+/files", "attach"),
    ("GET", r"/api/v1/pipelines/[^/]+/files2", "files"),
    ("GET", r"/api/v1/pipelines/[^/]+/files/status-counts", "file counts"),
    ("GET", r"/api/v1/pipelines/[^/]+/files/[^/]+/status", "file status"),
    ("DELETE", r"/api/v1/pipelines/[^/]+/files/[^/]+", "delete file"),
    ("POST", r"/api/v1/beta/files", "upload"),
    ("GET", r"/api/v1/files/[^/]+/page_screenshots/\d+", "screenshot"),
    ("GET", r"/api/v1/files/[^/]+/page-figures/\d+/[^/]+", "figure"),
    ("GET", r"/api/v1/retrievers", "retrievers"),
    ("PUT", r"/api/v1/retrievers", "upsert retriever"),
    ("POST", r"/api/v1/retrievers/retrieve", "retrieve from"),
    ("POST", r"/api/v1/retrievers/[^/]+/retrieve", "retrieve composite"),
    ("GET", r"/api/v1/retrievers/[^/]+", "retriever"),
    ("PUT", r"/api/v1/retrievers/[^/]+", "update retriever"),
)


def text_node(text: str, **fields: Any) -> dict[str, Any]:
    """A node of text with its score, as the service sends it."""
    return {"node": {"id_": f"node {text}", "text": text, "metadata": {}, **fields}, "score": 0.5}


def picture(page_index: int, figure_name: str | None = None, **fields: Any) -> dict[str, Any]:
    """A picture with its score, as the service lists it."""
    figure = {"figure_name": figure_name} if figure_name else {}
    return {"node": {"file_id": "f-1", "page_index": page_index, **figure, **fields}, "score": 0.4}


class ScriptedIndex(ScriptedTransport):
    """A service with projects and one index, which ingests at once unless told otherwise.

    Args:
        answer: What every retrieval answers.
        projects: The projects.
        pipelines: The indexes.
        fault: Called with the step and the request before anything is done, and with "after " and the step when it is.
        looks: How many looks at a status say that it is still running.
        statuses: The final status of documents or files by their ids, where it is not "SUCCESS".
    """

    steps_by_request = _STEPS

    def __init__(
        self,
        answer: Mapping[str, Any] | None = None,
        *,
        projects: Sequence[Mapping[str, Any]] = ({"id": "p-1", "name": "Default", "is_default": True},),
        pipelines: Sequence[Mapping[str, Any]] = ({"id": "i-1", "name": "animals", "project_id": "p-1"},),
        fault: Callable[[str, httpx.Request], Fault] | None = None,
        looks: int = 0,
        statuses: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(fault)
        self.answer = dict(answer or {"retrieval_nodes": [text_node("Words.")]})
        self.projects = [dict(project) for project in projects]
        self.pipelines = [dict(pipeline) for pipeline in pipelines]
        self.looks = looks
        self.statuses = dict(statuses or {})
        self.documents: dict[str, dict[str, Any]] = {}
        self.posts: Counter[str] = Counter()
        self.sizes: list[tuple[int, int]] = []
        self.files: list[dict[str, Any]] = []
        self.retriever: dict[str, Any] = {"id": "r-1", "name": "everything", "project_id": "p-1", "pipelines": []}

    def index(self, name: str | None = "animals", **options: Any) -> LlamaCloudIndex:
        """An index that has this service behind it."""
        return LlamaCloudIndex(name, **{**self.connection, **options})

    def retriever_of(self, name: str | None = "animals", **options: Any) -> LlamaCloudRetriever:
        """A retriever that has this service behind it."""
        return LlamaCloudRetriever(name, **{**self.connection, **options})

    def composite(self, name: str | None = "everything", **options: Any) -> LlamaCloudCompositeRetriever:
        """A composite retriever that has this service behind it."""
        return LlamaCloudCompositeRetriever(name, **{**self.connection, **options})

    def _answer(self, step: str, request: httpx.Request) -> httpx.Response:
        if step in ("screenshot", "figure"):
            return httpx.Response(200, content=PNG, headers={"content-type": "image/png"})
        if step == "unknown":
            return httpx.Response(404, json={"detail": "Not Found"})
        answers: dict[str, Callable[[], Any]] = {
            "projects": lambda: self._named(self.projects, request.url.params.get("project_name")),
            "project": lambda: self.projects[0],
            "pipelines": lambda: self._named(self.pipelines, request.url.params.get("pipeline_name")),
            "upsert": lambda: {**json.loads(request.content), "id": "i-1", "project_id": "p-1"},
            "pipeline": lambda: self.pipelines[0],
            "sync": lambda: self.pipelines[0],
            "retrieve": lambda: self.answer,
            "post": lambda: self._store(request),
            "put": lambda: self._store(request),
            "documents": lambda: self._page("documents", list(self.documents.values()), "skip", request),
            "document": lambda: self.documents.get(segment(request, -1)),
            "delete document": lambda: self.documents.pop(segment(request, -1), None) and {},
            "files": lambda: self._page("files", self.files, "offset", request),
            "attach": lambda: self._attach(request),
            "upload": lambda: {"id": f"f-{self.steps['upload']}", "name": "a.txt"},
            "status": lambda: self._status("index"),
            "document status": lambda: self._status(segment(request, -2)),
            "file status": lambda: self._status(segment(request, -2)),
            "document counts": lambda: self._counts(self.documents),
            "file counts": lambda: self._counts([file["file_id"] for file in self.files]),
            "retrievers": lambda: [self.retriever],
            "retriever": lambda: self.retriever,
            "upsert retriever": lambda: self.retriever,
            "update retriever": lambda: {**self.retriever, **json.loads(request.content)},
            "retrieve composite": lambda: self.answer,
            "retrieve from": lambda: self.answer,
        }
        found = answers.get(step, dict)()
        if found is None and step in ("document", "delete document"):
            return httpx.Response(404, json={"detail": "there is no such document"})
        return answer(found)

    @staticmethod
    def _named(records: list[dict[str, Any]], name: str | None) -> list[dict[str, Any]]:
        return [record for record in records if name in (None, record["name"])]

    def _store(self, request: httpx.Request) -> list[dict[str, Any]]:
        documents: list[dict[str, Any]] = json.loads(request.content)
        self.sizes.append((len(documents), len(request.content)))
        for document in documents:
            self.documents[document["id"]] = document
            self.posts[document["id"]] += request.method == "POST"
        return documents

    def _attach(self, request: httpx.Request) -> list[dict[str, Any]]:
        attached = [
            {**file, "name": f"{file['file_id']}.txt", "status": "SUCCESS"} for file in json.loads(request.content)
        ]
        self.files += attached
        return attached

    @staticmethod
    def _page(key: str, records: list[dict[str, Any]], offset: str, request: httpx.Request) -> dict[str, Any]:
        start, limit = int(request.url.params[offset]), int(request.url.params["limit"])
        return {key: records[start : start + limit], "total_count": len(records)}

    def _status(self, identifier: str) -> dict[str, Any]:
        self.looks -= 1
        if self.looks >= 0:
            return {"status": "IN_PROGRESS"}
        status = self.statuses.get(identifier, "SUCCESS")
        reason = [{"message": f"{identifier} cannot be read", "step": "PARSE"}] if status == "ERROR" else None
        return {"status": status, "error": reason}

    def _counts(self, ids: Any) -> dict[str, Any]:
        self.looks -= 1
        if self.looks >= 0:
            return {"counts": {"IN_PROGRESS": len(ids)}, "total_count": len(ids)}
        return {"counts": Counter(self.statuses.get(one, "SUCCESS") for one in ids), "total_count": len(ids)}
