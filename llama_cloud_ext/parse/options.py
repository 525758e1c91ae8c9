"""All options of a parse job as fields of one mixin, and their way into the request body.

The groups carry the API's names; the shortcuts set what is needed every day without a group.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from llama_cloud_ext.errors import ConfigurationError
from llama_cloud_ext.parse.legacy_options import explain_unknown_option
from llama_cloud_ext.parse.option_rules import check_options
from llama_cloud_ext.parse.target_pages import normalize_target_pages
from llama_cloud_ext.wire.models.languages import ParsingLanguage
from llama_cloud_ext.wire.models.parse_configuration import (
    OcrParameters,
    ParseConfiguration,
    ProcessingControl,
    ProcessingOptions,
)
from llama_cloud_ext.wire.models.parse_groups import (
    AgenticOptions,
    CropBox,
    ImageCategory,
    InputOptions,
    OutputOptions,
    PageRanges,
)
from llama_cloud_ext.wire.models.strict import Given, StrictModel, invalid_options
from llama_cloud_ext.wire.models.webhooks import WebhookConfiguration

__all__ = ["ParseOptions", "explain_unknown_option"]

SHORTCUTS = {
    "custom_prompt": "agentic_options.custom_prompt",
    "target_pages": "page_ranges.target_pages",
    "max_pages": "page_ranges.max_pages",
    "languages": "processing_options.ocr_parameters.languages",
    "images": "output_options.images_to_save",
}
"""Where each flat option goes in the request's groups."""

if TYPE_CHECKING:
    TargetPages: TypeAlias = str | int | Iterable[int]
else:
    TargetPages = str  # what the validator makes of it

_GROUPS: dict[str, type[StrictModel]] = {
    "agentic_options": AgenticOptions,
    "ocr_parameters": OcrParameters,
    "output_options": OutputOptions,
    "page_ranges": PageRanges,
    "processing_options": ProcessingOptions,
}


class ParseOptions(BaseModel):
    """Every option of Parse v2. A group may be given as its model or as a dict.

    Wrong, unknown and contradictory options raise on construction, with the option's path and the way out; options
    that are assigned later are checked again when a job is made. Only what is set is sent; False, 0 and [] are values.

    Raises:
        ConfigurationError: On wrong, unknown and contradictory options.

    Example:
        >>> options = ParseOptions(custom_prompt="Translate to French.", output_options={"save_output_pdf": True})
        >>> options.configuration().to_body()["agentic_options"]
        {'custom_prompt': 'Translate to French.'}
    """

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, protected_namespaces=(), defer_build=True)

    tier: Literal["fast", "cost_effective", "agentic", "agentic_plus", "configured"] = "agentic"
    """What reads the pages: "fast" (rules only, plain text), "cost_effective", "agentic" or "agentic_plus".

    Default "agentic"; with `configuration_id`, "configured": that of the saved configuration.
    """

    version: str = "latest"
    """The tier's version: "latest" or a date as YYYY-MM-DD.

    Default "latest"; with `configuration_id`, "configured": that of the saved configuration.
    """

    result_type: Literal["markdown", "text"] | None = None
    """What Documents hold. Default: markdown, or text for the `fast` tier, which makes no markdown."""

    images: list[ImageCategory] | None = None
    """Images to keep: "screenshot" (whole pages), "embedded" and "layout" (figures); [] keeps none.

    Default: the service's, which keeps figures that the markdown links to.
    """

    custom_prompt: str | None = None
    """Instructions for the model, in plain words. Not for the `fast` tier."""

    target_pages: TargetPages | None = None
    """Pages to read, counted from 1: "1,3,5-8", or numbers as a list or range. Default: all."""

    max_pages: Annotated[int, Field(ge=1)] | None = None
    """Read at most so many pages, from the first on. Default: no limit."""

    languages: list[ParsingLanguage] | None = None
    """Languages of the document, the main one first, such as ["en", "fr"]; for text recognition."""

    agentic_options: Given[AgenticOptions] | None = None
    """For the tiers that use models."""

    client_name: str | None = None
    """The application's name, for the service's statistics."""

    configuration_id: str | None = None
    """A configuration saved with the service; options given here go before its own."""

    crop_box: Given[CropBox] | None = None
    """The part of every page to read, as ratios from 0 to 1."""

    disable_cache: bool | None = None
    """Parse afresh, even if the service has parsed the same file lately."""

    fast_options: dict[str, Any] | None = None
    """For the `fast` tier; the service has no option here yet."""

    http_proxy: str | None = Field(default=None, exclude=True, repr=False)
    """Proxy through which the service fetches documents given as a URL. May hold a password: never in repr or dumps."""

    input_options: Given[InputOptions] | None = None
    """How files of a certain format are read."""

    output_options: Given[OutputOptions] | None = None
    """What the job produces besides its pages, and how markdown and text look."""

    page_ranges: Given[PageRanges] | None = None
    """Which pages are read."""

    processing_control: Given[ProcessingControl] | None = None
    """Time limits on the service's side, and when a job with failed pages fails."""

    processing_options: Given[ProcessingOptions] | None = None
    """How pages are read: text recognition, charts, forms, rules for single pages."""

    user_metadata: dict[str, str] | None = None
    """Tags of the job, string to string; the service hands them back."""

    webhook_configuration_ids: list[str] | None = None
    """Webhooks saved with the service, to call for these jobs."""

    webhook_configurations: list[Given[WebhookConfiguration]] | None = None
    """Webhooks to call. Secrets and headers are sent but never shown or dumped, see `withheld_options`."""

    if not TYPE_CHECKING:  # type checkers keep the signature that the fields make

        def __init__(self, **data: Any) -> None:
            configured = {} if data.get("configuration_id") is None else {"tier": "configured", "version": "configured"}
            for name in ("tier", "version"):
                # The difference between "left alone" and "set" is settled here for good: pydantic's record of it
                # (model_fields_set) does not survive pickling.
                if data.get(name) is None:
                    data.pop(name, None)
                    data.update({name: configured[name]} if configured else {})
            try:
                super().__init__(**data)
            except ValidationError as error:
                raise invalid_options(type(self), error, explain_unknown_option) from error
            self.configuration()

    @field_validator("target_pages", mode="before")
    @classmethod
    def _in_the_services_spelling(cls, value: Any) -> str | None:
        return None if value is None else normalize_target_pages(value)

    @property
    def resolved_result_type(self) -> Literal["markdown", "text"]:
        """What Documents hold: `result_type`, or what the tier makes when it is not set."""
        return self.result_type or ("text" if self.tier == "fast" else "markdown")

    def configuration(self) -> ParseConfiguration:
        """The body of the request that makes a job, with the shortcuts in their groups.

        Raises:
            ConfigurationError: When options contradict each other.
        """
        fields: dict[str, Any] = {name: getattr(self, name) for name in _SENT}
        for shortcut, path in SHORTCUTS.items():
            value = getattr(self, shortcut)
            if value is not None and not _place(fields, path.split("."), value):
                raise ConfigurationError(
                    f"{shortcut}={value!r} contradicts {path}, which is set to something else",
                    hint=f"Leave out {shortcut} or {path}.",
                )
        configuration = ParseConfiguration(**fields)
        ranges = configuration.page_ranges
        if ranges is not None and ranges.target_pages is not None:
            spelled = normalize_target_pages(ranges.target_pages)
            configuration.page_ranges = ranges.model_copy(update={"target_pages": spelled})
        check_options(configuration, self.result_type)
        return configuration

    def fingerprint(self) -> str:
        """Canonical JSON of what decides the result; secrets, tags and webhooks are not in it.

        Example:
            >>> ParseOptions(max_pages=3).fingerprint() == ParseOptions(page_ranges={"max_pages": 3}).fingerprint()
            True
        """
        return self.configuration().fingerprint()

    def withheld_options(self) -> list[str]:
        """Paths of options that are set and that no dump holds, because they are secret.

        Example:
            >>> ParseOptions(webhook_configurations=[{"webhook_signing_secret": "s3cret"}]).withheld_options()
            ['webhook_configurations[0].webhook_signing_secret']
        """
        webhooks = enumerate(cast("list[WebhookConfiguration]", self.webhook_configurations or []))
        paths = [f"webhook_configurations[{index}].{name}" for index, hook in webhooks for name in hook.withheld()]
        return paths + (["http_proxy"] if self.http_proxy is not None else [])


_SENT = tuple(name for name in ParseConfiguration.model_fields if name in ParseOptions.model_fields)


def _place(fields: dict[str, Any], path: list[str], value: Any) -> bool:
    """Set `value` at `path` on copies of the groups, the caller's stay as they are; False if another value is there."""
    name, *rest = path
    present = fields.get(name)
    if not rest:
        if name == "target_pages" and present is not None:
            present = normalize_target_pages(present)
        fields[name] = value
        return present is None or present == value
    group = dict(present or {})
    free = _place(group, rest, value)
    fields[name] = _GROUPS[name](**group)
    return free
