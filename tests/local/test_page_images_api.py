"""`/api/v1/files/{id}/page_screenshots` and `/page-figures` on local LlamaCloud."""

from __future__ import annotations

import asyncio
import json
import os
import uuid
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from llama_cloud_ext.local import create_app
from llama_cloud_ext.local.cloud import LocalCloud
from llama_cloud_ext.local.engine import parse_document
from llama_cloud_ext.local.page_image_nodes import page_image_nodes
from llama_cloud_ext.local.page_images import PageImage, PageImages
from tests.local.clients import FILES, local_client, upload_file

SLOW_MACHINE_SECONDS = 60.0
"""For rendering pages while other tests keep the cores busy."""


class CountingEngine:
    """The real engine, which remembers what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str | None]] = []

    def __call__(self, path: Path, name: str, configuration: dict[str, Any], **options: Any) -> Any:
        (category,) = configuration["output_options"]["images_to_save"]
        self.asked.append((category, configuration.get("page_ranges", {}).get("target_pages")))
        return parse_document(path, name, configuration, **options)


async def upload(client: httpx.AsyncClient, path: Path) -> str:
    """Upload a file of the tests; its id."""
    content = await asyncio.to_thread(path.read_bytes)
    record = await upload_file(client, content, path.name)
    return str(record["id"])


async def listed(client: httpx.AsyncClient, file_id: str, kind: str) -> Any:
    """The list of screenshots or figures."""
    answer = await client.get(f"/api/v1/files/{file_id}/{kind}", timeout=SLOW_MACHINE_SECONDS)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_screenshots_of_every_page(tmp_path: Path, data_dir: Path) -> None:
    """Ensure every page has a screenshot whose bytes are the image that the list describes."""
    async with local_client(tmp_path, engine=None) as client:
        file_id = await upload(client, data_dir / "latex-lorem.pdf")
        shots = await listed(client, file_id, "page_screenshots")
        assert [shot["page_index"] for shot in shots] == [0, 1, 2, 3]
        contents = set()
        for shot in shots:
            assert shot["file_id"] == file_id
            label = str(shot["page_index"] + 1)
            assert shot["metadata"] == {"file_name": "latex-lorem.pdf", "page_label": label}
            answer = await client.get(f"/api/v1/files/{file_id}/page_screenshots/{shot['page_index']}")
            assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
            assert len(answer.content) == shot["image_size"]
            with Image.open(BytesIO(answer.content)) as picture:
                assert min(picture.size) > 1000
            contents.add(answer.content)
        assert len(contents) == 4


async def test_figures_are_the_documents_own_pictures(tmp_path: Path, data_dir: Path) -> None:
    """Ensure the figures of a page are listed with their place, and come with the type they have."""
    async with local_client(tmp_path, engine=None) as client:
        file_id = await upload(client, data_dir / "reportlab-userguide.pdf")
        figures = await listed(client, file_id, "page-figures")
        first = figures[0]
        assert (first["page_index"], first["confidence"], first["is_likely_noise"]) == (0, 1.0, False)
        assert first["metadata"]["bbox"] == {"x": 144.0, "y": 84.89, "w": 283.0, "h": 181.0}
        assert len({(figure["page_index"], figure["figure_name"]) for figure in figures}) == len(figures) > 3
        assert [figure["page_index"] for figure in figures] == sorted(figure["page_index"] for figure in figures)
        for figure in figures:
            url = f"/api/v1/files/{file_id}/page-figures/{figure['page_index']}/{figure['figure_name']}"
            answer = await client.get(url)
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith("image/")
            assert len(answer.content) == figure["figure_size"]


@pytest.mark.parametrize(
    ("name", "screenshots", "figures"),
    [
        ("slides-with-tables.pptx", 0, 1),
        ("bali.jpg", 1, 0),
        ("scanned-page.pdf", 1, 0),
        ("mtcars.csv", 0, 0),
        ("pdfminer-readme.md", 0, 0),
        ("password-protected.pdf", 0, 0),
        ("truncated.pdf", 0, 0),
    ],
)
async def test_files_without_pages(tmp_path: Path, data_dir: Path, name: str, screenshots: int, figures: int) -> None:
    """Ensure formats without pages, and files that cannot be read, have an empty list, and the others what there is."""
    async with local_client(tmp_path, engine=None) as client:
        file_id = await upload(client, data_dir / name)
        assert len(await listed(client, file_id, "page_screenshots")) == screenshots
        assert len(await listed(client, file_id, "page-figures")) == figures
        for missing in ("page_screenshots/7", "page-figures/0/none.png"):
            assert (await client.get(f"/api/v1/files/{file_id}/{missing}")).status_code == 404


async def test_what_there_is_not(tmp_path: Path, data_dir: Path) -> None:
    """Ensure unknown files, pages, figures and projects are 404 with a sentence, and that indexes are numbers."""
    async with local_client(tmp_path, engine=None) as client:
        file_id = await upload(client, data_dir / "table-and-pictures.pdf")
        unknown = f"/api/v1/files/{uuid.uuid4()}"
        known = f"/api/v1/files/{file_id}"
        for url, detail in [
            (f"{unknown}/page_screenshots", "File not found"),
            (f"{unknown}/page_screenshots/0", "File not found"),
            (f"{unknown}/page-figures", "File not found"),
            (f"{unknown}/page-figures/0/a.png", "File not found"),
            (f"{known}/page_screenshots/1", "Page screenshot not found"),
            (f"{known}/page_screenshots/-1", "Page screenshot not found"),
            (f"{known}/page-figures/0/a.png", "Page figure not found"),
            (f"{known}/page-figures/9/img_p1_1.png", "Page figure not found"),
        ]:
            answer = await client.get(url)
            assert (answer.status_code, answer.json()) == (404, {"detail": detail}), url
        answer = await client.get(f"{known}/page_screenshots", params={"project_id": str(uuid.uuid4())})
        assert answer.status_code == 404
        answer = await client.get(f"{known}/page_screenshots/first")
        assert answer.status_code == 422
        assert answer.json()["detail"][0]["loc"] == ["path", "page_index"]


async def test_images_end_with_their_file(tmp_path: Path, data_dir: Path) -> None:
    """Ensure deleting a file deletes the images of its pages."""
    async with local_client(tmp_path, engine=None) as client:
        file_id = await upload(client, data_dir / "latex-lorem.pdf")
        await listed(client, file_id, "page_screenshots")
        assert [path.name for path in (tmp_path / "page_images").iterdir()] == [file_id]
        await client.delete(f"{FILES}/{file_id}")
        assert list((tmp_path / "page_images").iterdir()) == []
        assert (await client.get(f"/api/v1/files/{file_id}/page_screenshots/0")).status_code == 404


async def test_images_of_files_that_are_gone(tmp_path: Path, data_dir: Path) -> None:
    """Ensure images that a crash left behind without their file go at the next start, and the others stay."""
    async with local_client(tmp_path, engine=None) as client:
        file_id = await upload(client, data_dir / "table-and-pictures.pdf")
        await listed(client, file_id, "page_screenshots")
    images = tmp_path / "page_images"
    orphan = images / str(uuid.uuid4())
    orphan.mkdir()
    for folder in images.iterdir():
        os.utime(folder, (0, 0))
    async with local_client(tmp_path) as client:
        await client.get(FILES)
        assert [folder.name for folder in images.iterdir()] == [file_id]


async def test_a_page_is_rendered_once(tmp_path: Path, data_dir: Path) -> None:
    """Ensure requests for the same pages, at the same time or after a restart, share one rendering."""
    engine = CountingEngine()
    async with local_client(tmp_path, engine=engine) as client:
        file_id = await upload(client, data_dir / "latex-lorem.pdf")
        url = f"/api/v1/files/{file_id}/page_screenshots"
        answers = await asyncio.gather(
            *(client.get(f"{url}/{number % 4}", timeout=SLOW_MACHINE_SECONDS) for number in range(40))
        )
        assert {answer.status_code for answer in answers} == {200}
        await asyncio.gather(*(client.get(url, timeout=SLOW_MACHINE_SECONDS) for _ in range(2)), client.get(f"{url}/2"))
    pages = [page for _, pages in engine.asked for page in str(pages).split(",")]
    assert sorted(pages) == ["1", "2", "3", "4"]
    async with local_client(tmp_path, engine=engine) as client:
        assert len(await listed(client, file_id, "page_screenshots")) == 4
    assert len(pages) == sum(len(str(pages).split(",")) for _, pages in engine.asked)


async def test_a_request_that_ends_early_does_not_disturb_others(tmp_path: Path, data_dir: Path) -> None:
    """Ensure a client that goes away while a page is rendered leaves the others waiting for it alone."""
    async with local_client(tmp_path, engine=None) as client:
        file_id = await upload(client, data_dir / "latex-lorem.pdf")
        url = f"/api/v1/files/{file_id}/page_screenshots/0"
        first, second = (asyncio.create_task(client.get(url)) for _ in range(2))
        await asyncio.sleep(0.02)
        first.cancel()
        assert (await second).status_code == 200


async def test_what_was_lost_is_made_again(tmp_path: Path, data_dir: Path) -> None:
    """Ensure images that vanished, or were cut short, are rendered anew."""
    async with local_client(tmp_path, engine=None) as client:
        file_id = await upload(client, data_dir / "latex-lorem.pdf")
        url = f"/api/v1/files/{file_id}/page_screenshots/1"
        whole = (await client.get(url)).content
        folder = tmp_path / "page_images" / file_id
        damages: list[Callable[[], Any]] = [
            (folder / "screenshots-1-0").unlink,
            lambda: (folder / "screenshots-1-0").write_bytes(whole[:100]),
            lambda: (folder / "screenshots-1.json").write_text("[{"),
        ]
        for damage in damages:
            damage()
            assert (await client.get(url)).content == whole


async def test_room_on_disk_is_bounded(tmp_path: Path, data_dir: Path) -> None:
    """Ensure the images of the file that was least recently looked at make room for others, and come back."""
    app = create_app(tmp_path)
    cloud: LocalCloud = app.state.cloud
    await cloud.ensure_open()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://cloud.test") as client:
        files = [
            await asyncio.wrap_future(cloud.store.file(await upload(client, data_dir / name)))
            for name in ("table-and-pictures.pdf", "r-datasets-tables.pdf", "latex-lorem.pdf")
        ]
    images = PageImages(cloud.blobs, cloud.threads, engine=None, most_bytes=900_000)
    try:
        for file in files:
            assert file is not None
            assert await images.listing(file, "screenshots")
            kept = sum(path.stat().st_size for path in (tmp_path / "page_images").rglob("*-0"))
            assert kept <= 900_000
        assert files[0] is not None
        assert not cloud.blobs.page_images(files[0].id).exists()
        assert await images.content(files[0], "screenshots", 0) is not None
    finally:
        images.close()
        await asyncio.to_thread(cloud.close)


async def test_nodes_of_a_retrieval(tmp_path: Path, data_dir: Path) -> None:
    """Ensure a retrieval gets one node a page with its best score, best first, and nothing for files that are gone."""
    app = create_app(tmp_path)
    cloud: LocalCloud = app.state.cloud
    await cloud.ensure_open()
    try:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://cloud.test") as client:
            lorem = await upload(client, data_dir / "latex-lorem.pdf")
            guide = await upload(client, data_dir / "reportlab-userguide.pdf")
        hits = [(lorem, 1, 0.5), (lorem, 1, 0.7), (guide, 0, 0.9), (lorem, 0, 0.1), (str(uuid.uuid4()), 0, 1.0)]
        shots, figures = await page_image_nodes(cloud, hits, screenshots=True, figures=True)
        assert [(node["node"]["file_id"], node["node"]["page_index"], node["score"]) for node in shots] == [
            (guide, 0, 0.9),
            (lorem, 1, 0.7),
            (lorem, 0, 0.1),
        ]
        assert {node["class_name"] for node in shots + figures} == {"NodeWithScore"}
        assert [(node["node"]["file_id"], node["node"]["figure_name"]) for node in figures] == [(guide, "img_p1_1.png")]
        assert figures[0]["node"]["metadata"]["file_name"] == "reportlab-userguide.pdf"
        json.dumps([shots, figures])
        assert await page_image_nodes(cloud, hits, screenshots=False, figures=False) == ([], [])
    finally:
        await asyncio.to_thread(cloud.close)


def test_thin_figures_are_noise() -> None:
    """Ensure rules and icons are told from pictures, and what has no place on its page is no noise."""
    sizes = [(468.0, 1.0), (12.0, 12.0), (200.0, 150.0)]
    boxes: list[dict[str, float] | None] = [{"x": 0, "y": 0, "w": width, "h": height} for width, height in sizes]
    images = [PageImage(0, "a.png", 1, "image/png", box) for box in [*boxes, None]]
    assert [image.is_likely_noise for image in images] == [True, True, False, False]
