"""What an extract job is asked to do: the `configuration` of `POST /api/v2/extract` and of saved configurations.

Facts: the field descriptions of the service's reference, https://developers.llamaindex.ai/reference/resources/extract/,
and https://developers.llamaindex.ai/llamaparse/extract/guides/configuring-extract/.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Literal

from pydantic import Field

from llama_cloud_ext.wire.models.strict import StrictModel

ExtractTier = Literal["cost_effective", "agentic", "agentic_plus", "turbo"]
"""What reads the document, with the credits a page as the service's reference has them: 5, 15, 50 and 35."""

ExtractionTarget = Literal["per_doc", "per_page", "per_table_row"]
"""What one extracted object stands for."""


class ExtractSettings(StrictModel):
    """Everything but the schema. What is left out is decided by the service.

    Example:
        >>> ExtractSettings(tier="agentic", cite_sources=True).to_body()
        {'tier': 'agentic', 'cite_sources': True}
    """

    tier: ExtractTier | None = None
    """cost_effective, agentic, agentic_plus or turbo."""

    version: str | None = None
    """A version such as "2.0", "latest", or a date as YYYY-MM-DD: the newest version up to then."""

    extraction_target: ExtractionTarget | None = None
    """One object a document (the service's default), a page, or a table row. Deprecated by the service: versions up to
    2.0 of `cost_effective` and `agentic` have all three, anything newer only `per_doc`."""

    system_prompt: str | None = None
    """What the model should know or heed."""

    target_pages: str | None = None
    """Pages to read, such as "1-5,8", from 1."""

    max_pages: int | None = Field(default=None, ge=1)
    """The most pages to read."""

    cite_sources: bool | None = None
    """Say for each field where it was found. On `turbo` without boxes."""

    advanced_citations: bool | None = None
    """Boxes that are more precise; False is faster."""

    confidence_scores: bool | None = None
    """Say for each field how sure it is."""

    parse_tier: Literal["fast", "cost_effective", "agentic", "agentic_plus"] | None = None
    """The tier that parses the document first; that of the extraction by default. Not with `turbo`."""

    parse_config_id: str | None = None
    """A saved parse configuration to parse the document with. Not with `turbo`."""

    spreadsheet_mode: bool | None = None
    """Read cells straight from a workbook (.xlsx, .xls, .csv). With `agentic_plus` only, and without citations and
    confidence (beta)."""

    sheet_names: list[str] | None = None
    """Worksheets to read in `spreadsheet_mode`, spelled exactly; all by default."""

    disable_cache: bool | None = None
    """Neither use nor keep cached results."""

    def contradictions(self) -> Iterator[str]:
        """What options mean for each other: a sentence for each pair that cannot be, with the way out."""
        return (problem for rule in _RULES if (problem := rule(self)))


class ExtractConfiguration(ExtractSettings):
    """The settings with the schema, as the service takes them."""

    data_schema: dict[str, Any]
    """JSON schema of one extracted object."""


_VERSION_NUMBER = re.compile(r"(\d+)(?:\.(\d+))?(?:\.\d+)*")
_LAST_WITH_TARGETS = (2, 0)


def _target_needs_a_tier(settings: ExtractSettings) -> str | None:
    target = settings.extraction_target
    if target in (None, "per_doc") or settings.tier not in ("agentic_plus", "turbo"):
        return None
    return (
        f"extraction_target={target!r} cannot be had with tier={settings.tier!r}: "
        "use tier='agentic' or tier='cost_effective'"
    )


def _target_needs_a_version(settings: ExtractSettings) -> str | None:
    target, version = settings.extraction_target, settings.version
    if target in (None, "per_doc") or version is None:
        return None
    number = _VERSION_NUMBER.fullmatch(version)
    newer = number is not None and (int(number[1]), int(number[2] or 0)) > _LAST_WITH_TARGETS
    if not newer and version != "latest":
        return None
    return (
        f"extraction_target={target!r} is not in version={version!r}, only in those up to 2.0: "
        "set version='2.0', or make the target a list in the schema"
    )


def _turbo_does_not_parse(settings: ExtractSettings) -> str | None:
    given = [name for name in ("parse_tier", "parse_config_id") if getattr(settings, name) is not None]
    if settings.tier != "turbo" or not given:
        return None
    return f"tier='turbo' does not parse, so {' and '.join(given)} would do nothing: leave it out, or use another tier"


def _parsing_is_decided_once(settings: ExtractSettings) -> str | None:
    if settings.parse_tier is None or settings.parse_config_id is None:
        return None
    return "parse_tier and parse_config_id both say how the document is parsed: leave one out"


def _spreadsheets_need_a_tier(settings: ExtractSettings) -> str | None:
    if not settings.spreadsheet_mode or settings.tier in (None, "agentic_plus"):
        return None
    return f"spreadsheet_mode needs tier='agentic_plus', not {settings.tier!r}"


def _spreadsheets_have_no_citations(settings: ExtractSettings) -> str | None:
    given = [name for name in ("cite_sources", "confidence_scores") if getattr(settings, name)]
    if not settings.spreadsheet_mode or not given:
        return None
    return f"spreadsheet_mode gives neither citations nor confidence: leave out {' and '.join(given)}"


def _sheets_are_for_spreadsheets(settings: ExtractSettings) -> str | None:
    if settings.sheet_names is None or settings.spreadsheet_mode:
        return None
    return "sheet_names needs spreadsheet_mode=True"


def _precise_boxes_need_citations(settings: ExtractSettings) -> str | None:
    if not settings.advanced_citations or settings.cite_sources is not False:
        return None
    return "advanced_citations=True needs cite_sources=True"


_RULES: tuple[Callable[[ExtractSettings], str | None], ...] = (
    _target_needs_a_tier,
    _target_needs_a_version,
    _turbo_does_not_parse,
    _parsing_is_decided_once,
    _spreadsheets_need_a_tier,
    _spreadsheets_have_no_citations,
    _sheets_are_for_spreadsheets,
    _precise_boxes_need_citations,
)
