"""A service with one index over a directory inside a transport: it keeps every request, and fails as a test says."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import httpx

from llama_cloud_ext import LlamaCloudDirectoryIndex, LlamaCloudDirectoryRetriever
from tests.http.scripted import Fault, ScriptedTransport, answer

_PART = re.compile(r'name="(\w+)"[^\r]*\r\n(?:Content-Type:[^\r]*\r\n)?\r\n(.*?)\r\n--', re.DOTALL)
_STEPS = (
    ("GET", r"/api/v1/projects", "projects"),
    ("POST", r"/api/v1/beta/directories", "create directory"),
    ("DELETE", r"/api/v1/beta/directories/[^/]+", "delete directory"),
    ("GET", r"/api/v1/beta/directories/[^/]+/files", "files"),
    ("POST", r"/api/v1/beta/directories/[^/]+/files/upload", "upload"),
    ("GET", r"/api/v1/beta/directories/[^/]+/files/[^/]+", "file"),
    ("DELETE", r"/api/v1/beta/directories/[^/]+/files/[^/]+", "delete file"),
    ("GET", r"/api/v1/indexes", "indexes"),
    ("POST", r"/api/v1/indexes", "create index"),
    ("GET", r"/api/v1/indexes/[^/]+", "index"),
    ("DELETE", r"/api/v1/indexes/[^/]+", "delete index"),
    ("POST", r"/api/v1/indexes/[^/]+/sync", "sync"),
    ("POST", r"/api/v1/retrieval/retrieve", "retrieve"),
    ("POST", r"/api/v1/retrieval/files/find", "find"),
    ("POST", r"/api/v1/retrieval/files/grep", "grep"),
    ("POST", r"/api/v1/retrieval/files/read", "read"),
)


def result(content: str, score: float = 0.5, **fields: Any) -> dict[str, Any]:
    """A retrieved piece of text, as the service sends it."""
    static = {"parsed_directory_file_id": "dfl-9", "chunk_index": 0, "page_range_start": 2, "page_range_end": 3}
    return {"content": content, "score": score, "metadata": {}, "static_fields": static, **fields}


class ScriptedDirectory(ScriptedTransport):
    """A service with one index over a directory, which syncs at once unless told otherwise.

    Args:
        results: What every retrieval answers.
        fault: Called with the step and the request before anything is done, and with "after " and the step when it is.
        looks: How many looks at an index say that it is still syncing.
        metadata: What the index tells of its state when it is done.
        unindexed: Names of files that never get into the index.
        exists: Whether there is an index already.
    """

    steps_by_request = _STEPS

    def __init__(
        self,
        results: Sequence[Mapping[str, Any]] = (),
        *,
        fault: Callable[[str, httpx.Request], Fault] | None = None,
        looks: int = 0,
        metadata: Mapping[str, Any] | None = None,
        unindexed: Sequence[str] = (),
        exists: bool = True,
    ) -> None:
        super().__init__(fault)
        self.results = [dict(one) for one in results] or [result("Words.")]
        self.looks = looks
        self.metadata = dict(metadata if metadata is not None else {"status": "ready"})
        self.unindexed = set(unindexed)
        self.files: dict[str, dict[str, Any]] = {}
        self.index_names = ["reports"] if exists else []
        self.directories = {"dir-1"} if exists else set()
        self.syncs = 0

    def index(self, name: str | None = "reports", **options: Any) -> LlamaCloudDirectoryIndex:
        """An index that has this service behind it."""
        return LlamaCloudDirectoryIndex(name, **{**self.connection, **options})

    def retriever(self, name: str | None = "reports", **options: Any) -> LlamaCloudDirectoryRetriever:
        """A retriever that has this service behind it."""
        return LlamaCloudDirectoryRetriever(name, **{**self.connection, **options})

    def _answer(self, step: str, request: httpx.Request) -> httpx.Response:
        last = request.url.path.rpartition("/")[2]
        answers: dict[str, Callable[[], Any]] = {
            "projects": lambda: [{"id": "p-1", "name": "Default", "is_default": True}],
            "create directory": self._new_directory,
            "delete directory": lambda: self.directories.discard(last),
            "files": lambda: {"items": self._listed(request.url.params)},
            "upload": lambda: self._upload(request),
            "file": lambda: {"id": last, "display_name": f"{last}.pdf"},
            "delete file": lambda: self.files.pop(last, None) and None,
            "indexes": lambda: {"items": [self._index(name) for name in self.index_names]},
            "create index": lambda: self._new_index(json.loads(request.content)["name"]),
            "index": self._look,
            "sync": self._sync,
            "retrieve": lambda: {"results": self.results},
            "find": lambda: {
                "items": [
                    {"file_id": f"out-{file['id']}", "file_name": file["display_name"]}
                    for file in self.files.values()
                    if file["display_name"] not in self.unindexed
                ]
            },
            "grep": lambda: {"items": [{"content": "x", "start_char": 1, "end_char": 2}]},
            "read": lambda: {"content": "text"},
        }
        if step == "unknown":
            return httpx.Response(404, json={"detail": "Not Found"})
        found = answers.get(step, dict)()
        return httpx.Response(204) if found is None else answer(found)

    def _new_directory(self) -> dict[str, Any]:
        directory_id = f"dir-{len(self.directories) + 1}"
        self.directories.add(directory_id)
        return {"id": directory_id, "name": "reports"}

    def _listed(self, params: Mapping[str, str]) -> list[dict[str, Any]]:
        unique_id = params.get("unique_id")
        return [file for file in self.files.values() if unique_id in (None, file["unique_id"])]

    def _upload(self, request: httpx.Request) -> dict[str, Any]:
        parts = dict(_PART.findall(request.content.decode()))
        file = {
            "id": f"dfl-{self.steps['upload']}",
            "display_name": parts["display_name"],
            "unique_id": parts["unique_id"],
            "metadata": json.loads(parts.get("metadata", "{}")),
            "content": parts["upload_file"],
        }
        self.files[file["id"]] = file
        return file

    def _index(self, name: str) -> dict[str, Any]:
        return {
            "id": "idx-1",
            "name": name,
            "project_id": "p-1",
            "source_directory_id": "dir-1",
            "output_directory_id": "dir-out",
            "export_config_id": "exp-1",
        }

    def _new_index(self, name: str) -> dict[str, Any]:
        self.index_names.append(name)
        self.syncs += 1
        return self._index(name)

    def _sync(self) -> dict[str, Any]:
        self.syncs += 1
        return {}

    def _look(self) -> dict[str, Any]:
        record = self._index(self.index_names[0])
        if self.syncs and self.looks > 0:
            self.looks -= 1
            return {**record, "sync_in_progress": True, "metadata": {"status": "syncing"}}
        return {
            **record,
            "sync_in_progress": False,
            "metadata": self.metadata,
            "last_synced_at": f"2026-01-01T00:00:{self.syncs:02}Z",
        }
