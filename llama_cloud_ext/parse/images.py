"""The images of a parse result: what the service lists, safe file names, real types, and conversion to ImageDocuments.

Pure: downloads live in `assets`.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from llama_cloud_ext.jobs.source_identity import SourceIdentity
from llama_cloud_ext.parse.metadata import box_json, clean_text, excluded_keys
from llama_cloud_ext.wire.image_types import TYPE_OF_SUFFIX
from llama_cloud_ext.wire.models.parse_response import ImageRecord, ParseResponse
from llama_cloud_ext.wire.models.tolerant import as_integer

if TYPE_CHECKING:
    from llama_index.core.schema import ImageDocument

# "page_3.png", "page-3-image-1.jpg". Not "img_p2_5.png", which counts from 0 or from 1, depending on who named it.
_PAGE_IN_NAME = re.compile(r"(?:^|[^a-z])page[_-]?(\d+)", re.IGNORECASE)

_UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]')
_RESERVED = frozenset({"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))})
# Bytes of a name, well under the 255 that file systems allow, so that suffixes and "-2" still fit.
_MAX_NAME_BYTES = 120


@dataclass(frozen=True)
class ParseImage:
    """One image that a job has saved.

    Args:
        filename: The service's name for it. Never use it as a path: see `safe_stem`.
        index: Place in the order of extraction, from 0.
        page_number: 1-based; None when neither the service, an item nor the name tells.
        category: `screenshot` (a full page), `embedded` (in the document) or `layout` (cut out); None when unknown.
        content_type: What the service says it is.
        bbox: Its box on the page (x, y, w, h), or None.
        url: The presigned URL; temporary.
    """

    filename: str
    index: int
    page_number: int | None = None
    category: str | None = None
    content_type: str | None = None
    bbox: dict[str, float] | None = None
    url: str | None = field(default=None, repr=False, compare=False)

    @property
    def mimetype(self) -> str:
        """The likely mimetype before its bytes were seen: the service's word, else by the name's suffix."""
        declared = (self.content_type or "").split(";")[0].strip().lower()
        if declared.startswith("image/"):
            return "image/jpeg" if declared == "image/jpg" else declared
        return TYPE_OF_SUFFIX.get(PurePosixPath(self.filename).suffix.lower(), "image/png")


def read_images(
    response: Mapping[str, Any], shown_on: Mapping[str, int], page_numbers: Sequence[int]
) -> list[ParseImage]:
    """Read the image listing of a response.

    Args:
        response: The raw response.
        shown_on: Page number by bare image name, from the items that show images.
        page_numbers: All pages; when there is a single one, every image is on it.

    Returns:
        The images in the service's order; entries without a name get one from their place, none is dropped.
    """
    images = []
    for position, record in enumerate(ParseResponse(response).images):
        filename = listed_name(record, position)
        page_number = as_integer(record.raw.get("page_number"))
        if page_number is None:
            page_number = shown_on.get(image_name(filename), page_in_name(filename))
        if page_number is None and len(page_numbers) == 1:
            page_number = page_numbers[0]
        box = record.bbox
        images.append(
            ParseImage(
                filename=filename,
                index=position if record.index is None else record.index,
                page_number=page_number,
                category=record.category,
                content_type=record.content_type,
                bbox={"x": box.x, "y": box.y, "w": box.w, "h": box.h} if box else None,
                url=record.presigned_url,
            )
        )
    return images


def image_url(response: Mapping[str, Any], filename: str) -> str | None:
    """Find an image's presigned URL in a response.

    Args:
        response: The raw response.
        filename: The image's name, as `read_images` gives it.
    """
    records = enumerate(ParseResponse(response).images)
    return next((image.presigned_url for place, image in records if listed_name(image, place) == filename), None)


def listed_name(record: ImageRecord, position: int) -> str:
    """Give the name of an entry of the listing, made from its place where the service sent none.

    Args:
        record: The entry.
        position: Its place in the listing, from 0.
    """
    return clean_text(record.filename) or f"image_{position}.png"


def image_name(reference: str) -> str:
    """Give the bare name that an image item's URL, or a listing's file name, refers to.

    Args:
        reference: "image_0.png", "./images/image_0.png" or a full URL.
    """
    try:
        path = urlsplit(reference).path
    except ValueError:
        path = reference
    return clean_text(unquote(path)).replace("\\", "/").rsplit("/", 1)[-1]


def page_in_name(filename: str) -> int | None:
    """Read the page number out of an image's name, where the service has put it there.

    Args:
        filename: The service's name.

    Returns:
        The 1-based page number, or None.
    """
    found = _PAGE_IN_NAME.search(filename)
    return int(found[1][:9]) if found else None


def safe_stems(filenames: Iterable[str]) -> list[str]:
    """Make file names (without suffix) from names that a server gave.

    Args:
        filenames: The server's names.

    Returns:
        One stem a name: no separators, no control characters, no leading dots, no reserved device name, not too long,
        and no two alike, even where case does not count.
    """
    stems: list[str] = []
    taken: set[str] = set()
    for filename in filenames:
        stem = safe_stem(filename)
        unique, count = stem, 1
        while unique.casefold() in taken:
            count += 1
            unique = f"{stem}-{count}"
        taken.add(unique.casefold())
        stems.append(unique)
    return stems


def safe_stem(filename: str) -> str:
    """Make one safe file name without suffix; see `safe_stems`.

    Args:
        filename: The server's name.
    """
    name = clean_text(filename.replace("\\", "/").rsplit("/", 1)[-1])
    stem, dot, suffix = name.rpartition(".")
    if not dot or not stem.strip(". ") or f".{suffix.lower()}" not in (*TYPE_OF_SUFFIX, ".bin"):
        stem = name
    stem = _UNSAFE.sub("_", stem).strip(". ")
    stem = stem.encode()[:_MAX_NAME_BYTES].decode(errors="ignore").strip(". ")
    # Windows takes "con.txt" for the device as well: what counts is the part before the first dot.
    return f"_{stem}" if stem.split(".")[0].strip().casefold() in _RESERVED else stem or "image"


def to_image_document(
    image: ParseImage,
    content: bytes,
    mimetype: str,
    source: SourceIdentity,
    *,
    page_count: int,
    page_label: str | None,
    sections: Mapping[str, str],
) -> ImageDocument:
    """Build the ImageDocument of one downloaded image.

    Args:
        image: The listing's entry.
        content: The image's bytes.
        mimetype: What the bytes are.
        source: The file it comes from.
        page_count: Pages of the document.
        page_label: The number printed on the image's page, if known.
        sections: Path of the headings that an image stands under, by bare name, for those that an item shows.

    Returns:
        An ImageDocument that holds the bytes themselves: presigned URLs expire.
    """
    from llama_index.core.schema import ImageDocument

    metadata = source.metadata()
    embed, llm = excluded_keys(metadata)
    metadata |= image_metadata(image, page_count)
    if page_label:
        metadata["page_label"] = page_label
    if section := sections.get(image_name(image.filename)):
        metadata["section"] = section
    return ImageDocument(
        id_=source.image_id(image.page_number, image.filename),
        # Encoded here: left to the model, bytes that happen to be valid base64 would be taken as encoded already.
        image=base64.b64encode(content),
        image_mimetype=mimetype,
        metadata=metadata,
        excluded_embed_metadata_keys=embed,
        excluded_llm_metadata_keys=llm,
    )


def image_metadata(image: ParseImage, page_count: int) -> dict[str, Any]:
    """Give what ImageDocuments and ImageNodes say of their image.

    Args:
        image: The listing's entry.
        page_count: Pages of the document.
    """
    metadata: dict[str, Any] = {}
    if image.page_number is not None:
        metadata["page_number"] = image.page_number
    metadata["page_count"] = page_count
    metadata["image_name"] = image.filename
    if image.category:
        metadata["image_category"] = image.category
    if image.bbox:
        metadata["bbox"] = box_json([image.bbox], None, None)
    return metadata
