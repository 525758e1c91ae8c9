"""The application: routes, errors, keys, and the life of the data folder behind them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from llama_cloud_ext.local import (
    attachments_routes,
    batch_processing_routes,
    batches_routes,
    configurations_routes,
    directories_routes,
    directory_files_routes,
    extract_routes,
    extract_schema_routes,
    files_routes,
    index_retrieval_routes,
    indexes_routes,
    page_images_routes,
    parse_routes,
    pipeline_documents_routes,
    pipeline_files_routes,
    pipelines_routes,
    projects_routes,
    retrieval_routes,
    retrievers_routes,
)
from llama_cloud_ext.local.answers import json_answer
from llama_cloud_ext.local.cloud import LocalCloud
from llama_cloud_ext.local.middleware import ErrorAnswers, KeyCheck, OpenCloud, SimulatedTrouble

if TYPE_CHECKING:
    from llama_index.core.base.embeddings.base import BaseEmbedding
    from llama_index.core.llms import LLM
    from llama_index.core.postprocessor.types import BaseNodePostprocessor
    from starlette.requests import Request
    from starlette.responses import Response

    from llama_cloud_ext.local.extract_runner import Extractor
    from llama_cloud_ext.local.jobs import Engine
    from llama_cloud_ext.local.simulation import Simulation


ROUTE_MODULES = (
    files_routes,
    page_images_routes,
    parse_routes,
    extract_schema_routes,
    extract_routes,
    configurations_routes,
    pipelines_routes,
    pipeline_documents_routes,
    pipeline_files_routes,
    retrieval_routes,
    retrievers_routes,
    directories_routes,
    directory_files_routes,
    indexes_routes,
    index_retrieval_routes,
    attachments_routes,
    batches_routes,
    batch_processing_routes,
    projects_routes,
)


def create_app(
    data: str | Path | None,
    *,
    api_key: str | None = None,
    simulate: Simulation | None = None,
    tessdata: Path | None = None,
    engine: Engine | None = None,
    embed_model: BaseEmbedding | None = None,
    reranker: BaseNodePostprocessor | None = None,
    llm: LLM | None = None,
    extractor: Extractor | None = None,
) -> Starlette:
    """Make an ASGI application that answers as LlamaCloud does.

    Its jobs start with its lifespan, or with the first request where a host runs no lifespan.

    Args:
        data: The data folder (created if need be); None for a temporary one that ends with the process.
        api_key: The key that requests must bring; None to accept any or none.
        simulate: Latency, limits and faults to pretend.
        tessdata: Folder of Tesseract data, for OCR; None for no OCR.
        engine: A stand-in for `llama_cloud_ext.local.engine.parse_document`.
        embed_model: The LlamaIndex embedding model of indexes. The default is lexical: it needs no model and no
            network, and finds words and their parts, not meaning.
        reranker: The LlamaIndex node postprocessor that orders what was found. The default is lexical too.
        llm: The LlamaIndex LLM that extracts. Without one, rules find labelled values, and nothing else.
        extractor: A stand-in for `llama_cloud_ext.local.extraction.extract`.

    Returns:
        The application.

    Example:
        >>> app = create_app(None)
        >>> app.state.cloud.close()
    """
    folder = None if data is None else Path(data).absolute()
    cloud = LocalCloud(
        folder,
        simulation=simulate,
        tessdata=tessdata,
        engine=engine,
        embed_model=embed_model,
        reranker=reranker,
        llm=llm,
        extractor=extractor,
    )
    return app_for(cloud, api_key=api_key)


def app_for(cloud: LocalCloud, *, api_key: str | None = None) -> Starlette:
    """Make the application of a data folder that several applications may share.

    Args:
        cloud: The data folder.
        api_key: The key that requests must bring, or None.
    """

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await cloud.ensure_open()
        try:
            yield
        finally:
            # Not in the folder's own threads, which end with it.
            await asyncio.to_thread(cloud.close)

    middleware = [Middleware(ErrorAnswers)]
    if cloud.simulation is not None:
        middleware.append(Middleware(SimulatedTrouble, simulation=cloud.simulation))
    if api_key is not None:
        middleware.append(Middleware(KeyCheck, api_key=api_key))
    middleware.append(Middleware(OpenCloud, cloud=cloud))
    app = Starlette(
        routes=[route for module in ROUTE_MODULES for route in module.ROUTES],
        middleware=middleware,
        exception_handlers={HTTPException: _http_error},
        lifespan=lifespan,
    )
    app.state.cloud = cloud
    return app


async def _http_error(_: Request, error: Exception) -> Response:
    status, detail = (error.status_code, error.detail) if isinstance(error, HTTPException) else (500, str(error))
    return json_answer({"detail": detail}, status)
