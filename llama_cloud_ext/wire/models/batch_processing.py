"""The beta batch-processing API: what a batch is created with, and what the service says of it and its items."""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator

from llama_cloud_ext.errors import ConfigurationError
from llama_cloud_ext.wire.models.older_parse_parameters import BatchParseParameters
from llama_cloud_ext.wire.models.strict import Given, StrictModel
from llama_cloud_ext.wire.models.tolerant import (
    TolerantModel,
    as_integer,
    as_mapping,
    as_moment,
    as_number,
    as_text,
    as_text_or_empty,
    attribute,
)

PARSE_JOB = "parse_raw_file_job"
"""What the service calls the job that it runs on each file."""


class BatchProcessingOptions(StrictModel):
    """A batch of parse jobs to be created.

    Attributes:
        directory_id: The directory whose files are parsed; or else
        item_ids: the files, by their ids in their directories.
        parameters: How they are parsed, in the words of the older parse API: `tier`, `target_pages` (from 0), …
        webhook_url: Called when a job ends.
        page_size: Files that the service fetches from the directory at a time.
        continue_as_new_threshold: Files after which the service starts its own bookkeeping anew.

    Example:
        >>> BatchProcessingOptions(directory_id="dir-7", parameters={"tier": "fast"}).to_body()["job_config"]
        {'job_name': 'parse_raw_file_job', 'parameters': {'tier': 'fast'}}
    """

    directory_id: str | None = Field(default=None, min_length=1)
    item_ids: list[str] | None = Field(default=None, min_length=1)
    parameters: Given[BatchParseParameters] = Field(default_factory=BatchParseParameters)
    webhook_url: str | None = None
    page_size: int | None = Field(default=None, ge=1)
    continue_as_new_threshold: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _one_source(self) -> BatchProcessingOptions:
        if (self.directory_id is None) == (self.item_ids is None):
            raise ConfigurationError(
                "a batch is of a directory or of some files",
                option="directory_id",
                hint="Give directory_id, or item_ids, and not both.",
            )
        return self

    def to_body(self) -> dict[str, Any]:
        """What goes over the wire."""
        body = super().to_body()
        job = {"job_name": PARSE_JOB, "parameters": body.pop("parameters", {})}
        if "webhook_url" in body:
            job["webhook_url"] = body.pop("webhook_url")
        return {"job_config": job, **body}


class BatchProcessingJob(TolerantModel):
    """A batch of the beta API.

    Attributes:
        id: The batch.
        status: "pending", "running", "dispatched" (every file has its job), "completed", "failed" or "cancelled".
        job_type: What is done with each file, such as "parse".
        project_id: The project that it belongs to.
        directory_id: The directory; None for a batch of single files.
        total_items: Its files.
        processed_items: Those whose work is over, well or not.
        failed_items: Those that failed.
        skipped_items: Those that were passed over, as they had been processed before or are too large.
        progress_percentage: How far it has come, 0 to 100; None in lists, which do not tell.
        error_message: Why it failed.
        created_at: When it was created.
        started_at: When its work began.
        completed_at: When it ended.
        updated_at: When something of it changed last.
        effective_at: As the service has it, which does not explain it.
        job_record_id: The service's record behind the state.
        workflow_id: The service's workflow that does the work.
    """

    id = attribute(as_text_or_empty)
    status = attribute(as_text_or_empty)
    job_type = attribute(as_text)
    project_id = attribute(as_text)
    directory_id = attribute(as_text)
    total_items = attribute(as_integer)
    processed_items = attribute(as_integer)
    failed_items = attribute(as_integer)
    skipped_items = attribute(as_integer)
    progress_percentage = attribute(as_number)
    error_message = attribute(as_text)
    created_at = attribute(as_moment)
    started_at = attribute(as_moment)
    completed_at = attribute(as_moment)
    updated_at = attribute(as_moment)
    effective_at = attribute(as_moment)
    job_record_id = attribute(as_text)
    workflow_id = attribute(as_text)

    def __repr__(self) -> str:
        counts = f"{self.processed_items} of {self.total_items} items, {self.failed_items or 0} failed"
        return f"BatchProcessingJob(id={self.id!r}, status={self.status!r}, {counts})"


class BatchProcessingCancellation(TolerantModel):
    """What a batch of the beta API came to by its cancellation.

    Attributes:
        job_id: The batch.
        status: Its status now: "cancelled".
        processed_items: Files whose work was over before.
        message: What the service says of it.
    """

    job_id = attribute(as_text_or_empty)
    status = attribute(as_text_or_empty)
    processed_items = attribute(as_integer)
    message = attribute(as_text)

    def __repr__(self) -> str:
        return f"BatchProcessingCancellation(job_id={self.job_id!r}, processed_items={self.processed_items})"


class BatchProcessingItem(TolerantModel):
    """A file of a batch of the beta API.

    Attributes:
        id: Its id in its directory.
        name: Its name.
        status: "pending", "processing", "completed", "failed", "skipped" or "cancelled".
        job_id: Its job; for one that was processed before, the job that did.
        error_message: Why it failed.
        skip_reason: Why it was passed over, such as "already_processed".
        started_at: When its work began.
        completed_at: When it ended.
        effective_at: As the service has it, which does not explain it.
        job_record_id: The service's record behind the state.
    """

    id = attribute(as_text_or_empty, "item_id")
    name = attribute(as_text_or_empty, "item_name")
    status = attribute(as_text_or_empty)
    job_id = attribute(as_text)
    error_message = attribute(as_text)
    skip_reason = attribute(as_text)
    started_at = attribute(as_moment)
    completed_at = attribute(as_moment)
    effective_at = attribute(as_moment)
    job_record_id = attribute(as_text)

    def __repr__(self) -> str:
        return f"BatchProcessingItem(name={self.name!r}, status={self.status!r}, job_id={self.job_id!r})"


class BatchProcessingResult(TolerantModel):
    """Something that was done with a file.

    Attributes:
        id: The result.
        item_id: The file.
        job_type: What was done, such as "parse".
        job_config: How.
        output_s3_path: Where the service keeps it.
        output_metadata: What the service says of it; nothing as yet.
        parameters_hash: What tells this way of processing from others.
        processed_at: When.
    """

    id = attribute(as_text_or_empty, "result_id")
    item_id = attribute(as_text_or_empty)
    job_type = attribute(as_text)
    job_config = attribute(as_mapping)
    output_s3_path = attribute(as_text)
    output_metadata = attribute(as_mapping)
    parameters_hash = attribute(as_text)
    processed_at = attribute(as_moment)

    def __repr__(self) -> str:
        return f"BatchProcessingResult(id={self.id!r}, job_type={self.job_type!r}, processed_at={self.processed_at})"
