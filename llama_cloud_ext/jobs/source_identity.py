"""Which file a result was made from: what outlives the upload, and gives ids and metadata that never change."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from llama_cloud_ext.ids import stable_id

if TYPE_CHECKING:
    from llama_cloud_ext.wire.sources import Source


@dataclass(frozen=True)
class SourceIdentity:
    """Which file a result was parsed from, as far as ids and metadata need to know.

    Args:
        name: File name with its suffix.
        identity: What makes the file itself: the absolute path within its filesystem, a URL without query, or the hash
            of the content.
        path: Path or URL as a person knows it; None for bytes and streams without one.
        extra_info: The caller's own metadata, merged into everything made from the result. Nested values become JSON
            text, other objects their `str`, so that metadata stays flat.

    Example:
        >>> SourceIdentity("a.pdf", "file:/data/a.pdf", path="/data/a.pdf").document_id()
        '81c31eb8-5a12-5c03-85cc-98c2785c4711'
    """

    name: str
    identity: str
    path: str | None = None
    extra_info: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "extra_info", flatten(self.extra_info))

    @classmethod
    def of(cls, source: Source) -> SourceIdentity:
        """Take from an upload source what outlives the upload.

        Args:
            source: The resolved source.

        Returns:
            Its identity, without its content.
        """
        return cls(name=source.name, identity=source.identity, path=source.path, extra_info=dict(source.extra_info))

    def to_dict(self) -> dict[str, Any]:
        """Give the JSON form that `from_dict` reads."""
        return {"name": self.name, "identity": self.identity, "path": self.path, "extra_info": dict(self.extra_info)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> SourceIdentity:
        """Read what `to_dict` wrote.

        Args:
            data: The dictionary.

        Returns:
            An equal identity.
        """
        return cls(data["name"], data["identity"], data.get("path"), dict(data.get("extra_info") or {}))

    def document_id(self) -> str:
        """Give the id of the whole document."""
        return stable_id(self.identity)

    def page_id(self, page_number: int) -> str:
        """Give the id of one page's Document.

        Args:
            page_number: 1-based.
        """
        return stable_id(f"{self.identity}\npage {page_number}")

    def item_id(self, page_number: int, path: str) -> str:
        """Give the id of a structured item (a node, a table).

        Args:
            page_number: 1-based.
            path: Place of the item on its page, such as "4" or "4.0".
        """
        return stable_id(f"{self.identity}\npage {page_number}\nitem {path}")

    def image_id(self, page_number: int | None, filename: str) -> str:
        """Give the id of an image.

        Args:
            page_number: 1-based; None when the service does not tell the page.
            filename: The image's name on the service.
        """
        return stable_id(f"{self.identity}\npage {page_number}\nimage {filename}")

    def metadata(self) -> dict[str, Any]:
        """Give a new dictionary of what all parts of the file share: the caller's metadata, file name and path.

        The caller's own values win: SimpleDirectoryReader, for one, knows the path as the user wrote it.
        """
        metadata = dict(self.extra_info)
        metadata.setdefault("file_name", self.name)
        if self.path is not None:
            metadata.setdefault("file_path", self.path)
        return metadata


def flatten(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Copy metadata with every value made a scalar.

    Args:
        metadata: Any mapping; it is not changed.

    Returns:
        A new dictionary: scalars as they are, lists and mappings as JSON text, other objects as their `str`.
    """
    return {str(key): _scalar(value) for key, value in metadata.items()}


def _scalar(value: Any) -> Any:
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if isinstance(value, (list, tuple, Mapping)):
        return json.dumps(value, default=str, ensure_ascii=False, sort_keys=True)
    return str(value)
