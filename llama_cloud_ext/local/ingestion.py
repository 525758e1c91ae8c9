"""The ingestion runner: makes chunks and vectors of the documents and files that wait, and writes them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llama_cloud_ext.local.dispatcher import MOST_ATTEMPTS, Dispatcher
from llama_cloud_ext.local.file_parsing import ParsedFile, parse_pipeline_file
from llama_cloud_ext.local.garbage_collection import seldom_collected
from llama_cloud_ext.local.ingestion_queue import DocumentBatch, FileTask, Ingested, IngestionQueue
from llama_cloud_ext.local.jobs import JobFailure
from llama_cloud_ext.local.leases import Owner
from llama_cloud_ext.local.pipeline_records import DocumentRecord, PipelineRecord
from llama_cloud_ext.local.retrieval import Chunk, Embedder, embedding_text, split_document

if TYPE_CHECKING:
    from llama_cloud_ext.local.blobs import Blobs
    from llama_cloud_ext.local.jobs import Engine
    from llama_cloud_ext.local.store import Store

logger = logging.getLogger(__name__)


class IngestionRunner:
    """Ingests what the pipelines of one data folder have accepted.

    Args:
        root: The data folder.
        store: Its database.
        blobs: Its contents.
        embedder: Computes the vectors.
        engine: What parses a file; None for the real one.
        tessdata: Folder of OCR data for the engine, or None for no OCR.

    Attributes:
        ends: Tells when documents or files end here.
    """

    def __init__(
        self,
        root: Path,
        store: Store,
        blobs: Blobs,
        embedder: Embedder,
        *,
        engine: Engine | None,
        tessdata: Path | None,
    ) -> None:
        self._blobs = blobs
        self._embedder = embedder
        self._engine = engine
        self._tessdata = tessdata
        owner = Owner(root)
        self._queue = IngestionQueue(store.database, owner.id, embedder.name)
        self._dispatcher = Dispatcher(owner, self._queue, self._ingest, name="ingestion")
        self.ends = self._dispatcher.ends

    def wake(self) -> None:
        """Say that there is something to ingest."""
        self._dispatcher.wake()

    def close(self) -> None:
        """Stop, and put unfinished work back in the queues."""
        self._dispatcher.close()

    def _ingest(self, task: DocumentBatch | FileTask, stop: threading.Event) -> None:
        with seldom_collected():
            if isinstance(task, DocumentBatch):
                self._ingest_documents(task, stop)
            else:
                self._ingest_file(task, stop)

    def _ingest_documents(self, batch: DocumentBatch, stop: threading.Event) -> None:
        outcomes = [self._split(batch.pipeline, document) for document in batch.documents]
        self._embed(outcomes, stop)
        if not stop.is_set():
            self._queue.finish_documents(batch.pipeline, outcomes).result()

    def _split(self, pipeline: PipelineRecord, document: DocumentRecord) -> Ingested:
        outcome = Ingested(document)
        if document.attempts > MOST_ATTEMPTS:
            outcome.error = f"ingesting this document was interrupted {MOST_ATTEMPTS} times; it may end the process"
            return outcome
        return _caught(outcome, lambda: self._chunks(pipeline, document))

    def _chunks(self, pipeline: PipelineRecord, document: Any) -> list[Chunk]:
        config = pipeline.configuration.get("metadata_config") or {}
        return split_document(
            document_id=document.id,
            text=document.text,
            metadata=document.metadata,
            excluded_embed_metadata_keys=_joined(
                document.excluded_embed_metadata_keys, config.get("excluded_embed_metadata_keys")
            ),
            excluded_llm_metadata_keys=_joined(
                document.excluded_llm_metadata_keys, config.get("excluded_llm_metadata_keys")
            ),
            page_positions=document.page_positions,
            transform_config=pipeline.transform,
            embedder=self._embedder,
        )

    def _embed(self, outcomes: Sequence[Ingested], stop: threading.Event) -> None:
        """Embed all chunks of a batch at once; where that fails, each document by itself, to find the one at fault."""
        good = [outcome for outcome in outcomes if outcome.error is None]
        texts = [embedding_text(chunk) for outcome in good for chunk in outcome.chunks]
        try:
            vectors = self._embedder.embed_documents(texts)
        except Exception as error:
            if len(good) == 1:
                good[0].error = _explained(error)
                return
            for outcome in good:
                if stop.is_set():  # nothing of this will be written any more
                    return
                self._embed([outcome], stop)
            return
        start = 0
        for outcome in good:
            outcome.vectors = vectors[start : start + len(outcome.chunks)]
            start += len(outcome.chunks)

    def _ingest_file(self, task: FileTask, stop: threading.Event) -> None:
        outcome, parsed = Ingested(None), self._parse(task, stop)  # type: ignore[arg-type]  # its document is new
        if isinstance(parsed, str):
            outcome.error = parsed
        else:
            _caught(outcome, lambda: self._chunks(task.pipeline, parsed.document))
            self._embed([outcome], stop)
        if not stop.is_set():
            document = None if isinstance(parsed, str) else parsed.document
            pages = 0 if isinstance(parsed, str) else parsed.pages
            self._queue.finish_file(task, document, outcome, pages).result()

    def _parse(self, task: FileTask, stop: threading.Event) -> ParsedFile | str:
        """What is in the file, or the reason why nothing is."""
        if task.file.attempts > MOST_ATTEMPTS:
            return f"DOCUMENT_TOO_LARGE: parsing was interrupted {MOST_ATTEMPTS} times; it may end the process"
        try:
            return parse_pipeline_file(
                task.file,
                self._blobs.file(task.file.file_id),
                task.pipeline.configuration.get("llama_parse_parameters") or {},
                engine=self._engine,
                tessdata=self._tessdata,
                should_stop=stop.is_set,
            )
        except JobFailure as error:
            return str(error)
        except Exception as error:
            logger.exception("file %s of the local LlamaCloud failed unexpectedly", task.file.file_id)
            return _explained(error)


def _caught(outcome: Ingested, split: Callable[[], list[Chunk]]) -> Ingested:
    try:
        outcome.chunks = split()
    except Exception as error:
        outcome.error = _explained(error)
    return outcome


def _explained(error: Exception) -> str:
    text = str(error).strip()
    return text if isinstance(error, ValueError) and text else f"{type(error).__name__}: {text}"


def _joined(keys: Sequence[str], more: Sequence[str] | None) -> list[str]:
    return list(dict.fromkeys([*keys, *(more or [])]))
