"""Settings of Extract v1: what they are called now, and what v2 does where it has none.

From the migration guide, https://developers.llamaindex.ai/llamaparse/extract/guides/migration-v1-to-v2/, and the
option descriptions of both versions.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, NamedTuple

from llama_cloud_ext.errors import ConfigurationError
from llama_cloud_ext.wire.models.strict import nearest


class ExtractMode(str, Enum):
    """What v1 called the effort that goes into a document; v2 has tiers."""

    FAST = "FAST"
    BALANCED = "BALANCED"
    MULTIMODAL = "MULTIMODAL"
    PREMIUM = "PREMIUM"


class ExtractTarget(str, Enum):
    """What one extracted object stands for. The values are v2's own, so that nothing has to be translated."""

    PER_DOC = "per_doc"
    PER_PAGE = "per_page"
    PER_TABLE_ROW = "per_table_row"


class ChunkMode(str, Enum):
    """How v1 divided documents; v2 decides by itself."""

    PAGE = "PAGE"
    SECTION = "SECTION"


class _Home(NamedTuple):
    """What becomes of a v1 setting.

    Attributes:
        translate: Makes v2's settings of the value; None where v2 has no such setting.
        advice: What to write instead, or what v2 does.
    """

    translate: Callable[[Any], dict[str, Any]] | None
    advice: str


_MODES: dict[str, dict[str, Any]] = {
    "FAST": {"tier": "cost_effective", "parse_tier": "fast"},
    "BALANCED": {"tier": "cost_effective"},
    "MULTIMODAL": {"tier": "agentic"},
    "PREMIUM": {"tier": "agentic", "parse_tier": "agentic_plus"},
}
"""The tiers that come nearest. `agentic_plus` would be nearer to PREMIUM, but has no targets other than `per_doc`."""


def _mode(value: Any) -> dict[str, Any]:
    spelled = str(value.value if isinstance(value, Enum) else value).upper()
    if spelled not in _MODES:
        meant = nearest(spelled, _MODES)
        raise ConfigurationError(
            f"{value!r} is not one of {', '.join(_MODES)}" + (f"; did you mean {meant!r}?" if meant else ""),
            option="extraction_mode",
        )
    return dict(_MODES[spelled])


def _renamed(name: str) -> _Home:
    return _Home(lambda value: {name: value}, f"write {name}=")


_NONE = "v2 has no such setting: "

_HOMES: dict[str, _Home] = {
    "extraction_mode": _Home(
        _mode,
        "write tier= (and parse_tier=): "
        + "; ".join(
            f"{mode} is {', '.join(f'{name}={value!r}' for name, value in home.items())}"
            for mode, home in _MODES.items()
        ),
    ),
    "page_range": _renamed("target_pages"),
    "invalidate_cache": _renamed("disable_cache"),
    "citation_bbox": _renamed("cite_sources"),
    "chunk_mode": _Home(None, _NONE + "it decides by itself how a long document is divided"),
    "use_reasoning": _Home(None, _NONE + "the tier decides how much is reasoned; cite_sources=True says where from"),
    "high_resolution_mode": _Home(None, _NONE + "every tier reads small print; parse_tier='agentic_plus' reads best"),
    "multimodal_fast_mode": _Home(None, _NONE + "tier='cost_effective' is the fast one"),
    "num_pages_context": _Home(None, _NONE + "it decides by itself what a page is read with"),
    "extract_model": _Home(None, _NONE + "tier= decides on the model"),
    "parse_model": _Home(None, _NONE + "parse_tier= decides on the model"),
    "priority": _Home(None, _NONE + "jobs run in the order in which they come"),
}

LEGACY_NAMES = frozenset(_HOMES)
"""The names of v1's settings."""

_warned: set[str] = set()


def translate(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Write settings in the words of v2, warning once for each name of v1.

    Args:
        settings: Names of either version.

    Returns:
        Names of v2 only; names that neither has stay, for somebody else to refuse.

    Raises:
        ConfigurationError: The old and the new name of a setting disagree, or a mode does not exist.

    Example:
        >>> import warnings
        >>> with warnings.catch_warnings(record=True):
        ...     translate({"page_range": "1-5", "cite_sources": True})
        {'cite_sources': True, 'target_pages': '1-5'}
    """
    translated = {name: value for name, value in settings.items() if name not in _HOMES}
    target = translated.get("extraction_target")
    if isinstance(target, str) and not isinstance(target, ExtractTarget) and target.isupper():
        _warn(f"extraction_target={target!r} is v1's spelling: write {target.lower()!r}")
        translated["extraction_target"] = target.lower()
    for name, value in settings.items():
        home = _HOMES.get(name)
        if home is None or value is None:
            continue
        _warn(f"{name} is a setting of Extract v1: {home.advice}")
        for new, meant in home.translate(value).items() if home.translate else ():
            given = translated.get(new)
            if given is not None and given != meant and new in settings:
                raise ConfigurationError(
                    f"{name}={value!r} means {new}={meant!r}, and {new}={given!r} is given too",
                    option=name,
                    hint=f"Keep {new} alone.",
                )
            translated.setdefault(new, meant)
    return translated


def _warn(message: str) -> None:
    # Once a program: a config in a loop would say it a thousand times.
    if message not in _warned:
        _warned.add(message)
        warnings.warn(message, FutureWarning, stacklevel=4)
