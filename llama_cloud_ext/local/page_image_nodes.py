"""Page images as the API describes them: in lists, and as the nodes of a retrieval."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llama_cloud_ext.local.cloud import LocalCloud
    from llama_cloud_ext.local.page_images import Kind, PageImage
    from llama_cloud_ext.local.store import FileRecord


async def page_image_nodes(
    cloud: LocalCloud,
    hits: Sequence[tuple[str, int, float]],
    *,
    screenshots: bool,
    figures: bool,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What a retrieval answers as the images of the pages it found.

    Args:
        cloud: The data folder.
        hits: File id, page index (from 0 on) and score of what was found, in any order and number.
        screenshots: Whether screenshots are wanted.
        figures: Whether figures are wanted.

    Returns:
        `image_nodes` and `page_figure_nodes`, best first; a page has the best score of what was found on it. Files that
        were deleted have none.
    """
    best: dict[str, dict[int, float]] = {}
    for file_id, index, score in hits:
        pages = best.setdefault(file_id, {})
        pages[index] = max(score, pages.get(index, score))

    async def nodes(kind: Kind, describe: Callable[[FileRecord, PageImage], dict[str, Any]]) -> list[dict[str, Any]]:
        async def of_file(file_id: str, pages: dict[int, float]) -> list[dict[str, Any]]:
            file = await asyncio.wrap_future(cloud.store.file(file_id))
            if file is None:
                return []
            try:
                images = await cloud.page_images.listing(file, kind, pages)
            except FileNotFoundError:
                return []
            return [
                {"node": describe(file, image), "score": pages[image.page_index], "class_name": "NodeWithScore"}
                for image in images
            ]

        found = [node for part in await asyncio.gather(*(of_file(*item) for item in best.items())) for node in part]
        return sorted(found, key=lambda node: -node["score"])

    return (
        await nodes("screenshots", describe_screenshot) if screenshots else [],
        await nodes("figures", describe_figure) if figures else [],
    )


def describe_screenshot(file: FileRecord, image: PageImage) -> dict[str, Any]:
    """A screenshot as the API describes it."""
    return {
        "file_id": file.id,
        "page_index": image.page_index,
        "image_size": image.size,
        "metadata": _metadata(file, image),
    }


def describe_figure(file: FileRecord, image: PageImage) -> dict[str, Any]:
    """A figure as the API describes it; the document's own pictures are figures beyond doubt."""
    return {
        "file_id": file.id,
        "page_index": image.page_index,
        "figure_name": image.name,
        "figure_size": image.size,
        "confidence": 1.0,
        "is_likely_noise": image.is_likely_noise,
        "metadata": _metadata(file, image) | ({"bbox": image.bbox} if image.bbox else {}),
    }


def _metadata(file: FileRecord, image: PageImage) -> dict[str, Any]:
    return {"file_name": file.name, "page_label": str(image.page_index + 1)}
