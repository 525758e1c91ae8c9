"""The ingestion runner: takes documents and files from the queues, makes chunks and vectors of them, and writes them.

One dispatcher thread claims work and renews leases; as many threads as there are cores work. What a killed process
leaves is taken up by another one or by its own restart.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llama_cloud_ext.local.file_parsing import ParsedFile, parse_pipeline_file
from llama_cloud_ext.local.garbage_collection import seldom_collected
from llama_cloud_ext.local.ingestion_queue import DocumentBatch, FileTask, Ingested, IngestionQueue
from llama_cloud_ext.local.job_ends import JobEnds
from llama_cloud_ext.local.jobs import MOST_ATTEMPTS, POLL_SECONDS, JobFailure, available_cores
from llama_cloud_ext.local.leases import LEASE_SECONDS, RENEWAL_SECONDS, Owner
from llama_cloud_ext.local.pipeline_records import DocumentRecord, PipelineRecord
from llama_cloud_ext.local.retrieval import Chunk, Embedder, embedding_text, split_document

if TYPE_CHECKING:
    from llama_cloud_ext.local.blobs import Blobs
    from llama_cloud_ext.local.jobs import Engine
    from llama_cloud_ext.local.store import Store

logger = logging.getLogger(__name__)

LONGEST_GOODBYE = 2.0
"""Seconds that closing waits for work under way; it resumes at the next start."""


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
        self._owner = Owner(root)
        self._queue = IngestionQueue(store.database, self._owner.id, embedder.name)
        self._most = available_cores()
        self._lock = threading.Lock()
        self._running = 0
        self.ends = JobEnds()
        self._wake = threading.Event()
        self._closing = False
        self._dispatcher = threading.Thread(target=self._dispatch, name="llama-cloud-local-ingestion", daemon=True)
        self._dispatcher.start()

    def wake(self) -> None:
        """Say that there is something to ingest."""
        self._wake.set()

    def close(self) -> None:
        """Stop, and put unfinished work back in the queues."""
        self._closing = True
        self._wake.set()
        self._dispatcher.join(LONGEST_GOODBYE)
        deadline = time.monotonic() + LONGEST_GOODBYE
        while self._running and time.monotonic() < deadline:
            time.sleep(0.01)
        self._queue.release().result()
        self._owner.close()

    # -- the dispatcher's thread --------------------------------------------------------------------------------

    def _dispatch(self) -> None:
        renewed = time.monotonic()
        while not self._closing:
            try:
                # First, or a process that was suspended would take its own work for somebody's who has gone.
                if self._running and time.monotonic() - renewed >= RENEWAL_SECONDS:
                    renewed = time.monotonic()
                    self._queue.renew(LEASE_SECONDS).result()
                while self._claim():
                    pass
            except Exception:
                logger.exception("the ingestion queue of the local LlamaCloud could not be read; trying again")
                time.sleep(POLL_SECONDS)
            self._wake.wait(POLL_SECONDS)
            self._wake.clear()

    def _claim(self) -> bool:
        if self._closing or self._running >= self._most:
            return False
        gone, alive = self._owner.fates_of(self._queue.other_owners().result())
        task = self._queue.claim(LEASE_SECONDS, gone=gone, alive=alive).result()
        if task is None:
            return False
        with self._lock:
            self._running += 1
        threading.Thread(target=self._run, args=(task,), name="llama-cloud-local-ingesting", daemon=True).start()
        return True

    # -- a worker's thread --------------------------------------------------------------------------------------

    def _run(self, task: DocumentBatch | FileTask) -> None:
        try:
            with seldom_collected():
                if isinstance(task, DocumentBatch):
                    self._ingest_documents(task)
                else:
                    self._ingest_file(task)
        except Exception:
            # Only the database can fail here. If it does so again, the lease expires when there is no other work.
            if not self._closing:
                logger.exception("an ingestion of the local LlamaCloud was interrupted")
                time.sleep(POLL_SECONDS)
                with suppress(Exception):
                    self._queue.give_back(task).result()
        finally:
            with self._lock:
                self._running -= 1
            self.ends.tell()
            self._wake.set()

    def _ingest_documents(self, batch: DocumentBatch) -> None:
        outcomes = [self._split(batch.pipeline, document) for document in batch.documents]
        self._embed(outcomes)
        if not self._closing:
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

    def _embed(self, outcomes: Sequence[Ingested]) -> None:
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
                if self._closing:  # nothing of this will be written any more
                    return
                self._embed([outcome])
            return
        start = 0
        for outcome in good:
            outcome.vectors = vectors[start : start + len(outcome.chunks)]
            start += len(outcome.chunks)

    def _ingest_file(self, task: FileTask) -> None:
        outcome, parsed = Ingested(None), self._parse(task)  # type: ignore[arg-type]  # its document is new
        if isinstance(parsed, str):
            outcome.error = parsed
        else:
            _caught(outcome, lambda: self._chunks(task.pipeline, parsed.document))
            self._embed([outcome])
        if not self._closing:
            document = None if isinstance(parsed, str) else parsed.document
            pages = 0 if isinstance(parsed, str) else parsed.pages
            self._queue.finish_file(task, document, outcome, pages).result()

    def _parse(self, task: FileTask) -> ParsedFile | str:
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
                should_stop=lambda: self._closing,
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
