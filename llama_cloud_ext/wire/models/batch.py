"""What a batch is created with."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from llama_cloud_ext.wire.models.strict import Given, StrictModel
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
        webhook_configurations: Whom the service tells when the batch changes.
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
    webhook_configurations: list[Given[WebhookConfiguration]] | None = Field(default=None, repr=False)
    webhook_configuration_ids: list[str] | None = None

    def to_body(self) -> dict[str, Any]:
        """What goes over the wire."""
        body = super().to_body()
        job = {"type": body.pop("product"), "configuration_id": body.pop("configuration_id")}
        return {**body, "config": {"job": job}}
