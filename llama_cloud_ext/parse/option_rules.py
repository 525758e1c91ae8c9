"""Options that contradict each other, found before anything is uploaded.

Each rule looks at one contradiction and says what is wrong and what to do; the facts are those of
https://developers.llamaindex.ai/llamaparse/parse/guides/configuring-parse/ and of the tiers page beside it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date

from llama_cloud_ext.errors import ConfigurationError
from llama_cloud_ext.parse.target_pages import count_target_pages
from llama_cloud_ext.wire.models.parse_configuration import RECOVERY_KEY, ParseConfiguration

_FIRST_WITH_WATERMARKS = "2026-09-28"

Rule = Callable[[ParseConfiguration], str | None]


def check_options(configuration: ParseConfiguration, result_type: str | None = None) -> None:
    """Raise when options contradict each other.

    Args:
        configuration: All options, with the shortcuts in their groups.
        result_type: What the caller asked for explicitly.

    Raises:
        ConfigurationError: Naming every contradiction and the way out of it.
    """
    found = [problem for rule in _RULES if (problem := rule(configuration))]
    if configuration.tier == "fast" and result_type == "markdown":
        found.append(
            "tier='fast' makes no markdown, so result_type='markdown' cannot be had: "
            "use result_type='text', or tier='cost_effective' or higher"
        )
    if found:
        raise ConfigurationError("; ".join(found))


def _version_is_known(configuration: ParseConfiguration) -> str | None:
    version = configuration.version
    if version in ("latest", "configured") or _is_date(version):
        return None
    return f"version={version!r} is neither 'latest' nor a date like '2026-10-16'"


def _auto_mode_versions_are_known(configuration: ParseConfiguration) -> str | None:
    options = configuration.processing_options
    for index, rule in enumerate((options.auto_mode_configuration if options else None) or []):
        version = rule.parsing_conf.version
        if version not in (None, "latest") and not _is_date(version):
            path = f"processing_options.auto_mode_configuration[{index}].parsing_conf.version"
            return f"{path}={version!r} is neither 'latest' nor a date like '2026-10-16'"
    return None


def _is_date(version: str) -> bool:
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", version, re.ASCII):
        return False
    try:
        date.fromisoformat(version)
    except ValueError:
        return False
    return True


def _configured_needs_a_configuration(configuration: ParseConfiguration) -> str | None:
    if configuration.configuration_id is not None:
        return None
    for name in ("tier", "version"):
        if getattr(configuration, name) == "configured":
            return f"{name}='configured' takes it from a saved configuration: set configuration_id too"
    return None


def _agentic_options_need_a_model(configuration: ParseConfiguration) -> str | None:
    options = configuration.agentic_options
    if configuration.tier != "fast" or options is None or not options.to_body():
        return None
    return (
        "tier='fast' uses no model, so custom_prompt (agentic_options) would do nothing: "
        "leave it out, or use tier='cost_effective' or higher"
    )


def _fast_options_need_fast(configuration: ParseConfiguration) -> str | None:
    if not configuration.fast_options or configuration.tier in ("fast", "configured"):
        return None
    return f"fast_options are for tier='fast', but tier={configuration.tier!r}: leave one out"


def _cost_optimizer_needs_agentic(configuration: ParseConfiguration) -> str | None:
    options = configuration.processing_options
    wanted = options is not None and options.cost_optimizer is not None and options.cost_optimizer.enable
    if not wanted or configuration.tier not in ("fast", "cost_effective"):
        return None
    return (
        f"processing_options.cost_optimizer works with tier='agentic' and 'agentic_plus' only, "
        f"not {configuration.tier!r}: leave it out, or choose one of these"
    )


def _forms_need_a_model(configuration: ParseConfiguration) -> str | None:
    options = configuration.processing_options
    if configuration.tier != "fast" or options is None or options.forms != "enrich":
        return None
    return "processing_options.forms='enrich' is not available with tier='fast': use tier='cost_effective' or higher"


def _charts_need_a_model(configuration: ParseConfiguration) -> str | None:
    options = configuration.processing_options
    if configuration.tier != "fast" or options is None or options.specialized_chart_parsing is None:
        return None
    return (
        "processing_options.specialized_chart_parsing needs a model, which tier='fast' does not use: "
        "use tier='cost_effective' or higher"
    )


def _watermarks_need_tier_and_version(configuration: ParseConfiguration) -> str | None:
    options = configuration.output_options
    if options is None or options.watermark_handling is None:
        return None
    if configuration.tier == "fast":
        return "output_options.watermark_handling does nothing with tier='fast': use tier='cost_effective' or higher"
    if _is_date(configuration.version) and configuration.version < _FIRST_WITH_WATERMARKS:
        return (
            f"output_options.watermark_handling came with version {_FIRST_WITH_WATERMARKS}, "
            f"but version={configuration.version!r}: use a later one, or 'latest'"
        )
    return None


def _target_pages_stay_below_max_pages(configuration: ParseConfiguration) -> str | None:
    ranges = configuration.page_ranges
    if ranges is None or ranges.target_pages is None:
        return None
    wanted = count_target_pages(ranges.target_pages)
    if ranges.max_pages is None or wanted <= ranges.max_pages:
        return None
    return (
        f"target_pages={ranges.target_pages!r} names {wanted} pages, more than max_pages={ranges.max_pages} allows; "
        "the service would read (and bill) them all: raise max_pages or leave it out"
    )


def _user_metadata_leaves_our_key(configuration: ParseConfiguration) -> str | None:
    if RECOVERY_KEY not in (configuration.user_metadata or {}):
        return None
    return f"user_metadata: the key {RECOVERY_KEY!r} is used to find lost jobs again: choose another name"


_RULES: tuple[Rule, ...] = (
    _version_is_known,
    _auto_mode_versions_are_known,
    _configured_needs_a_configuration,
    _agentic_options_need_a_model,
    _fast_options_need_fast,
    _cost_optimizer_needs_agentic,
    _forms_need_a_model,
    _charts_need_a_model,
    _watermarks_need_tier_and_version,
    _target_pages_stay_below_max_pages,
    _user_metadata_leaves_our_key,
)
