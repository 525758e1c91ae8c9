"""A tiny HTTP/1.1 server on loopback that answers from a script, also in ways that no library would."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum


class Mischief(Enum):
    """What the server may do instead of answering."""

    RESET = "cut the connection"
    SILENCE = "never answer"
    TRICKLE = "answer a byte at a time, without end"


Reply = bytes | Mischief


def reply(body: bytes = b"{}", *, status: int = 200, headers: Iterable[str] = (), length: int | None = None) -> bytes:
    """An answer; a `length` beyond the body's own makes it a truncated one."""
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body) if length is None else length}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def truncated(body: bytes, length: int) -> bytes:
    """An answer that announces more than it sends."""
    return reply(body, length=length, headers=["Connection: close"])


@dataclass
class Received:
    """A request as it arrived."""

    line: str
    headers: dict[str, str]
    body: bytes
    connection: int


@dataclass
class Loopback:
    """The running server: its script and what it received."""

    replies: list[Reply]
    received: list[Received] = field(default_factory=list)
    port: int = 0
    connections: int = 0
    again_after: float = 0.0
    """Seconds after which each answer is sent once more; 0 for not at all."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        connection = self.connections
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                line, *fields = head.decode().rstrip().split("\r\n")
                headers = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                self.received.append(Received(line, headers, body, connection))
                answer = self.replies.pop(0) if self.replies else reply(b"the script is over", status=418)
                if answer is Mischief.SILENCE:
                    await asyncio.sleep(30)
                if answer is Mischief.TRICKLE:
                    writer.write(reply(length=1000))
                    for _ in range(1000):
                        writer.write(b" ")
                        await writer.drain()
                        await asyncio.sleep(0.02)
                if isinstance(answer, Mischief):
                    writer.transport.abort()
                    return
                writer.write(answer)
                await writer.drain()
                if self.again_after:
                    await asyncio.sleep(self.again_after)
                    writer.write(answer)
                if b"Connection: close" in answer:
                    return
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            return
        finally:
            writer.close()


@asynccontextmanager
async def loopback(*replies: Reply, again_after: float = 0.0) -> AsyncIterator[Loopback]:
    """A server for the length of a test."""
    served = Loopback(list(replies), again_after=again_after)
    tasks: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        await served.serve(reader, writer)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    served.port = server.sockets[0].getsockname()[1]
    try:
        yield served
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
