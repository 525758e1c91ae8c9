"""The job runner: takes jobs from the queue, runs the engine, stores results.

One dispatcher thread claims jobs and renews leases; each claimed job has a thread, and as many of them as there are
cores work at a time. Several processes may run on one folder: leases keep them from running a job twice, and what a
killed process leaves is taken up by another or by its own restart.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llama_cloud_ext.local.garbage_collection import seldom_collected
from llama_cloud_ext.local.job_ends import JobEnds
from llama_cloud_ext.local.leases import LEASE_SECONDS, RENEWAL_SECONDS, Owner
from llama_cloud_ext.local.results import write_results
from llama_cloud_ext.local.source_fetching import FetchError, fetch_source

if TYPE_CHECKING:
    from llama_cloud_ext.local.blobs import Blobs
    from llama_cloud_ext.local.engine import EngineResult
    from llama_cloud_ext.local.simulation import Simulation
    from llama_cloud_ext.local.store import JobRecord, Store

logger = logging.getLogger(__name__)

Engine = Callable[..., "EngineResult"]
"""`parse_document` of `llama_cloud_ext.local.engine`, or a stand-in with its signature."""

POLL_SECONDS = 0.5
"""How soon a process notices jobs that another one accepted or left behind; its own wake it at once."""

LONGEST_GOODBYE = 2.0
"""Seconds that closing waits for running jobs; they resume at the next start."""

MOST_ATTEMPTS = 5
"""Starts of one job. A document that kills its process each time must not do so for ever."""

MOST_WAITING = 1000
"""Jobs that may sit out a simulated latency at the same time."""

DEFAULT_FAILURE_RATIO = 0.05
"""Share of pages that may fail before the job does, as the service has it."""


class JobRunner:
    """Runs the jobs of one data folder.

    Args:
        root: The data folder.
        store: Its database.
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
        store: Store,
        blobs: Blobs,
        *,
        engine: Engine | None,
        simulation: Simulation | None,
        tessdata: Path | None,
    ) -> None:
        self._store = store
        self._blobs = blobs
        self._engine = engine
        self._simulation = simulation
        self._tessdata = tessdata
        self._owner = Owner(root)
        cores = available_cores()
        self._cores = threading.BoundedSemaphore(cores)
        delayed = simulation is not None and simulation.delays_jobs
        pretended = simulation.max_concurrent_jobs if simulation is not None else None
        self._slots = pretended or (MOST_WAITING if delayed else cores)
        self._lock = threading.Lock()
        self._running: dict[str, threading.Event] = {}
        self.ends = JobEnds()
        self._wake = threading.Event()
        self._closing = False
        self._dispatcher = threading.Thread(target=self._dispatch, name="llama-cloud-local-jobs", daemon=True)
        self._dispatcher.start()

    def wake(self) -> None:
        """Say that a job was accepted."""
        self._wake.set()

    def stop_job(self, job_id: str) -> None:
        """Stop a job that was cancelled, if it runs here (elsewhere its lease tells)."""
        with self._lock:
            if (stop := self._running.get(job_id)) is not None:
                stop.set()
        self.ends.tell()

    def close(self) -> None:
        """Stop, and put unfinished jobs back in the queue."""
        self._closing = True
        self._wake.set()
        self._dispatcher.join(LONGEST_GOODBYE)
        with self._lock:
            for stop in self._running.values():
                stop.set()
        deadline = time.monotonic() + LONGEST_GOODBYE
        while self._running and time.monotonic() < deadline:
            time.sleep(0.01)
        self._store.release_leases(self._owner.id).result()
        self._owner.close()

    # -- the dispatcher's thread --------------------------------------------------------------------------------

    def _dispatch(self) -> None:
        renewed = time.monotonic()
        while not self._closing:
            try:
                while self._claim():
                    pass
                if self._running and time.monotonic() - renewed >= RENEWAL_SECONDS:
                    renewed = time.monotonic()
                    self._renew()
            except Exception:
                logger.exception("the job queue of the local LlamaCloud could not be read; trying again")
                time.sleep(POLL_SECONDS)
            self._wake.wait(POLL_SECONDS)
            self._wake.clear()

    def _claim(self) -> bool:
        if self._closing or len(self._running) >= self._slots:
            return False
        gone, alive = self._owner.fates_of(self._store.other_owners(self._owner.id).result())
        job = self._store.claim_job(self._owner.id, LEASE_SECONDS, gone=gone, alive=alive).result()
        if job is None:
            return False
        stop = threading.Event()
        with self._lock:
            self._running[job.id] = stop
        threading.Thread(target=self._run, args=(job, stop), name=f"llama-cloud-local-{job.id}", daemon=True).start()
        return True

    def _renew(self) -> None:
        held = self._store.renew_leases(self._owner.id, LEASE_SECONDS).result()
        with self._lock:
            for job_id, stop in self._running.items():
                if job_id not in held:
                    stop.set()

    # -- a job's thread -----------------------------------------------------------------------------------------

    def _run(self, job: JobRecord, stop: threading.Event) -> None:
        try:
            delay = self._simulation.draw_latency(job.name) if self._simulation is not None else 0.0
            if delay:
                stop.wait(delay)
            with self._cores:
                if not stop.is_set():
                    self._work(job, stop)
        except Exception:
            # Only the database can fail here; the lease expires and the job is tried again.
            if not self._closing:
                logger.exception("job %s of the local LlamaCloud was interrupted", job.id)
        finally:
            with self._lock:
                self._running.pop(job.id, None)
            self.ends.tell()
            self._wake.set()

    def _work(self, job: JobRecord, stop: threading.Event) -> None:
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
        finished = self._store.finish_job(
            job.id, self._owner.id, result_id=result_id if failure is None else None, error_message=failure
        ).result()
        if failure is not None or not finished:
            self._blobs.delete(folder)
        if finished:
            self._blobs.delete(self._blobs.source(job.id))

    def _parse(self, job: JobRecord, folder: Path, stop: threading.Event) -> None:
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


def available_cores() -> int:
    """Cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1


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
