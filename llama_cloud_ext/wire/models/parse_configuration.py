"""The body of a parse job's creation, in the groups and names of the API.

Field by field documentation of the service: https://developers.llamaindex.ai/llamaparse/parse/guides/configuring-parse/
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator
from typing_extensions import Self

from llama_cloud_ext.errors import ConfigurationError
from llama_cloud_ext.wire.models.languages import ParsingLanguage
from llama_cloud_ext.wire.models.parse_auto_mode import AutoModeConfiguration
from llama_cloud_ext.wire.models.parse_groups import (
    AgenticOptions,
    ChartParsing,
    CropBox,
    InputOptions,
    OutputOptions,
    PageRanges,
)
from llama_cloud_ext.wire.models.strict import Given, Ratio, StrictModel
from llama_cloud_ext.wire.models.webhooks import WebhookConfiguration

RECOVERY_KEY = "llama_cloud_ext_request"
"""The `user_metadata` entry by which a job is found again whose creation was not confirmed."""

_NOT_CONTENT = (
    "client_name",
    "file_id",
    "http_proxy",
    "source_url",
    "user_metadata",
    "webhook_configuration_ids",
    "webhook_configurations",
)
"""What says where a job comes from and whom to tell, but not what the result holds."""


class JobFailureConditions(StrictModel):
    """When a job fails instead of completing with gaps."""

    allowed_page_failure_ratio: Ratio | None = None
    """The share of pages that may fail, 0 to 1; the service's default is 0.05."""

    fail_on_buggy_font: bool | None = None
    """Fail on a font that garbles the text."""

    fail_on_image_extraction_error: bool | None = None
    """Fail when an image cannot be extracted."""

    fail_on_image_ocr_error: bool | None = None
    """Fail when the text of an image cannot be recognised."""

    fail_on_markdown_reconstruction_error: bool | None = None
    """Fail when the markdown of a page cannot be built."""


class ProcessingTimeouts(StrictModel):
    """How long the service may work: base + extra time x pages, in seconds."""

    base_in_seconds: Annotated[int, Field(ge=1, le=7200)] | None = None
    """Seconds for any document, at most 7,200."""

    extra_time_per_page_in_seconds: Annotated[int, Field(ge=0, le=300)] | None = None
    """Further seconds for each page, at most 300."""


class ProcessingControl(StrictModel):
    """Limits of a job on the service's side."""

    job_failure_conditions: Given[JobFailureConditions] | None = None
    """When a job fails instead of completing with gaps."""

    timeouts: Given[ProcessingTimeouts] | None = None
    """How long the service may work."""


class CostOptimizer(StrictModel):
    """Cheaper processing for simple pages; on the `agentic` and `agentic_plus` tiers."""

    enable: bool | None = None
    """Turn it on."""


class IgnoreOptions(StrictModel):
    """Text to leave out."""

    ignore_diagonal_text: bool | None = None
    """Leave out text that is neither horizontal nor vertical."""

    ignore_hidden_text: bool | None = None
    """Leave out text that the document marks as hidden."""

    ignore_text_in_image: bool | None = None
    """Leave out text that stands in images."""


class OcrParameters(StrictModel):
    """Text recognition."""

    languages: list[ParsingLanguage] | None = None
    """Languages of the document, the main one first. The shortcut `languages` sets the same."""


class ProcessingOptions(StrictModel):
    """How pages are read."""

    aggressive_table_extraction: bool | None = None
    """Look for tables also where no lines are drawn."""

    auto_mode_configuration: list[AutoModeConfiguration] | None = None
    """Rules that parse single pages differently."""

    confidence_score_effort: Literal["high"] | None = None
    """Score every page and the document more carefully; 5 credits more a page."""

    cost_optimizer: CostOptimizer | None = None
    """Cheaper processing for simple pages."""

    disable_heuristics: bool | None = None
    """Turn off what guesses at outlined and long tables."""

    forms: Literal["default", "enrich"] | None = None
    """"enrich" reads forms into sections and fields (beta). Not on the `fast` tier."""

    ignore: Given[IgnoreOptions] | None = None
    """Text to leave out."""

    ocr_parameters: Given[OcrParameters] | None = None
    """Text recognition."""

    specialized_chart_parsing: ChartParsing | None = None
    """Have a model read charts."""


class ParseConfiguration(StrictModel):
    """Everything that `POST /api/v2/parse` takes in its body.

    `tier` and `version` are required, as they are by the service. Checks here concern single groups; what tier and
    options mean for each other is checked by `llama_cloud_ext.parse.option_rules`.

    Example:
        >>> ParseConfiguration(tier="agentic", version="latest", disable_cache=False).to_body()
        {'tier': 'agentic', 'version': 'latest', 'disable_cache': False}
    """

    tier: Literal["fast", "cost_effective", "agentic", "agentic_plus", "configured"]
    """What reads the pages. "configured" takes the tier of the saved configuration."""

    version: str
    """"latest", a date as YYYY-MM-DD, or "configured" for that of the saved configuration."""

    agentic_options: AgenticOptions | None = None
    """For the tiers that use models."""

    client_name: str | None = None
    """The application's name, for the service's statistics."""

    configuration_id: str | None = None
    """A saved configuration."""

    crop_box: CropBox | None = None
    """The part of every page to read."""

    disable_cache: bool | None = None
    """Parse afresh, even if the service knows the file."""

    fast_options: dict[str, Any] | None = None
    """For the `fast` tier; the service has no option here yet."""

    file_id: str | None = None
    """A file that was uploaded before. Excludes `source_url`."""

    http_proxy: str | None = Field(default=None, exclude=True, repr=False)
    """Proxy through which the service fetches `source_url`. May hold a password: left out of repr and dumps."""

    input_options: InputOptions | None = None
    """How files of a certain format are read."""

    output_options: OutputOptions | None = None
    """What the job produces."""

    page_ranges: PageRanges | None = None
    """Which pages are read."""

    processing_control: ProcessingControl | None = None
    """Limits of the job."""

    processing_options: ProcessingOptions | None = None
    """How pages are read."""

    source_url: str | None = None
    """Public address of the document. Excludes `file_id`."""

    user_metadata: dict[str, str] | None = None
    """Tags of the job, string to string; the service hands them back."""

    webhook_configuration_ids: list[str] | None = None
    """Saved webhooks to call."""

    webhook_configurations: list[WebhookConfiguration] | None = None
    """Webhooks to call."""

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        if self.file_id is not None and self.source_url is not None:
            raise ConfigurationError("file_id and source_url exclude each other: leave one out")
        return self

    def fingerprint(self) -> str:
        """Canonical JSON of what decides the result: equal texts mean equal results for equal content.

        Leaves out the source, tags, webhooks (with their secrets), the proxy and empty groups.

        Example:
            >>> ParseConfiguration(tier="fast", version="latest", user_metadata={"team": "a"}).fingerprint()
            '{"tier":"fast","version":"latest"}'
        """
        body = {name: value for name, value in self.to_body().items() if name not in _NOT_CONTENT}
        return json.dumps(_without_empty_groups(body), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _without_empty_groups(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_empty_groups(item) for item in value]
    if not isinstance(value, dict):
        return value
    pruned = {name: _without_empty_groups(item) for name, item in value.items()}
    return {name: item for name, item in pruned.items() if item != {}}
