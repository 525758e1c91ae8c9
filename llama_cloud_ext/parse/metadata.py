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
from typing import Any

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
