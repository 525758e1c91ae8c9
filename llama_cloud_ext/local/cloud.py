"""One open data folder: database, contents, secret and runners, opened at the first request and closed once."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import sqlite3
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from llama_cloud_ext.errors import ConfigurationError
from llama_cloud_ext.local.batch_items import BatchItems
from llama_cloud_ext.local.batch_runner import BatchRunner
from llama_cloud_ext.local.batch_store import Batches
from llama_cloud_ext.local.blobs import Blobs
from llama_cloud_ext.local.configuration_store import ConfigurationStore
from llama_cloud_ext.local.database import NewerSchemaError
from llama_cloud_ext.local.directory_index_store import DirectoryIndexStore
from llama_cloud_ext.local.directory_store import DirectoryStore
from llama_cloud_ext.local.extract_jobs import ExtractJobs
from llama_cloud_ext.local.extract_runner import Extractor, ExtractRunner
from llama_cloud_ext.local.ingestion import IngestionRunner
from llama_cloud_ext.local.job_table import JobTable
from llama_cloud_ext.local.jobs import Engine, JobRunner, ParseJobRecord
from llama_cloud_ext.local.models import check_models
from llama_cloud_ext.local.page_images import PageImages
from llama_cloud_ext.local.pipeline_document_store import PipelineDocumentStore
from llama_cloud_ext.local.pipeline_file_store import PipelineFileStore
from llama_cloud_ext.local.pipeline_store import PipelineStore
from llama_cloud_ext.local.presigned import Signer
from llama_cloud_ext.local.retrieval import Embedder, Reranker, Searcher
from llama_cloud_ext.local.retriever_store import RetrieverStore
from llama_cloud_ext.local.store import ProjectRecord, Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from llama_index.core.base.embeddings.base import BaseEmbedding
    from llama_index.core.llms import LLM
    from llama_index.core.postprocessor.types import BaseNodePostprocessor

    from llama_cloud_ext.local.simulation import Simulation

logger = logging.getLogger(__name__)

T = TypeVar("T")

IO_THREADS = 8
"""Threads for uploads and downloads: enough to keep a disk busy, apart from those that parse."""


class LocalCloud:
    """The state behind one application. Safe to use from any thread or event loop of the process that made it.

    Args:
        data: The data folder (created if need be, readable by its owner only), or None for a temporary one that ends
            with the process.
        simulation: Trouble to pretend, or None.
        tessdata: Folder of OCR data, or None for no OCR.
        engine: A stand-in for the engine, or None.
        embed_model: The LlamaIndex embedding model of indexes; None for the lexical default.
        reranker: The LlamaIndex node postprocessor that re-ranks; None for the lexical default.
        llm: The LlamaIndex LLM that extracts; None for rules without a model.
        extractor: A stand-in for what extracts, or None.

    Raises:
        ConfigurationError: A model is none.
    """

    def __init__(
        self,
        data: Path | None,
        *,
        simulation: Simulation | None = None,
        tessdata: Path | None = None,
        engine: Engine | None = None,
        embed_model: BaseEmbedding | None = None,
        reranker: BaseNodePostprocessor | None = None,
        llm: LLM | None = None,
        extractor: Extractor | None = None,
    ) -> None:
        check_models(embed_model, reranker, llm)
        self.data = data
        self.simulation = simulation
        self.tessdata = tessdata
        self.engine = engine
        self._embed_model = embed_model
        self._reranker = reranker
        self.llm = llm
        self._extractor = extractor
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._opened = False
        self._closed = False
        self._threads: ThreadPoolExecutor | None = None

    @property
    def threads(self) -> ThreadPoolExecutor:
        """Where blocking work of request handlers runs."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(IO_THREADS, "llama-cloud-local-io")
        return self._threads

    async def ensure_open(self) -> None:
        """Open the folder and start its jobs, once.

        Raises:
            ConfigurationError: The folder cannot be used, or a fork inherited this.
        """
        self.check_process()
        if not self._opened:
            await self.in_thread(self.open)

    async def in_thread(self, function: Callable[..., T], *args: object) -> T:
        """Run blocking work off the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self.threads, function, *args)

    def open(self) -> None:
        """Open the folder and start its jobs; blocking, once.

        Raises:
            ConfigurationError: The folder cannot be used, or a fork inherited this.
        """
        with self._lock:
            self.check_process()
            if self._closed:
                raise RuntimeError("this local LlamaCloud is closed")
            if self._opened:
                return
            try:
                self._open()
            except (OSError, sqlite3.Error, NewerSchemaError) as error:
                raise ConfigurationError(f"cannot open the data folder {self.data}: {error}") from error
            self._opened = True

    def _open(self) -> None:
        if self.data is None:
            self.root = Path(tempfile.mkdtemp(prefix="llama-cloud-local-"))
        else:
            self.root = self.data
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.blobs = Blobs(self.root)
        self.signer = Signer.of_folder(self.root)
        database = self.root / "llamacloud.sqlite3"
        self.store = Store(database)
        self.parse_jobs = JobTable(self.store.database, "jobs", ParseJobRecord)
        self.project: ProjectRecord = self.store.project().result()
        self.blobs.sweep(self.store.known_blobs().result())
        self.page_images = PageImages(self.blobs, self.threads, engine=self.engine)
        self.runner = JobRunner(
            self.root,
            self.parse_jobs,
            self.blobs,
            engine=self.engine,
            simulation=self.simulation,
            tessdata=self.tessdata,
        )
        self.configurations = ConfigurationStore(self.store.database)
        self.extract_jobs = ExtractJobs(self.store.database, self.parse_jobs)
        self.extraction = ExtractRunner(
            self.root,
            self.extract_jobs,
            self.parse_jobs,
            self.blobs,
            llm=self.llm,
            extractor=self._extractor,
            simulation=self.simulation,
        )
        self.runner.ends.call(self.extraction.wake)
        self.pipelines = PipelineStore(self.store.database)
        self.pipeline_documents = PipelineDocumentStore(self.store.database)
        self.pipeline_files = PipelineFileStore(self.store.database)
        self.directories = DirectoryStore(self.store.database)
        self.directory_indexes = DirectoryIndexStore(self.store.database)
        self.retrievers = RetrieverStore(self.store.database, self.project.id)
        self.embedder = Embedder(self._embed_model)
        self.reranker = Reranker(self._reranker)
        self.searcher = Searcher(database, self.embedder, self.reranker)
        self.batches = Batches(self.store.database)
        self.batch_items = BatchItems(self.store.database)
        self.ingestion = IngestionRunner(
            self.root, self.store, self.blobs, self.embedder, engine=self.engine, tessdata=self.tessdata
        )
        # Last, as it hands jobs to the others.
        self.batch_runner = BatchRunner(self)

    def close(self) -> None:
        """Stop jobs (they resume at the next start) and close the folder; blocking, harmless when repeated."""
        if os.getpid() != self._process:  # the threads stayed behind in the parent
            return
        with self._lock:
            if self._closed:
                return
            self._closed = True
            if self._opened:
                self.batch_runner.close()
                self.runner.close()
                self.extraction.close()
                self.ingestion.close()
                self.searcher.close()
                self.page_images.close()
                self.store.close()
                if self.data is None:
                    shutil.rmtree(self.root, ignore_errors=True)
            if self._threads is not None:
                self._threads.shutdown(wait=False)

    def check_process(self) -> None:
        """Raise `ConfigurationError` in a process forked from the one that made this."""
        if os.getpid() != self._process:
            where = "in memory" if self.data is None else f"in {self.data}"
            raise ConfigurationError(
                f"this local LlamaCloud {where} was opened by another process (a fork inherited it)",
                hint='use base_url="local:DIR", which any number of processes can open',
            )


async def wait_for(future: Future[T]) -> T:
    """Await a future of the store."""
    return await asyncio.wrap_future(future)
