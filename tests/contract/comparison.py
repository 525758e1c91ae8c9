"""How requests are compared: a call through the official SDK, and the same one through this package."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from llama_cloud_ext.wire.io_loop import in_thread, run
from llama_cloud_ext.wire.settings import Settings
from llama_cloud_ext.wire.sources import resolve_source
from llama_cloud_ext.wire.transport import Connection
from tests.contract.official_sdk import OfficialSdk
from tests.contract.recording import Recorder

KEY = "llx-contract"
SCOPE = {"project_id": "prj-1", "organization_id": "org-1"}
ODD_ID = "a/b c?ü%2F#"
"""An id that means something else wherever it is not encoded."""

Call = tuple[str, dict[str, Any], Callable[..., Any], list[Any], dict[str, Any]]
"""The SDK's method and its arguments; our function, its arguments and its options."""


def recorded(client: Any, function: str, arguments: dict[str, Any], scope: dict[str, str]) -> list[dict[str, Any]]:
    """What the SDK sends for a call (lists are read to their end), in as much of a scope as the call takes."""
    import inspect
    import operator
    import warnings

    warnings.simplefilter("ignore")
    client.recorded.clear()
    method = operator.attrgetter(function)(client)
    known = inspect.signature(method).parameters
    taken = {name: value for name, value in scope.items() if name in known and name not in arguments}
    answer = method(**arguments, **taken)
    if "Paginated" in type(answer).__name__:
        list(answer)
    return client.recorded


def by_path(client: Any, function: str, path: str, field: str, arguments: dict[str, Any]) -> list[dict[str, Any]]:
    """What the SDK sends for an upload."""
    import operator
    from pathlib import Path

    client.recorded.clear()
    operator.attrgetter(function)(client)(**{field: Path(path)}, **arguments)
    return client.recorded


def ours(function: Callable[..., Any], *arguments: Any, scoped: bool = False, **options: Any) -> list[dict[str, Any]]:
    """What a function of `llama_cloud_ext.wire` sends."""
    recorder = Recorder()
    settings = Settings.resolve(
        api_key=KEY,
        base_url="https://cloud.example",
        transport=httpx.MockTransport(recorder),
        environ={},
        **(SCOPE if scoped else {}),
    )

    async def call() -> None:
        connection = Connection(settings)
        given = [await in_thread(resolve_source, item) if isinstance(item, Path) else item for item in arguments]
        answer = function(connection, *given, **options)
        if isinstance(answer, AsyncIterator):
            async for _ in answer:
                pass
        else:
            await answer
        await connection.aclose()

    run(call)
    return recorder.requests


def connection(recorder: Recorder) -> dict[str, Any]:
    """Arguments that have a client record what it sends."""
    transport = httpx.MockTransport(recorder)
    return {"api_key": KEY, "base_url": "https://cloud.example", "transport": transport, **SCOPE}


def compare(sdk: OfficialSdk, call: Call, scope: dict[str, str]) -> None:
    """Assert that both send the same: method, path, query, body and authorisation.

    Args:
        sdk: The recording SDK.
        call: The call.
        scope: Project and organization, as far as the SDK's method takes them; empty for none.
    """
    function, arguments, own, values, options = call
    plain = json.loads(json.dumps(arguments, default=_iso))
    expected = sdk.run(recorded, function=function, arguments=plain, scope=scope)
    assert ours(own, *values, scoped=bool(scope), **options) == expected


def each_call(calls: Sequence[Call]) -> Any:
    """Parametrize a test by calls, each with a scope and without."""

    def mark(test: Any) -> Any:
        ids = [f"{function}-{number}" for number, (function, *_) in enumerate(calls)]
        scopes = pytest.mark.parametrize("scope", [{}, SCOPE], ids=["unscoped", "scoped"])
        return pytest.mark.parametrize("call", calls, ids=ids)(scopes(test))

    return mark


def _iso(value: datetime) -> str:
    return value.isoformat()
