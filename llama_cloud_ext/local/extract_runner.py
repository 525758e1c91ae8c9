"""The runner of extract jobs: reads the data out of documents once their parse jobs have ended."""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llama_cloud_ext import __version__
from llama_cloud_ext.local.dispatcher import MOST_ATTEMPTS, Dispatcher, slots_of
from llama_cloud_ext.local.extract_pages import chosen_pages, read_pages
from llama_cloud_ext.local.job_table import COMPLETED
from llama_cloud_ext.local.jobs import JobFailure
from llama_cloud_ext.local.leases import Owner

if TYPE_CHECKING:
    from llama_index.core.llms import LLM

    from llama_cloud_ext.local.blobs import Blobs
    from llama_cloud_ext.local.extract_jobs import ExtractJobs
    from llama_cloud_ext.local.extract_records import ExtractJobRecord
    from llama_cloud_ext.local.extraction import Extraction
    from llama_cloud_ext.local.job_table import JobTable
    from llama_cloud_ext.local.jobs import ParseJobRecord
    from llama_cloud_ext.local.simulation import Simulation

logger = logging.getLogger(__name__)

Extractor = Callable[..., "Extraction"]
"""`extract` of `llama_cloud_ext.local.extraction`, or a stand-in with its signature."""

LLM_JOBS = 8
"""Jobs at a time that ask a model, which mostly means waiting for it."""

WORKBOOKS = (".xlsx", ".xls", ".csv")
"""What `spreadsheet_mode` reads."""


class ExtractRunner:
    """Runs the extract jobs of one data folder.

    Args:
        root: The data folder.
        jobs: Its extract jobs.
        parse_jobs: Its parse jobs.
        blobs: Its contents.
        llm: The LlamaIndex LLM that extracts; None for rules without a model.
        extractor: What extracts; None for the real one.
        simulation: Latency and concurrency to pretend, or None.

    Attributes:
        ends: Tells when jobs end here.
    """

    def __init__(
        self,
        root: Path,
        jobs: ExtractJobs,
        parse_jobs: JobTable[ParseJobRecord],
        blobs: Blobs,
        *,
        llm: LLM | None,
        extractor: Extractor | None,
        simulation: Simulation | None,
    ) -> None:
        self._jobs = jobs
        self._parse_jobs = parse_jobs
        self._blobs = blobs
        self._llm = llm
        self._extractor = extractor
        self._simulation = simulation
        owner = Owner(root)
        self._queue = jobs.queue(owner.id)
        workers = None if llm is None else LLM_JOBS
        self._dispatcher = Dispatcher(
            owner,
            self._queue,
            self._work,
            name="extraction",
            slots=slots_of(simulation) or workers,
            workers=workers,
            delay=None if simulation is None else self._delay,
        )
        self.ends = self._dispatcher.ends

    def wake(self) -> None:
        """Say that a job was accepted, or a parse job has ended."""
        self._dispatcher.wake()

    def stop_job(self, job_id: str) -> None:
        """Stop a job that was cancelled or deleted, if it runs here (elsewhere its lease tells)."""
        self._dispatcher.stop(lambda job: job.id == job_id)

    def close(self) -> None:
        """Stop, and put unfinished jobs back in the queue."""
        self._dispatcher.close()

    def _delay(self, job: ExtractJobRecord) -> float:
        parsed = self._parse_jobs.get(job.parse_job_id).result()
        if self._simulation is None or (parsed is not None and parsed.updated_at > job.created_at):
            return 0.0  # parsing has taken the latency of this job already
        return self._simulation.draw_latency(job.name)

    def _work(self, job: ExtractJobRecord, stop: threading.Event) -> None:
        outcome: dict[str, Any] | None = None
        failure: str | None = None
        key: str | None = None
        try:
            key = self._result_key(job)
            outcome = self._outcome(job, key)
        except JobFailure as error:
            failure = str(error)
        except (Exception, SystemExit) as error:  # a model of the user's may do anything
            logger.exception("extract job %s of the local LlamaCloud failed unexpectedly", job.id)
            failure = f"Internal error of the local extraction: {type(error).__name__}: {error}"
        if stop.is_set():  # cancelled, taken over, or closing: the outcome is nobody's business any more
            return
        result = None if outcome is None else json.dumps(outcome)
        self._queue.finish(job.id, error_message=failure, result=result, result_key=key).result()

    def _result_key(self, job: ExtractJobRecord) -> str | None:
        """The same for all extractions of equal input by equal means; None where nothing is to be used again."""
        configuration = dict(job.configuration)
        if configuration.pop("disable_cache", False):
            return None
        means = [__version__, job.parse_job_id, configuration]
        if self._llm is not None:
            means += [f"{type(self._llm).__module__}.{type(self._llm).__qualname__}", self._llm.metadata.model_name]
        return hashlib.sha256(json.dumps(means, sort_keys=True).encode()).hexdigest()

    def _outcome(self, job: ExtractJobRecord, key: str | None) -> dict[str, Any]:
        if job.attempts > MOST_ATTEMPTS:
            raise JobFailure(
                "DOCUMENT_TOO_LARGE", f"extraction was interrupted {MOST_ATTEMPTS} times; it may end the process"
            )
        if key is not None and (same := self._jobs.with_result(key).result()) is not None:
            outcome = same.outcome
            notes = {**outcome["notes"], "cache_hit": True, "cached_from_job_id": same.id}
            return {**outcome, "notes": notes}
        found = self._extract(job, self._parsed(job))
        return {
            "data": found.data,
            "field_metadata": found.field_metadata,
            "pages": found.pages_extracted,
            "notes": {**found.notes, "cache_hit": False},
        }

    def _parsed(self, job: ExtractJobRecord) -> Path:
        """The folder of the parse job's results."""
        parsed = self._parse_jobs.get(job.parse_job_id).result()
        if parsed is None:
            raise JobFailure("NO_DATA_FOUND_IN_FILE", f"the parse job {job.parse_job_id} was deleted")
        if parsed.status != COMPLETED or parsed.result_id is None:
            raise JobFailure(None, parsed.error_message or f"the parse job {parsed.id} is {parsed.status}")
        return self._blobs.result(parsed.result_id)

    def _extract(self, job: ExtractJobRecord, folder: Path) -> Extraction:
        from llama_cloud_ext.local.extraction import ExtractionFailed, ExtractionRequest

        configuration = job.configuration
        if configuration.get("spreadsheet_mode") and Path(job.name).suffix.lower() not in WORKBOOKS:
            raise JobFailure("UNSUPPORTED_FILE_TYPE", f"spreadsheet_mode reads {', '.join(WORKBOOKS)}, not {job.name}")
        pages = chosen_pages(read_pages(folder), configuration)
        request = ExtractionRequest(
            schema=configuration["data_schema"],
            target=configuration.get("extraction_target") or "per_doc",
            system_prompt=configuration.get("system_prompt"),
            cite_sources=bool(configuration.get("cite_sources")),
            confidence_scores=bool(configuration.get("confidence_scores")),
        )
        try:
            return (self._extractor or real_extractor())(pages, request, llm=self._llm)
        except ExtractionFailed as error:
            raise JobFailure(error.code, error.message) from error


def real_extractor() -> Extractor:
    """`extract`, loaded at its first use."""
    from llama_cloud_ext.local.extraction import extract

    return extract
