"""A pipeline's `transform_config`, settled: how documents are segmented, and segments chunked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

SegmentationMode = Literal["none", "page", "element"]
ChunkingMode = Literal["none", "character", "token", "sentence", "semantic"]

CHUNK_SIZE = 1024
CHUNK_OVERLAP = 200
PAGE_SEPARATOR = "\n---\n"
"""The service's defaults."""

_SEGMENTATION_FIELDS: dict[str, frozenset[str]] = {
    "none": frozenset(),
    "page": frozenset({"page_separator"}),
    "element": frozenset(),
}
_CHUNKING_FIELDS: dict[str, frozenset[str]] = {
    "none": frozenset(),
    "character": frozenset({"chunk_size", "chunk_overlap"}),
    "token": frozenset({"chunk_size", "chunk_overlap", "separator"}),
    "sentence": frozenset({"chunk_size", "chunk_overlap", "separator", "paragraph_separator"}),
    "semantic": frozenset({"buffer_size", "breakpoint_percentile_threshold"}),
}


@dataclass(frozen=True)
class Transform:
    """How to cut documents.

    Args:
        segmentation: Segments never share a chunk: pages, elements of markdown, or the whole document.
        chunking: How segments are cut.
        page_separator: What stands between the pages of a text whose pages are not known.
        chunk_size: Longest chunk, in tokens (`character`: in characters).
        chunk_overlap: How much of a chunk's end the next one repeats.
        separator: What stands between words.
        paragraph_separator: What stands between paragraphs.
        buffer_size: Sentences around a sentence that its meaning is taken from.
        breakpoint_percentile_threshold: Chunks end where the meaning changes more than at so many percent of places.
    """

    segmentation: SegmentationMode = "page"
    chunking: ChunkingMode = "sentence"
    page_separator: str | None = None
    chunk_size: int = CHUNK_SIZE
    chunk_overlap: int = CHUNK_OVERLAP
    separator: str = " "
    paragraph_separator: str = "\n\n\n"
    buffer_size: int = 1
    breakpoint_percentile_threshold: int = 95


def check_transform_config(transform_config: Mapping[str, Any] | None) -> None:
    """Refuse a `transform_config` that cannot be followed.

    Args:
        transform_config: The API's JSON; None stands for the default.

    Raises:
        ValueError: An unknown mode or field, or a number that makes no sense; the message names it.

    Example:
        >>> check_transform_config({"mode": "auto", "chunk_size": 100, "chunk_overlap": 200})
        Traceback (most recent call last):
        ...
        ValueError: transform_config.chunk_overlap (200) must be less than chunk_size (100)
    """
    settled_transform(transform_config)


def settled_transform(transform_config: Mapping[str, Any] | None) -> Transform:
    """A `transform_config` with its defaults.

    Args:
        transform_config: The API's JSON; None stands for the default.

    Raises:
        ValueError: As `check_transform_config` says.

    Example:
        >>> settled_transform({"mode": "auto", "chunk_size": 500}).chunk_overlap
        100
    """
    given = {key: value for key, value in (transform_config or {}).items() if value is not None}
    mode = given.pop("mode", "auto")
    if mode == "auto":
        _refuse_unknown("transform_config", given, _CHUNKING_FIELDS["character"])
        return Transform(**_sizes("transform_config", given))
    if mode != "advanced":
        raise ValueError(f"transform_config.mode must be auto or advanced, and is {mode!r}")
    _refuse_unknown("transform_config", given, frozenset({"segmentation_config", "chunking_config"}))
    segmentation, segmentation_fields = _part(given, "segmentation_config", "page", _SEGMENTATION_FIELDS)
    chunking, chunking_fields = _part(given, "chunking_config", "sentence", _CHUNKING_FIELDS)
    if "chunk_size" in _CHUNKING_FIELDS[chunking]:
        chunking_fields = _sizes("transform_config.chunking_config", chunking_fields)
    _check_semantic(chunking_fields)
    parts: dict[str, Any] = {"segmentation": segmentation, "chunking": chunking}
    return Transform(**parts, **segmentation_fields, **chunking_fields)


def _part(
    given: Mapping[str, Any], name: str, default: str, fields: Mapping[str, frozenset[str]]
) -> tuple[str, dict[str, Any]]:
    part = {key: value for key, value in (given.get(name) or {}).items() if value is not None}
    mode = part.pop("mode", default)
    where = f"transform_config.{name}"
    if mode not in fields:
        raise ValueError(f"{where}.mode must be one of {', '.join(fields)}, and is {mode!r}")
    _refuse_unknown(where, part, fields[mode])
    for field in part.keys() & {"separator", "paragraph_separator", "page_separator"}:
        if not part[field]:
            raise ValueError(f"{where}.{field} must not be empty")
    return mode, part


def _sizes(where: str, given: Mapping[str, Any]) -> dict[str, Any]:
    size = given.get("chunk_size", CHUNK_SIZE)
    if size < 1:
        raise ValueError(f"{where}.chunk_size must be above 0, and is {size}")
    # A default that is larger than what was asked for would be an error nobody made.
    overlap = given.get("chunk_overlap", min(CHUNK_OVERLAP, size // 5))
    if overlap < 0:
        raise ValueError(f"{where}.chunk_overlap must not be negative, and is {overlap}")
    if overlap >= size:
        raise ValueError(f"{where}.chunk_overlap ({overlap}) must be less than chunk_size ({size})")
    return {**given, "chunk_size": size, "chunk_overlap": overlap}


def _check_semantic(given: Mapping[str, Any]) -> None:
    where = "transform_config.chunking_config"
    if given.get("buffer_size", 1) < 1:
        raise ValueError(f"{where}.buffer_size must be above 0, and is {given['buffer_size']}")
    if not 0 < given.get("breakpoint_percentile_threshold", 95) <= 100:
        raise ValueError(
            f"{where}.breakpoint_percentile_threshold must be from 1 to 100, "
            f"and is {given['breakpoint_percentile_threshold']}"
        )


def _refuse_unknown(where: str, given: Mapping[str, Any], known: frozenset[str]) -> None:
    unknown = sorted(given.keys() - known)
    if unknown:
        allowed = ", ".join(sorted(known)) or "none"
        raise ValueError(f"{where} has no field {unknown[0]!r} in this mode; it has: {allowed}")
