"""How an index splits its documents into nodes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Literal

from pydantic import Field, model_validator
from typing_extensions import Self

from llama_cloud_ext.errors import ConfigurationError
from llama_cloud_ext.wire.models.strict import Given, StrictModel

_SIZES = frozenset({"chunk_size", "chunk_overlap"})
_OF_CHUNKING: dict[str, Collection[str]] = {
    "none": frozenset(),
    "character": _SIZES,
    "token": _SIZES | {"separator"},
    "sentence": _SIZES | {"separator", "paragraph_separator"},
    "semantic": {"buffer_size", "breakpoint_percentile_threshold"},
}


def _check_overlap(size: int | None, overlap: int | None) -> None:
    if size is not None and overlap is not None and overlap > size:
        raise ConfigurationError(f"chunk_overlap ({overlap}) must not be larger than chunk_size ({size})")


def _check_mode(config: ChunkingConfig | SegmentationConfig, known: Collection[str]) -> None:
    foreign = [name for name in config.to_body() if name != "mode" and name not in known]
    if foreign:
        own = f"has only {', '.join(sorted(known))}" if known else "has no options"
        raise ConfigurationError(f"{foreign[0]} does not belong to the mode {config.mode!r}, which {own}")


class AutoTransformConfig(StrictModel):
    """Split by sentences and paragraphs, into chunks of a size.

    Example:
        >>> AutoTransformConfig(chunk_size=512).to_body()
        {'chunk_size': 512}
    """

    mode: Literal["auto"] | None = None
    chunk_size: int | None = Field(default=None, ge=1)
    chunk_overlap: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _overlap_fits(self) -> Self:
        _check_overlap(self.chunk_size, self.chunk_overlap)
        return self


class ChunkingConfig(StrictModel):
    """How segments are cut into chunks.

    The sizes belong to the modes "character", "token" and "sentence", the separators to "token" and "sentence", the
    last two fields to "semantic".
    """

    mode: Literal["none", "character", "token", "sentence", "semantic"]
    chunk_size: int | None = Field(default=None, ge=1)
    chunk_overlap: int | None = Field(default=None, ge=0)
    separator: str | None = None
    paragraph_separator: str | None = None
    buffer_size: int | None = None
    breakpoint_percentile_threshold: int | None = None

    @model_validator(mode="after")
    def _fits_the_mode(self) -> Self:
        _check_mode(self, _OF_CHUNKING[self.mode])
        _check_overlap(self.chunk_size, self.chunk_overlap)
        return self


class SegmentationConfig(StrictModel):
    """How documents are taken apart before they are cut into chunks; `page_separator` belongs to the mode "page"."""

    mode: Literal["none", "page", "element"]
    page_separator: str | None = None

    @model_validator(mode="after")
    def _fits_the_mode(self) -> Self:
        _check_mode(self, {"page_separator"} if self.mode == "page" else set())
        return self


class AdvancedModeTransformConfig(StrictModel):
    """Say for segments and chunks how they are made.

    Example:
        >>> AdvancedModeTransformConfig(chunking_config={"mode": "none"}).to_body()["chunking_config"]
        {'mode': 'none'}
    """

    mode: Literal["advanced"] = "advanced"
    segmentation_config: Given[SegmentationConfig] | None = None
    chunking_config: Given[ChunkingConfig] | None = None


TransformConfig = AutoTransformConfig | AdvancedModeTransformConfig


def variant_of(value: Mapping[str, Any]) -> type[StrictModel]:
    """Which variant a dict means; without a mode, what it has in it decides.

    Raises:
        ConfigurationError: The mode is unknown.
    """
    mode = value.get("mode")
    if mode not in (None, "auto", "advanced"):
        raise ConfigurationError(f"there is no mode {mode!r}", option="mode", hint='Use "auto" or "advanced".')
    advanced = mode == "advanced" or (mode is None and {"chunking_config", "segmentation_config"} & set(value))
    return AdvancedModeTransformConfig if advanced else AutoTransformConfig
