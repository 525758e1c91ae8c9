"""Batches: what one is created with, and what the service says of it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from llama_cloud_ext.wire.models.strict import StrictModel
from llama_cloud_ext.wire.models.tolerant import (
    TolerantModel,
    as_mapping,
    as_moment,
    as_objects,
    as_text,
    as_text_or_empty,
    attribute,
)
from llama_cloud_ext.wire.models.webhooks import WebhookConfiguration

MOST_FILES = 1000
"""Files in the directory of one batch, by the service's guide."""

BatchProduct = Literal["parse_v2", "extract_v2"]
"""What can be done with each file."""


class BatchOptions(StrictModel):
    """A batch to be created: one job on every file of a directory.

    Attributes:
        source_directory_id: The directory, with 1,000 files at most.
        product: The job: "parse_v2" or "extract_v2".
        configuration_id: A saved configuration of that product, or for "parse_v2" a preset such as "cfg-PARSE_AGENTIC".
        webhook_configurations: Whom the service tells about the batch.
        webhook_configuration_ids: Saved webhooks to call.

    Example:
        >>> BatchOptions(
        ...     source_directory_id="dir-7", product="parse_v2", configuration_id="cfg-PARSE_FAST"
        ... ).to_body()["config"]
        {'job': {'type': 'parse_v2', 'configuration_id': 'cfg-PARSE_FAST'}}
    """

    source_directory_id: str = Field(min_length=1)
    product: BatchProduct
    configuration_id: str = Field(min_length=1)
    webhook_configurations: list[WebhookConfiguration] | None = Field(default=None, repr=False)
    webhook_configuration_ids: list[str] | None = None

    def to_body(self) -> dict[str, Any]:
        """What goes over the wire."""
        body = super().to_body()
        job = {"type": body.pop("product"), "configuration_id": body.pop("configuration_id")}
        return {**body, "config": {"job": job}}


class BatchFileResult(TolerantModel):
    """Which job a file of a batch got.

    Attributes:
        directory_file_id: The file, by its id in the directory.
        error_message: Why no job was made.
    """

    directory_file_id = attribute(as_text_or_empty, "source_directory_file_id")
    error_message = attribute(as_text)

    @property
    def job_id(self) -> str | None:
        """Its job; None where none was made."""
        return as_text(as_mapping(self.raw.get("job_reference")).get("id"))

    @property
    def product(self) -> str | None:
        """What the job does, such as "parse_v2"."""
        return as_text(as_mapping(self.raw.get("job_reference")).get("type"))

    def __repr__(self) -> str:
        return f"BatchFileResult(directory_file_id={self.directory_file_id!r}, job_id={self.job_id!r})"


class Batch(TolerantModel):
    """A batch, as the service tells of it.

    Attributes:
        id: The batch.
        status: PENDING, THROTTLED, RUNNING, COMPLETED, FAILED or CANCELLED. COMPLETED says that every file was mapped
            to a job, not that the jobs have ended.
        source_directory_id: The directory.
        project_id: The project that it belongs to.
        error_message: Why it failed.
        created_at: When it was created.
        updated_at: When it changed last.
    """

    id = attribute(as_text_or_empty)
    status = attribute(as_text_or_empty)
    source_directory_id = attribute(as_text)
    project_id = attribute(as_text)
    error_message = attribute(as_text)
    created_at = attribute(as_moment)
    updated_at = attribute(as_moment)

    @property
    def product(self) -> str | None:
        """What is done with each file: "parse_v2" or "extract_v2"."""
        return as_text(as_mapping(as_mapping(self.raw.get("config")).get("job")).get("type"))

    @property
    def configuration_id(self) -> str | None:
        """By which saved configuration or preset."""
        return as_text(as_mapping(as_mapping(self.raw.get("config")).get("job")).get("configuration_id"))

    @property
    def results(self) -> list[BatchFileResult] | None:
        """Which job each file got; None where that was not asked for, or is not known yet."""
        found = self.raw.get("results")
        return [BatchFileResult(one) for one in as_objects(found)] if isinstance(found, list) else None

    def __repr__(self) -> str:
        return f"Batch(id={self.id!r}, status={self.status!r}, product={self.product!r})"
