"""One long document in several jobs: parts of a fixed number of pages, at once, on one upload.

Page numbers stay those of the document. A part that fails is named by its page range, and what the others gave is
handed over with the error.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, count, islice
from typing import Any

from llama_cloud_ext.errors import ConfigurationError, FailedItem, JobFailedError, LlamaCloudError, PartialFailureError
from llama_cloud_ext.jobs.source_identity import SourceIdentity
from llama_cloud_ext.parse.assets import IMAGES, OUTPUT_PDF, XLSX, stored_assets
from llama_cloud_ext.parse.pipeline import ParsePipeline, Wanted
from llama_cloud_ext.parse.result import ParseResult
from llama_cloud_ext.parse.target_pages import format_target_pages, parse_target_pages
from llama_cloud_ext.wire.models.tolerant import as_mapping, as_objects
from llama_cloud_ext.wire.sources import Source

logger = logging.getLogger(__name__)

# The service says this of a page range beyond the document's end, which is how the end of a document is found.
_BEYOND_THE_END = "NO_DATA_FOUND_IN_FILE"
# Parts that are tried at once while the length of the document is unknown: at most so many are asked for in vain.
_PARTS_AHEAD = 4
_PAGE_LISTS = ("text", "markdown", "items", "metadata", "forms")


@dataclass(frozen=True)
class _Part:
    pages: list[int]
    response: dict[str, Any] | None = None
    error: LlamaCloudError | None = None

    @property
    def beyond_the_end(self) -> bool:
        return isinstance(self.error, JobFailedError) and self.error.code == _BEYOND_THE_END

    @property
    def at_the_end(self) -> bool:
        """Whether the document ends in or before this part: it gave fewer pages than it was asked for."""
        return self.beyond_the_end or (self.response is not None and _page_count(self.response) < len(self.pages))


async def parse_in_parts(
    pipeline: ParsePipeline, source: Source, body: dict[str, Any], wanted: Wanted, *, pages: int
) -> dict[str, Any]:
    """Parse a document in parts; one response, as if it had been parsed whole.

    Args:
        pipeline: Creates, waits for and fetches the jobs.
        source: The document, uploaded once.
        body: The request body; its page ranges, if any, are what is divided.
        wanted: What of the result is fetched.
        pages: Pages a part.

    Raises:
        PartialFailureError: Parts failed. `results` has a ParseResult for each part that did not, `failures` names the
            missing page ranges.
    """
    _refuse_whole_files(body)
    ranges, length_known = _ranges(body.get("page_ranges") or {}, pages)
    file_id = None if source.url else await pipeline.upload(source)

    async def parse(part: list[int]) -> _Part:
        page_ranges = {"target_pages": format_target_pages(part)}
        try:
            created = await pipeline.create(source, {**body, "page_ranges": page_ranges}, file_id=file_id)
            return _Part(part, response=await pipeline.collect(created, wanted, file=source.label))
        except LlamaCloudError as error:
            return _Part(part, error=error)

    try:
        parts: list[_Part] = []
        while batch := list(ranges if length_known else islice(ranges, _PARTS_AHEAD)):
            parts += await asyncio.gather(*(parse(part) for part in batch))
            if length_known or any(part.at_the_end or part.error for part in parts):
                break
    finally:
        if file_id is not None and pipeline.delete_after:
            await asyncio.shield(pipeline.delete_upload(file_id))
    return _join(_within_the_document(parts), source)


def _refuse_whole_files(body: dict[str, Any]) -> None:
    """A spreadsheet or a PDF of each part cannot be joined, and the first part's must not pass for the document's."""
    for expand, option in ((XLSX.expand, XLSX.option), (OUTPUT_PDF.expand, OUTPUT_PDF.option)):
        if expand in stored_assets(body):
            raise ConfigurationError(
                f"{option} makes a file for the whole document, and partition_pages divides it",
                option="partition_pages",
                hint=f"Leave out partition_pages or {option}.",
            )


def _ranges(page_ranges: dict[str, Any], pages: int) -> tuple[Iterator[list[int]], bool]:
    """The parts' pages, and whether they end: without a page range the document's own end decides."""
    wanted: Iterable[int]
    if page_ranges.get("target_pages"):
        wanted = chain.from_iterable(parse_target_pages(page_ranges["target_pages"]))
    elif page_ranges.get("max_pages"):
        wanted = range(1, page_ranges["max_pages"] + 1)
    else:
        return (list(range(first, first + pages)) for first in count(1, pages)), False
    numbers = list(wanted)
    return (numbers[start : start + pages] for start in range(0, len(numbers), pages)), "target_pages" in page_ranges


def _within_the_document(parts: list[_Part]) -> list[_Part]:
    """The parts up to the document's end. The first part stays in any case: a blank document is an error."""
    return [part for index, part in enumerate(parts) if index == 0 or not part.beyond_the_end]


def _join(parts: list[_Part], source: Source) -> dict[str, Any]:
    failed = [part for part in parts if part.error is not None]
    if len(parts) == 1 and parts[0].error is not None:
        raise parts[0].error
    if failed:
        identity = SourceIdentity.of(source)
        results: list[Any] = [
            ParseResult(part.response, source=identity)
            if part.response is not None
            else FailedItem(f"{source.label} (pages {format_target_pages(part.pages)})", part.error, None, index)  # type: ignore[arg-type]  # one of the two is set
            for index, part in enumerate(parts)
        ]
        missing = ", ".join(format_target_pages(part.pages) for part in failed)
        raise PartialFailureError(
            f"{source.label}: {len(failed)} of {len(parts)} parts failed; pages {missing} are missing",
            results=results,
            hint="The other parts are in .results; parse the missing ones with target_pages=…",
        )
    return _merge(parts)


def _merge(parts: list[_Part]) -> dict[str, Any]:
    responses: list[dict[str, Any]] = []
    names: set[str] = set()
    for part in parts:
        if part.response is not None:
            responses.append(_with_distinct_images(part.response, names, part.pages[0]))
    merged = dict(responses[0])
    for name in _PAGE_LISTS:
        lists = [_pages(response, name) for response in responses]
        if any(pages is not None for pages in lists):
            merged[name] = {**as_mapping(merged.get(name)), "pages": [page for pages in lists for page in pages or []]}
    images = [image for response in responses for image in _images(response)]
    if any(IMAGES in response for response in responses):
        merged[IMAGES] = {"images": images, "total_count": len(images)}
    merged["job_metadata"] = {
        **as_mapping(merged.get("job_metadata")),
        "parts": [_job_id(response) for response in responses],
    }
    return merged


def _images(response: dict[str, Any]) -> list[dict[str, Any]]:
    return list(as_objects(as_mapping(response.get(IMAGES)).get("images")))


def _with_distinct_images(response: dict[str, Any], taken: set[str], first_page: int) -> dict[str, Any]:
    """Each job names its images by itself: a name that another part has is changed, where it is used too.

    The new name says nothing of a page, or it would be taken for the page that the image is on.
    """
    names = {str(image.get("filename")) for image in _images(response)}
    renamed = {name: f"part_{first_page}_{name}" for name in names & taken}
    taken |= {renamed.get(name, name) for name in names}
    return _renamed(response, renamed) if renamed else response


def _renamed(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _renamed(entry, names) for key, entry in value.items()}
    if isinstance(value, list):
        return [_renamed(entry, names) for entry in value]
    if isinstance(value, str):
        if value in names:
            return names[value]
        for old, new in names.items():
            value = value.replace(f"]({old})", f"]({new})")
    return value


def _pages(response: dict[str, Any], name: str) -> list[Any] | None:
    holder = response.get(name)
    pages = holder.get("pages") if isinstance(holder, dict) else None
    return pages if isinstance(pages, list) else None


def _page_count(response: dict[str, Any]) -> int:
    return max((len(pages) for name in _PAGE_LISTS if (pages := _pages(response, name)) is not None), default=0)


def _job_id(response: dict[str, Any]) -> Any:
    return as_mapping(response.get("job")).get("id")
