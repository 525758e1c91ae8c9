"""LlamaCloud on your own machine: the HTTP API of the service, with an engine that needs no network and no account.

Here lives everything behind a `local:` address and behind `llama-cloud-ext serve`: the ASGI application, its storage,
its queues with their runners and, in `engine`, `extraction` and `retrieval`, the work itself. Nothing in here knows of
our own client; what judges it is the official SDK. `wire/` uses `local_transport` and nothing else of it.

`create_app` makes the application, `serve` puts it on a port, `local_transport` reaches it without one, and
`Simulation` gives it latency, rate limits and faults. `use_models` has it embed, re-rank and extract with models of
yours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llama_cloud_ext.local.app import create_app as create_app
    from llama_cloud_ext.local.in_process import local_transport as local_transport
    from llama_cloud_ext.local.in_process import use_models as use_models
    from llama_cloud_ext.local.server import serve as serve
    from llama_cloud_ext.local.simulation import Simulation as Simulation

__all__ = ["Simulation", "create_app", "local_transport", "serve", "use_models"]

_MODULES = {
    "Simulation": "simulation",
    "create_app": "app",
    "local_transport": "in_process",
    "serve": "server",
    "use_models": "in_process",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from importlib import import_module

        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    except ModuleNotFoundError as error:
        from llama_cloud_ext.errors import ConfigurationError

        if (error.name or "").startswith("llama_cloud_ext"):
            raise
        raise ConfigurationError(
            f"local LlamaCloud needs the package {error.name}", hint='pip install "llama-cloud-ext[local]"'
        ) from error
