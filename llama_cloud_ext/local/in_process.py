"""`local:` addresses: LlamaCloud inside this process, without a port.

`local:DIR` keeps its data in a folder, which other processes may open too. `local::memory:` keeps it for as long as
this process lives, shared by all of its clients. A query adds trouble for tests: `local:DIR?latency=0.5&seed=1`, with
the names of `Simulation`.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from llama_cloud_ext.errors import ConfigurationError
from llama_cloud_ext.local.asgi_transport import AsgiTransport
from llama_cloud_ext.local.cloud import LocalCloud
from llama_cloud_ext.local.models import check_models
from llama_cloud_ext.local.simulation import Simulation, simulation_of

if TYPE_CHECKING:
    import httpx
    from llama_index.core.base.embeddings.base import BaseEmbedding
    from llama_index.core.llms import LLM
    from llama_index.core.postprocessor.types import BaseNodePostprocessor

MEMORY = ":memory:"

_lock = threading.Lock()
_models: dict[Path | None, dict[str, Any]] = {}
_open: dict[tuple[int, str], _SharedCloud] = {}


class _SharedCloud:
    """A data folder that several transports of this process use; it closes with the last of them."""

    def __init__(self, cloud: LocalCloud) -> None:
        self.cloud = cloud
        self.users = 0


class LocalTransport(AsgiTransport):
    """A client's way into a `local:` address. Made by `local_transport`."""

    def __init__(self, key: tuple[int, str], cloud: LocalCloud) -> None:
        from llama_cloud_ext.local.app import app_for

        super().__init__(app_for(cloud))
        self._key = key
        self._cloud = cloud
        self._in_use = True

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Run one request.

        Raises:
            ConfigurationError: The data folder cannot be used, or a fork inherited the transport.
        """
        await self._cloud.ensure_open()
        return await super().handle_async_request(request)

    async def aclose(self) -> None:
        """Let requests under way end, and close the folder if nobody else in this process uses it."""
        await super().aclose()
        if self._in_use and (last := _release(self._key)) is not None:
            import asyncio

            await asyncio.to_thread(last.close)
        self._in_use = False


def local_transport(address: str) -> httpx.AsyncBaseTransport:
    """Open a `local:` address. Nothing is read or written before the first request.

    Args:
        address: `local:DIR`, `local::memory:`, either with a query of `Simulation` options.

    Returns:
        A transport for `httpx.AsyncClient`; whatever host it is asked for, it answers.

    Raises:
        ConfigurationError: The address is malformed, or a memory is asked for by a worker process, which could not
            see its parent's.

    Example:
        >>> transport = local_transport("local::memory:?latency=0.1")
    """
    folder, simulation = parse_address(address)
    if folder is None and multiprocessing.parent_process() is not None:
        raise ConfigurationError(
            "local::memory: lives in one process, and this is a worker process of another",
            hint='use base_url="local:DIR", which any number of processes can open',
        )
    if folder is None and any(pid != os.getpid() and shared.cloud.data is None for (pid, _), shared in _open.items()):
        raise ConfigurationError(
            "local::memory: lives in one process, and this is a fork of it",
            hint='use base_url="local:DIR", which any number of processes can open',
        )
    key = (os.getpid(), address if folder is None else f"{folder}?{address.partition('?')[2]}")
    with _lock:
        shared = _open.get(key)
        if shared is None:
            shared = _open[key] = _SharedCloud(LocalCloud(folder, simulation=simulation, **_models.get(folder, {})))
        shared.users += 1
    return LocalTransport(key, shared.cloud)


def use_models(
    address: str,
    *,
    embed_model: BaseEmbedding | None = None,
    reranker: BaseNodePostprocessor | None = None,
    llm: LLM | None = None,
) -> None:
    """Have a `local:` address embed, re-rank and extract with models of yours, in this process.

    Call it before the address is used for the first time. An index that was embedded by another model says so when it
    is asked; `sync` on the index embeds it anew.

    Args:
        address: `local:DIR` or `local::memory:`.
        embed_model: Any LlamaIndex embedding model; None for the lexical default.
        reranker: Any LlamaIndex node postprocessor; None for the lexical default.
        llm: Any LlamaIndex LLM; None for an extraction by rules.

    Raises:
        ConfigurationError: The address is in use already, or is none; or a model is none.

    Example:
        >>> from llama_index.core import MockEmbedding
        >>> use_models("local:./.my-llamacloud", embed_model=MockEmbedding(embed_dim=8))
    """
    folder, _ = parse_address(address)
    check_models(embed_model, reranker, llm)
    with _lock:
        if any(pid == os.getpid() and shared.cloud.data == folder for (pid, _), shared in _open.items()):
            raise ConfigurationError(
                f"{address} is in use already, with the models it was opened with",
                hint="Call use_models() before anything uses the address.",
            )
        _models[folder] = {"embed_model": embed_model, "reranker": reranker, "llm": llm}


def parse_address(address: str) -> tuple[Path | None, Simulation | None]:
    """Take a `local:` address apart.

    Args:
        address: As `local_transport` takes it.

    Returns:
        The data folder (None for memory) and the simulation (None without a query).

    Raises:
        ConfigurationError: It is not such an address, or its query has unknown or repeated names.

    Example:
        >>> parse_address("local::memory:")
        (None, None)
    """
    scheme, colon, rest = address.partition(":")
    place, question, query = rest.partition("?")
    if scheme != "local" or not colon or not place:
        raise ConfigurationError(f"{address!r} is not a local address", hint="write local:DIR or local::memory:")
    simulation = None
    if question:
        try:
            pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True)
        except ValueError:
            raise ConfigurationError(f"the query of {address!r} is not name=value&name=value") from None
        if len(dict(pairs)) != len(pairs):
            raise ConfigurationError(f"the query of {address!r} repeats a name")
        simulation = simulation_of(dict(pairs))
    return None if place == MEMORY else Path(place).expanduser().absolute(), simulation


def _release(key: tuple[int, str]) -> LocalCloud | None:
    with _lock:
        shared = _open.get(key)
        if shared is None or shared.cloud.data is None:  # memory stays for later clients of this process
            return None
        shared.users -= 1
        return _open.pop(key).cloud if shared.users == 0 else None


def _close_all() -> None:
    with _lock:
        shared = [_open.pop(key) for key in list(_open) if key[0] == os.getpid()]
    for one in shared:
        one.cloud.close()


atexit.register(_close_all)
