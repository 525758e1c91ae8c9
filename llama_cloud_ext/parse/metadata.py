"""Ids and metadata of everything a parse result is turned into: one place, so that Documents, nodes and images agree.

Two rules hold everywhere:

* **Ids are stable.** They come from the source's identity and the place in it (page, item, image name), never from the
  job: parsing a file again gives the same ids, and equal names in two folders give different ones. They are uuids, so
  they need no encoding when they travel in a URL.
* **Metadata is stable and flat.** LlamaIndex hashes it, and whatever changes from run to run (job id, times, credits,
  presigned URLs) would have every page embedded again. Values are scalars, because vector stores refuse nested ones.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from llama_cloud_ext.ids import stable_id

if TYPE_CHECKING:
    from llama_cloud_ext.wire.sources import Source

# What SimpleDirectoryReader hides from embedding and LLM texts: the same here, so that documents read alike either way.
_HIDDEN_FILE_KEYS = ("file_name", "file_type", "file_size", "creation_date", "last_modified_date", "last_accessed_date")
# Useful to programs and noise to models.
_HIDDEN_KEYS = (
    "page_count",
    "page_error",
    "page_blank",
    "failed_pages",
    "item_type",
    "bbox",
    "table_id",
    "image_name",
    "image_category",
)
# A page number helps a model to cite, and only disturbs an embedding.
_HIDDEN_FROM_EMBEDDING = ("page_number", "page_label")

# Splitters subtract the visible metadata from their chunk size and refuse when nothing is left of it. A token has at
# least one byte, mostly three or more: two such values leave a splitter of 256 tokens well over half of its room.
MAX_VISIBLE_BYTES = 160
_MAX_ERROR_CHARACTERS = 300


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


def excluded_keys(metadata: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Choose the metadata keys that embedding and LLM texts leave out.

    Args:
        metadata: What all documents or nodes of one file share (`SourceIdentity.metadata`).

    Returns:
        Two lists (for embedding, for LLM). Each document needs its own copies: readers extend them in place.
    """
    hidden = [*_HIDDEN_FILE_KEYS, *_HIDDEN_KEYS]
    path = metadata.get("file_path")
    if path is None:
        # The name is all that tells a model which file it reads.
        hidden.remove("file_name")
    elif len(clean_text(str(path)).encode()) > MAX_VISIBLE_BYTES:
        hidden.append("file_path")
    return [*hidden, *_HIDDEN_FROM_EMBEDDING], hidden


def shorten_path(parts: Iterable[str], separator: str = " > ") -> str:
    """Join a path of titles so that it fits into a splitter's chunk.

    Args:
        parts: Titles from the outermost to the innermost.
        separator: What goes between them.

    Returns:
        The path; when it would be too long, without its outermost titles ("… > Inner"), the innermost one cut.
    """
    titles = [" ".join(part.split()) for part in parts]
    joined = separator.join(titles)
    while len(titles) > 1 and len(clean_text(joined).encode()) > MAX_VISIBLE_BYTES:
        titles = titles[1:]
        joined = separator.join(["…", *titles])
    if len(encoded := clean_text(joined).encode()) > MAX_VISIBLE_BYTES:
        return encoded[: MAX_VISIBLE_BYTES - 3].decode(errors="ignore").rstrip() + "…"
    return joined


def shorten_error(message: str) -> str:
    """Cut a page's error message to what metadata can carry.

    Args:
        message: The message.
    """
    return message if len(message) <= _MAX_ERROR_CHARACTERS else message[: _MAX_ERROR_CHARACTERS - 1] + "…"


def box_json(boxes: Sequence[Mapping[str, Any]], width: float | None, height: float | None) -> str:
    """Write boxes as the one JSON string that metadata carries.

    Args:
        boxes: The boxes, in points.
        width: Page width in points, if known.
        height: Page height in points, if known.

    Returns:
        `{"boxes": [{"x": …, "y": …, "w": …, "h": …}], "page_width": …, "page_height": …}` without blanks.
    """
    value: dict[str, Any] = {"boxes": [{side: box[side] for side in "xywh"} for box in boxes]}
    if width and height:
        value |= {"page_width": width, "page_height": height}
    return json.dumps(value, separators=(",", ":"))


def clean_text(value: str) -> str:
    """Make a string that UTF-8 can carry.

    Args:
        value: Any string. Lone surrogates (undecodable file names, broken escapes in JSON) are refused by pydantic.

    Returns:
        The same string, with lone surrogates written as escapes so that different ones stay different.
    """
    return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()


def _scalar(value: Any) -> Any:
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if isinstance(value, (list, tuple, Mapping)):
        return json.dumps(value, default=str, ensure_ascii=False, sort_keys=True)
    return str(value)
