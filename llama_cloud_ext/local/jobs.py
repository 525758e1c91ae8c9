"""The runner of parse jobs: runs the engine on what was accepted, and stores the results."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llama_cloud_ext.local.dispatcher import MOST_ATTEMPTS, Dispatcher, slots_of
from llama_cloud_ext.local.garbage_collection import seldom_collected
from llama_cloud_ext.local.job_table import JobRecord
from llama_cloud_ext.local.leases import Owner
from llama_cloud_ext.local.results import write_results
from llama_cloud_ext.local.source_fetching import FetchError, fetch_source

if TYPE_CHECKING:
    from llama_cloud_ext.local.blobs import Blobs
    from llama_cloud_ext.local.engine import EngineResult
    from llama_cloud_ext.local.job_table import JobTable
    from llama_cloud_ext.local.simulation import Simulation

logger = logging.getLogger(__name__)

Engine = Callable[..., "EngineResult"]
"""`parse_document` of `llama_cloud_ext.local.engine`, or a stand-in with its signature."""

DEFAULT_FAILURE_RATIO = 0.05
"""Share of pages that may fail before the job does, as the service has it."""


@dataclass(frozen=True)
class ParseJobRecord(JobRecord):
    """One parse job. `result_id` is the folder of a completed job's results."""

    result_id: str | None


class JobRunner:
    """Runs the parse jobs of one data folder.

    Args:
        root: The data folder.
        jobs: Its parse jobs.
        blobs: Its contents.
        engine: What parses a document; None for the real one.
        simulation: Latency and concurrency to pretend, or None.
        tessdata: Folder of OCR data for the engine, or None for no OCR.

    Attributes:
        ends: Tells when jobs end here.
    """

    def __init__(
        self,
        root: Path,
        jobs: JobTable[ParseJobRecord],
        blobs: Blobs,
        *,
        engine: Engine | None,
        simulation: Simulation | None,
        tessdata: Path | None,
    ) -> None:
        self._blobs = blobs
        self._engine = engine
        self._tessdata = tessdata
        owner = Owner(root)
        self._queue = jobs.queue(owner.id)
        self._dispatcher = Dispatcher(
            owner,
            self._queue,
            self._work,
            name="parsing",
            slots=slots_of(simulation),
            delay=None if simulation is None else lambda job: simulation.draw_latency(job.name),
        )
        self.ends = self._dispatcher.ends

    def wake(self) -> None:
        """Say that a job was accepted."""
        self._dispatcher.wake()

    def stop_job(self, job_id: str) -> None:
        """Stop a job that was cancelled, if it runs here (elsewhere its lease tells)."""
        self._dispatcher.stop(lambda job: job.id == job_id)

    def close(self) -> None:
        """Stop, and put unfinished jobs back in the queue."""
        self._dispatcher.close()

    def _work(self, job: ParseJobRecord, stop: threading.Event) -> None:
        result_id = uuid.uuid4().hex
        folder = self._blobs.result(result_id)
        failure: str | None
        try:
            with seldom_collected():
                self._parse(job, folder, stop)
            failure = None
        except JobFailure as error:
            failure = str(error)
        except Exception as error:
            if not stop.is_set():  # a cancelled job's source may be gone already
                logger.exception("job %s of the local LlamaCloud failed unexpectedly", job.id)
            failure = f"Internal error of the local engine: {type(error).__name__}: {error}"
        if stop.is_set():  # cancelled, taken over, or closing: the outcome is nobody's business any more
            self._blobs.delete(folder)
            return
        finished = self._queue.finish(
            job.id, result_id=result_id if failure is None else None, error_message=failure
        ).result()
        if failure is not None or not finished:
            self._blobs.delete(folder)
        if finished:
            self._blobs.delete(self._blobs.source(job.id))

    def _parse(self, job: ParseJobRecord, folder: Path, stop: threading.Event) -> None:
        from llama_cloud_ext.local.engine import EngineError

        if job.attempts > MOST_ATTEMPTS:
            raise JobFailure(
                "DOCUMENT_TOO_LARGE",
                f"the process was killed {MOST_ATTEMPTS} times while parsing this file, most likely for lack of memory",
            )
        engine = self._engine or real_engine()
        configuration = job.configuration
        path, name = self._blobs.source(job.id), job.name
        fetched: Path | None = None
        started = time.monotonic()
        try:
            if "source_url" in configuration:
                path = fetched = self._blobs.new_incoming()
                name = fetch_source(
                    configuration["source_url"],
                    path,
                    proxy=configuration.get("http_proxy"),
                    should_stop=stop.is_set,
                )
            if not path.exists():
                raise JobFailure("NO_DATA_FOUND_IN_FILE", "Source file not found in storage")
            result = engine(path, name, configuration, tessdata=self._tessdata, should_stop=stop.is_set)
            _check_failed_pages(result, configuration)
            facts = {"processing_seconds": round(time.monotonic() - started, 3)}
            write_results(folder, result, configuration, facts)
            self._blobs.flush(folder)
        except EngineError as error:
            raise JobFailure(error.code, error.message) from error
        except FetchError as error:
            # None of the codes is about getting the file; a wrong one would give wrong advice.
            raise JobFailure(None, f"source_url: {error}") from error
        except MemoryError as error:
            raise JobFailure("DOCUMENT_TOO_LARGE", "there is not enough memory to parse this file") from error
        finally:
            if fetched is not None:
                self._blobs.delete(fetched)


class JobFailure(Exception):  # noqa: N818 - a job's outcome, no error of this program
    """Ends a job as FAILED: a code of the service's error reference, where one fits, and an explanation.

    Example:
        >>> str(JobFailure("PDF_IS_BROKEN", "no pages"))
        'PDF_IS_BROKEN: no pages'
    """

    def __init__(self, code: str | None, explanation: str) -> None:
        super().__init__(f"{code}: {explanation}" if code else explanation)


def _check_failed_pages(result: EngineResult, configuration: dict[str, Any]) -> None:
    failed = [page.number for page in result.pages if page.error is not None]
    conditions = (configuration.get("processing_control") or {}).get("job_failure_conditions") or {}
    ratio = conditions.get("allowed_page_failure_ratio")
    allowed = DEFAULT_FAILURE_RATIO if ratio is None else ratio
    if failed and len(failed) / len(result.pages) > allowed:
        first = next(page.error for page in result.pages if page.error is not None)
        raise JobFailure(
            "PDF_IS_BROKEN",
            f"{len(failed)} of {len(result.pages)} pages failed (first: page {failed[0]}, {first}); "
            f"allowed_page_failure_ratio is {allowed:g}",
        )


def real_engine() -> Engine:
    """`parse_document`, loaded at its first use."""
    # Its native library takes tens of milliseconds to load, and tests with their own engine never need it.
    from llama_cloud_ext.local.engine import parse_document

    return parse_document
