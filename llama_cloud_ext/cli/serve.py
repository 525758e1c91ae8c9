"""``llama-cloud-ext serve``: local LlamaCloud on a port, for the official SDK, curl and any other client."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from llama_cloud_ext.cli.service import component, exit_codes
from llama_cloud_ext.errors import ConfigurationError


def serve(
    data: Annotated[
        Path, typer.Option("--data", metavar="DIR", help="Where files, jobs and results are kept; made if missing.")
    ],
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port; 0 takes a free one.")] = 8765,
    host: Annotated[
        str, typer.Option("--host", help="Address to listen on. Any but a loopback address needs --api-key-env.")
    ] = "127.0.0.1",
    api_key_env: Annotated[
        str | None,
        typer.Option(
            "--api-key-env",
            metavar="NAME",
            help="Environment variable with the key that clients must send. Without it, none is asked for.",
        ),
    ] = None,
    tessdata: Annotated[
        Path | None, typer.Option("--tessdata", metavar="DIR", help="Tesseract data, for reading scans; else no OCR.")
    ] = None,
    embed_model: Annotated[
        str | None,
        typer.Option(
            "--embed-model",
            metavar="MODULE:NAME",
            help="A LlamaIndex embedding model, or its class, for indexes; else a lexical one without a model.",
        ),
    ] = None,
    reranker: Annotated[
        str | None,
        typer.Option(
            "--reranker",
            metavar="MODULE:NAME",
            help="A LlamaIndex node postprocessor, or its class, that re-ranks; else a lexical one.",
        ),
    ] = None,
    llm: Annotated[
        str | None,
        typer.Option(
            "--llm",
            metavar="MODULE:NAME",
            help="A LlamaIndex LLM, or its class, that extracts; else rules without a model.",
        ),
    ] = None,
    simulate: Annotated[
        list[str] | None,
        typer.Option(
            "--simulate",
            metavar="NAME=VALUE",
            help="Trouble to pretend, for tests of clients: latency=0.3-12, requests_per_minute=60, fault_rate=0.2, "
            "faults=429,lost, max_concurrent_jobs=4, download_seconds=5, seed=1. May be repeated.",
        ),
    ] = None,
) -> None:
    """Serve local LlamaCloud until Ctrl-C. The address is printed once it answers."""
    with exit_codes():
        from llama_cloud_ext import local
        from llama_cloud_ext.local.simulation import simulation_of

        options = dict(_pair(text) for text in simulate or [])
        local.serve(
            data,
            host,
            port,
            api_key=None if api_key_env is None else _key_in(api_key_env),
            simulate=simulation_of(options) if options else None,
            tessdata=tessdata,
            embed_model=None if embed_model is None else component(embed_model, "--embed-model"),
            reranker=None if reranker is None else component(reranker, "--reranker"),
            llm=None if llm is None else component(llm, "--llm"),
            on_start=typer.echo,
        )


def _key_in(name: str) -> str:
    key = os.environ.get(name, "")
    if not key:
        raise ConfigurationError(
            f"the environment variable {name} is not set", option="--api-key-env", hint=f"Put the key into {name}."
        )
    return key


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ConfigurationError(f"{text!r} is not NAME=VALUE", option="--simulate", hint="For example latency=0.3-12.")
    return name, value
