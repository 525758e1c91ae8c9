"""Building blocks of answers: JSON, streamed files, project scope."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import IO, TYPE_CHECKING, Any

from starlette.responses import Response

from llama_cloud_ext.local.request_errors import RequestError
from llama_cloud_ext.local.results import close_pieces, size_of

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from llama_cloud_ext.local.cloud import LocalCloud

PIECE = 1024 * 1024
"""Bytes of a file to read at a time; also the size up to which an answer is sent in one go."""


def cloud_of(request: Request) -> LocalCloud:
    """The state behind the application that got a request."""
    cloud: LocalCloud = request.app.state.cloud
    return cloud


def json_answer(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """An answer in JSON."""
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    return Response(body, status, headers, "application/json")


def check_scope(request: Request) -> None:
    """Refuse a project or organization that is not the one of this data folder.

    Raises:
        RequestError: 404, naming the one that exists.
    """
    project = cloud_of(request).project
    for name, known in (("project", project.id), ("organization", project.organization_id)):
        asked = request.query_params.get(f"{name}_id")
        if asked is not None and asked != known:
            raise RequestError(404, f"{name.capitalize()} {asked} not found; this local LlamaCloud has {known} only")


class PiecesResponse(Response):
    """An answer made of bytes and of open files, which are streamed and closed.

    Args:
        cloud: Whose threads read the files.
        pieces: The parts, in their order.
        media_type: MIME type of the whole.
        headers: Further headers.
    """

    def __init__(
        self,
        cloud: LocalCloud,
        pieces: Sequence[bytes | IO[bytes]],
        media_type: str,
        headers: dict[str, str] | None = None,
    ) -> None:
        self._cloud = cloud
        self._pieces = pieces
        length = sum(map(size_of, pieces))
        super().__init__(None, 200, {"content-length": str(length), **(headers or {})}, media_type)
        self._length = length

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the parts, none of them whole in memory unless all of them are small."""
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            if scope["method"] == "HEAD":
                await send({"type": "http.response.body", "body": b"", "more_body": False})
            elif self._length <= PIECE:
                body = await self._cloud.in_thread(_join, self._pieces)
                await send({"type": "http.response.body", "body": body, "more_body": False})
            else:
                for piece in self._pieces:
                    if isinstance(piece, bytes):
                        await send({"type": "http.response.body", "body": piece, "more_body": True})
                        continue
                    while chunk := await self._cloud.in_thread(piece.read, PIECE):
                        await send({"type": "http.response.body", "body": chunk, "more_body": True})
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            close_pieces(self._pieces)


def _join(pieces: Sequence[bytes | IO[bytes]]) -> bytes:
    return b"".join(piece if isinstance(piece, bytes) else piece.read() for piece in pieces)
