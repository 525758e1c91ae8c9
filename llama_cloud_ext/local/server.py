"""Local LlamaCloud on a port, for the official SDK, curl, or any other client."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llama_cloud_ext.errors import ConfigurationError
from llama_cloud_ext.local.app import create_app
from llama_cloud_ext.local.middleware import LoopbackOnly, is_loopback

if TYPE_CHECKING:
    from llama_index.core.base.embeddings.base import BaseEmbedding
    from llama_index.core.llms import LLM
    from llama_index.core.postprocessor.types import BaseNodePostprocessor

    from llama_cloud_ext.local.jobs import Engine
    from llama_cloud_ext.local.simulation import Simulation

DEFAULT_PORT = 8765

STOPPING = (signal.SIGINT, signal.SIGTERM)

SHUTDOWN_SECONDS = 5
"""How long requests under way may take to end once a stop was asked for."""


def serve(
    data: str | Path | None,
    host: str = "127.0.0.1",
    port: int = DEFAULT_PORT,
    *,
    api_key: str | None = None,
    simulate: Simulation | None = None,
    tessdata: Path | None = None,
    engine: Engine | None = None,
    embed_model: BaseEmbedding | None = None,
    reranker: BaseNodePostprocessor | None = None,
    llm: LLM | None = None,
    on_start: Callable[[str], None] | None = None,
) -> None:
    """Serve a data folder until SIGINT or SIGTERM.

    Args:
        data: The data folder; None for a temporary one.
        host: Address to listen on. Anything but a loopback address needs an API key.
        port: Port to listen on; 0 takes a free one.
        api_key: The key that requests must bring; None to accept any or none.
        simulate: Latency, limits and faults to pretend.
        tessdata: Folder of Tesseract data, for OCR.
        engine: A stand-in for the engine.
        embed_model: The LlamaIndex embedding model of indexes; None for the lexical default.
        reranker: The LlamaIndex node postprocessor that re-ranks; None for the lexical default.
        llm: The LlamaIndex LLM that extracts; None for rules without a model.
        on_start: Called with the base URL once the server answers.

    Raises:
        ConfigurationError: The address is not loopback and there is no key, it cannot be listened on, or the data
            folder cannot be used.

    Example:
        >>> serve(".llamacloud", "0.0.0.0")
        Traceback (most recent call last):
        ...
        llama_cloud_ext.errors.ConfigurationError: listening on 0.0.0.0 needs an API key
        → pass api_key= (--api-key), or listen on 127.0.0.1
    """
    if not api_key and not is_loopback(host):
        raise ConfigurationError(
            f"listening on {host} needs an API key", hint="pass api_key= (--api-key), or listen on 127.0.0.1"
        )
    app = create_app(
        data,
        api_key=api_key,
        simulate=simulate,
        tessdata=tessdata,
        engine=engine,
        embed_model=embed_model,
        reranker=reranker,
        llm=llm,
    )
    if not api_key:
        app.add_middleware(LoopbackOnly)
    app.state.cloud.open()
    try:
        listener = _listen(host, port)
    except ConfigurationError:
        app.state.cloud.close()
        raise
    address = f"[{host}]" if ":" in host else host
    url = f"http://{address}:{listener.getsockname()[1]}"
    try:
        with listener:
            asyncio.run(_serve(app, listener, url, on_start))
    finally:
        app.state.cloud.close()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Without its protocol, asyncio would not know it for TCP and leave Nagle's algorithm on: 40 ms for each answer.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise ConfigurationError(f"cannot listen on {host}:{port}: {error.strerror}") from error
    return listener


async def _serve(app: Any, listener: socket.socket, url: str, on_start: Callable[[str], None] | None) -> None:
    import uvicorn
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class CuttableProtocol(H11Protocol):
        """Puts into each request's state what cuts its connection, for simulated faults."""

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it; asyncio takes any
            super().connection_made(transport)

            def cut(reset: bool) -> None:
                if reset:
                    # Closing with unsent data thrown away is what makes a kernel send a reset.
                    now = struct.pack("ii", 1, 0)
                    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, now)
                    transport.abort()
                else:
                    transport.close()

            self.app_state = {**self.app_state, "cut": cut}

    class AnnouncingServer(uvicorn.Server):
        """Says when it answers, and ends quietly on a signal instead of raising it again afterwards."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started and on_start is not None:
                on_start(url)

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            if threading.current_thread() is not threading.main_thread():
                yield
                return
            previous = {number: signal.signal(number, self.handle_exit) for number in STOPPING}
            try:
                yield
            finally:
                for number, handler in previous.items():
                    signal.signal(number, handler)

    config = uvicorn.Config(
        app,
        http=CuttableProtocol,
        log_config=None,
        access_log=False,
        lifespan="on",
        timeout_keep_alive=75,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )
    await AnnouncingServer(config).serve(sockets=[listener])
