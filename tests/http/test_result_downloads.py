"""Downloads of a result: images, XLSX, PDF; expired addresses, bodies that are no image, names, bounds, settings."""

from __future__ import annotations

import asyncio
import inspect
import pickle
import threading
import time
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import respx
from llama_index.core.schema import ImageNode

from llama_cloud_ext.errors import DownloadError
from llama_cloud_ext.parse.result import ParseResult
from llama_cloud_ext.wire.downloads import Download, data_url
from llama_cloud_ext.wire.settings import Settings
from tests.unit.parse_samples import SOURCE, image, listed, response, text

API = "https://cloud.example.com"
FILES = "https://files.example.com"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(200))
JPG = b"\xff\xd8\xff\xe0" + bytes(range(100))
SETTINGS = Settings.resolve(api_key="llx-secret", base_url=API, headers={"X-Mine": "1"}, retry_budget=0, environ={})


@pytest.fixture
def cloud() -> Iterator[respx.MockRouter]:
    with respx.mock(assert_all_called=False) as router:
        yield router


def make(*names: str, **more: Any) -> ParseResult:
    raw = response([[text("a"), image("a.png")]], images_content_metadata=listed(*names), **more)
    return ParseResult(raw, source=SOURCE, settings=SETTINGS)


def serve(cloud: respx.MockRouter, **bodies: Any) -> respx.Route:
    """Answer GET of the job with these parts."""
    return cloud.get(f"{API}/api/v2/parse/pjb-1").respond(json={"job": {"id": "pjb-1"}, **bodies})


def test_image_documents_hold_real_bytes(cloud: respx.MockRouter) -> None:
    """Ensure images arrive with bytes, real mimetype and place, and that no secret goes to the storage's host."""
    route = cloud.get(f"{FILES}/0").respond(content=JPG, headers={"content-type": "binary/octet-stream"})
    (document,) = make("a.png").image_documents()
    assert document.resolve_image().read() == JPG
    assert document.image_mimetype == "image/jpeg"
    assert document.metadata["page_number"] == 1
    assert document.metadata["page_label"] == "A-1"
    assert document.metadata["image_category"] == "embedded"
    sent = route.calls.last.request.headers
    assert "authorization" not in sent
    assert "x-mine" not in sent


async def test_async_twins(cloud: respx.MockRouter, tmp_path: Path) -> None:
    """Ensure every download works in an event loop as well, with the same outcome."""
    cloud.get(f"{FILES}/0").respond(content=PNG)
    cloud.get(f"{FILES}/pdf").respond(content=b"%PDF-1.7 x")
    cloud.get(f"{FILES}/xlsx").respond(content=b"PK\x03\x04 x")
    files = {
        "xlsx": {"exists": True, "presigned_url": f"{FILES}/xlsx"},
        "outputPDF": {"exists": True, "presigned_url": f"{FILES}/pdf"},
    }
    result = make("a.png", result_content_metadata=files)
    assert (await result.aimage_documents())[0].resolve_image().read() == PNG
    assert [path.read_bytes() for path in await result.asave_images(tmp_path / "new" / "folder")] == [PNG]
    assert await result.aoutput_pdf() == b"%PDF-1.7 x"
    assert (await result.asave_output_pdf(tmp_path / "a.pdf")).read_bytes() == b"%PDF-1.7 x"
    assert (await result.asave_xlsx(tmp_path / "a.xlsx")).read_bytes() == b"PK\x03\x04 x"
    nodes = await result.anodes(with_images=True)
    assert [node.resolve_image().read() for node in nodes if isinstance(node, ImageNode)] == [PNG]  # type: ignore[union-attr]


def test_twins_agree() -> None:
    """Ensure each asynchronous method takes what its synchronous one takes."""
    pairs = [name for name in dir(ParseResult) if not name.startswith("_") and hasattr(ParseResult, f"a{name}")]
    assert sorted(pairs) == [
        "image_documents",
        "load",
        "nodes",
        "output_pdf",
        "save_images",
        "save_output_pdf",
        "save_xlsx",
    ]
    for name in pairs:
        one, other = getattr(ParseResult, name), getattr(ParseResult, f"a{name}")
        assert inspect.iscoroutinefunction(other)
        assert inspect.signature(one).parameters == inspect.signature(other).parameters
        assert inspect.signature(one).return_annotation == inspect.signature(other).return_annotation


@pytest.mark.parametrize("status", [400, 403, 404, 410])
def test_expired_address_is_renewed_once_for_all(cloud: respx.MockRouter, status: int) -> None:
    """Ensure expired addresses are asked for anew, with one request for all images, and tried again."""
    cloud.get(url__regex=rf"{FILES}/\d\?sig=first").respond(status)
    cloud.get(url__regex=rf"{FILES}/\d\?sig=second").respond(content=PNG)
    names = [f"image_{place}.png" for place in range(6)]
    fresh = listed(*names)
    for entry in fresh["images"]:
        entry["presigned_url"] = entry["presigned_url"].replace("first", "second")
    job = serve(cloud, images_content_metadata=fresh)
    documents = make(*names).image_documents()
    assert [document.metadata["image_name"] for document in documents] == names
    assert job.call_count == 1
    request = job.calls.last.request
    assert request.url.params["expand"] == "images_content_metadata"
    assert request.headers["authorization"] == "Bearer llx-secret"


def test_address_that_stays_refused_raises_and_writes_nothing(cloud: respx.MockRouter, tmp_path: Path) -> None:
    """Ensure a download that cannot be had raises with file and job, and leaves the folder empty."""
    cloud.get(url__startswith=FILES).respond(403, text="<Error>Expired</Error>")
    job = serve(cloud, images_content_metadata=listed("a.png"))
    with pytest.raises(DownloadError) as caught:
        make("a.png").save_images(tmp_path)
    assert "report.pdf" in str(caught.value)
    assert "pjb-1" in str(caught.value)
    assert "sig=" not in str(caught.value)
    assert job.call_count == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("body", [b'{"detail": "internal"}', b"", b"<html>login</html>"])
def test_error_body_is_never_saved_as_an_image(cloud: respx.MockRouter, tmp_path: Path, body: bytes) -> None:
    """Ensure a body that is no image raises although the status says 200, in memory and on disk."""
    cloud.get(url__startswith=FILES).respond(content=body, headers={"content-type": "image/png"})
    serve(cloud, images_content_metadata=listed("a.png"))
    with pytest.raises(DownloadError):
        make("a.png").save_images(tmp_path)
    with pytest.raises(DownloadError):
        make("a.png").image_documents()
    assert list(tmp_path.iterdir()) == []


def test_one_failure_stops_the_call(cloud: respx.MockRouter, tmp_path: Path) -> None:
    """Ensure one image that cannot be had is an error, not a shorter list."""
    cloud.get(f"{FILES}/0").respond(content=PNG)
    cloud.get(f"{FILES}/1").respond(501)
    with pytest.raises(DownloadError):
        make("a.png", "b.png").save_images(tmp_path)
    assert not list(tmp_path.glob(".*"))


def test_a_slow_disk_leaves_nothing_behind(
    cloud: respx.MockRouter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ensure a file that is being created while another download fails is gone as well."""
    opened, open_at_once = threading.Event(), Path.open

    def open_late(path: Path, *arguments: Any, **more: Any) -> Any:
        if path.parent == tmp_path:
            opened.set()
            time.sleep(0.3)
        return open_at_once(path, *arguments, **more)

    async def refuse(_request: httpx.Request) -> httpx.Response:
        await asyncio.to_thread(opened.wait, 5)
        return httpx.Response(501)

    cloud.get(f"{FILES}/0").respond(content=PNG)
    cloud.get(f"{FILES}/1").mock(side_effect=refuse)
    monkeypatch.setattr(Path, "open", open_late)
    with pytest.raises(DownloadError):
        make("a.png", "b.png").save_images(tmp_path)
    time.sleep(0.5)
    assert not list(tmp_path.glob(".*"))


def test_a_slow_disk_leaves_nothing_of_a_kept_file_behind(
    cloud: respx.MockRouter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ensure the same of an image that a result has kept inside it."""
    begun, write_at_once = threading.Event(), Path.write_bytes

    def write_late(path: Path, content: bytes) -> int:
        begun.set()
        time.sleep(0.3)
        return write_at_once(path, content)

    async def refuse(_request: httpx.Request) -> httpx.Response:
        await asyncio.to_thread(begun.wait, 5)
        return httpx.Response(501)

    cloud.get(f"{FILES}/1").mock(side_effect=refuse)
    images = listed("a.png", "b.png")
    images["images"][0]["presigned_url"] = data_url(Download(PNG, "image/png"))
    raw = response([[text("a")]], images_content_metadata=images)
    monkeypatch.setattr(Path, "write_bytes", write_late)
    with pytest.raises(DownloadError):
        ParseResult(raw, source=SOURCE, settings=SETTINGS).save_images(tmp_path)
    time.sleep(0.5)
    assert not list(tmp_path.glob(".*"))


def test_names_are_safe_and_suffixes_true(cloud: respx.MockRouter, tmp_path: Path) -> None:
    """Ensure files land inside the folder, apart from each other, with the suffix of their content."""
    cloud.get(url__startswith=FILES).respond(content=JPG)
    outside = tmp_path / "outside"
    folder = tmp_path / "a" / "b"
    paths = make("../../outside", "/etc/x.png", "same.png", "SAME.png", "con.png").save_images(folder)
    assert [path.name for path in paths] == ["outside.jpg", "x.jpg", "same.jpg", "SAME-2.jpg", "_con.jpg"]
    assert all(path.parent == folder for path in paths)
    assert sorted(path.name for path in folder.iterdir()) == sorted(path.name for path in paths)
    assert not outside.exists()
    assert make("../../outside", "/etc/x.png", "same.png", "SAME.png", "con.png").save_images(folder) == paths


def test_existing_link_is_replaced_not_followed(cloud: respx.MockRouter, tmp_path: Path) -> None:
    """Ensure a link planted under an image's name does not lead the download elsewhere."""
    cloud.get(url__startswith=FILES).respond(content=PNG)
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.png").symlink_to(victim)
    (path,) = make("a.png").save_images(folder)
    assert victim.read_text() == "untouched"
    assert not path.is_symlink()
    assert path.read_bytes() == PNG


def test_filters(cloud: respx.MockRouter) -> None:
    """Ensure only the images that were asked for are downloaded."""
    route = cloud.get(url__startswith=FILES).respond(content=PNG)
    images = listed("page_1_a.png", "page_2_b.png", "page_2_c.png")
    images["images"][2]["category"] = "screenshot"
    raw = response([[text("a")], [text("b")]], images_content_metadata=images)
    result = ParseResult(raw, source=SOURCE, settings=SETTINGS)
    for arguments, expected in (
        ({"category": "screenshot"}, ["page_2_c.png"]),
        ({"pages": 2}, ["page_2_b.png", "page_2_c.png"]),
        ({"pages": [1, 2], "category": ["embedded", "layout"]}, ["page_1_a.png", "page_2_b.png"]),
        ({"pages": 3}, []),
    ):
        before = route.call_count
        documents = result.image_documents(**arguments)  # type: ignore[arg-type]
        assert [document.metadata["image_name"] for document in documents] == expected
        assert route.call_count - before == len(expected)


def test_downloads_are_concurrent_and_bounded(cloud: respx.MockRouter) -> None:
    """Ensure images are fetched side by side, yet never more than sixteen at a time."""
    busy, most = 0, 0

    async def slow(_request: httpx.Request) -> httpx.Response:
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        await asyncio.sleep(0.3)  # longer than a busy machine takes to send sixteen
        busy -= 1
        return httpx.Response(200, content=PNG)

    cloud.get(url__startswith=FILES).mock(side_effect=slow)
    assert len(make(*(f"i{n}.png" for n in range(40))).image_documents()) == 40
    assert 8 <= most <= 16


def test_saving_keeps_no_image_in_memory(cloud: respx.MockRouter, tmp_path: Path) -> None:
    """Ensure images go to disk as they come, however large they are."""
    size = 24 * 1024 * 1024

    async def body() -> AsyncIterator[bytes]:
        yield PNG
        for _ in range(size // 65536):
            yield bytes(65536)

    cloud.get(url__startswith=FILES).mock(side_effect=lambda _: httpx.Response(200, content=body()))
    result = make("a.png", "b.png")
    result.images  # noqa: B018 - read beforehand, so that only the download is measured
    tracemalloc.start()
    try:
        paths = result.save_images(tmp_path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert [path.stat().st_size for path in paths] == [len(PNG) + size] * 2
    assert peak < 8 * 1024 * 1024


def test_image_list_is_fetched_when_it_was_not_loaded(cloud: respx.MockRouter) -> None:
    """Ensure a result that was loaded without its images can still download them."""
    cloud.get(f"{FILES}/0").respond(content=PNG)
    job = serve(cloud, images_content_metadata=listed("a.png"))
    raw = response([[text("a")]], images_content_metadata=None)
    result = ParseResult(raw, source=SOURCE, settings=SETTINGS)
    assert len(result.image_documents()) == 1
    assert [entry.filename for entry in result.images] == ["a.png"]
    assert len(result.image_documents()) == 1
    assert job.call_count == 1


def test_job_without_images_gives_none(cloud: respx.MockRouter, tmp_path: Path) -> None:
    """Ensure a job that saved no images has an empty list, and no request is made for it twice."""
    job = serve(cloud, images_content_metadata={"total_count": 0, "images": []})
    result = ParseResult(response([[text("a")]]), source=SOURCE, settings=SETTINGS)
    assert result.image_documents() == []
    assert result.save_images(tmp_path) == []
    assert job.call_count == 1


def test_missing_parts_can_be_loaded(cloud: respx.MockRouter) -> None:
    """Ensure what a result was loaded without can be fetched into it."""
    whole = response([[text("a")]])
    job = serve(cloud, items=whole["items"])
    result = ParseResult({**whole, "items": None}, source=SOURCE, settings=SETTINGS)
    assert result.pages[0].items is None
    assert result.load("items") is result
    assert len(result.nodes()) == 1
    assert result.documents()[0].text == "a"
    assert job.calls.last.request.url.params["expand"] == "items"


def test_xlsx_and_pdf_are_asked_for_when_needed(cloud: respx.MockRouter, tmp_path: Path) -> None:
    """Ensure the tables' XLSX file and the output PDF are found by the service's names for them."""
    files = {
        "xlsx": {"exists": True, "presigned_url": f"{FILES}/x", "size_bytes": 5},
        "outputPDF": {"exists": True, "presigned_url": f"{FILES}/p", "size_bytes": 5},
    }
    cloud.get(f"{FILES}/x").respond(content=b"PK\x03\x04!")
    cloud.get(f"{FILES}/p").respond(content=b"%PDF-1.7!")
    job = serve(cloud, result_content_metadata=files)
    result = make()
    assert result.save_xlsx(tmp_path / "deep" / "t.xlsx").read_bytes() == b"PK\x03\x04!"
    assert result.output_pdf() == b"%PDF-1.7!"
    assert result.save_output_pdf(tmp_path / "o.pdf").read_bytes() == b"%PDF-1.7!"
    asked = [call.request.url.params["expand"] for call in job.calls]
    assert asked == ["xlsx_content_metadata", "output_pdf_content_metadata", "output_pdf_content_metadata"]


def test_file_that_the_job_did_not_make_says_how_to_get_it(cloud: respx.MockRouter, tmp_path: Path) -> None:
    """Ensure a missing XLSX or PDF names the option that has it made, and writes nothing."""
    serve(cloud, result_content_metadata={"xlsx": {"exists": False, "presigned_url": f"{FILES}/x"}})
    with pytest.raises(DownloadError, match="tables_as_spreadsheet"):
        make().save_xlsx(tmp_path / "t.xlsx")
    with pytest.raises(DownloadError, match="save_output_pdf"):
        make().output_pdf()
    assert list(tmp_path.iterdir()) == []


def test_wrong_content_does_not_replace_a_file(cloud: respx.MockRouter, tmp_path: Path) -> None:
    """Ensure an error document never overwrites the PDF of an earlier download."""
    target = tmp_path / "o.pdf"
    target.write_bytes(b"%PDF earlier")
    cloud.get(f"{FILES}/p").respond(json={"detail": "gone"})
    serve(cloud, result_content_metadata={"outputPDF": {"presigned_url": f"{FILES}/p"}})
    with pytest.raises(DownloadError, match="gone"):
        make().save_output_pdf(target)
    assert target.read_bytes() == b"%PDF earlier"
    assert [path.name for path in tmp_path.iterdir()] == ["o.pdf"]


def test_after_pickling_the_environment_connects(cloud: respx.MockRouter, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure a result that travelled downloads with the environment's settings, or with those handed in."""
    monkeypatch.setenv("LLAMA_CLOUD_API_KEY", "llx-environment")
    monkeypatch.setenv("LLAMA_CLOUD_BASE_URL", "https://env.example.com")
    cloud.get(f"{FILES}/0").respond(content=PNG)
    fresh = {"job": {"id": "pjb-1"}, "images_content_metadata": listed("a.png")}
    environment = cloud.get("https://env.example.com/api/v2/parse/pjb-1").respond(json=fresh)
    handed = cloud.get("https://handed.example.com/api/v2/parse/pjb-1").respond(json=fresh)
    stored = ParseResult(response([[text("a")]]), source=SOURCE, settings=SETTINGS)
    pickle.loads(pickle.dumps(stored)).image_documents()
    assert environment.calls.last.request.headers["authorization"] == "Bearer llx-environment"
    restored = ParseResult.from_json(stored.to_json())
    restored.connect(api_key="llx-handed", base_url="https://handed.example.com").image_documents()
    assert handed.calls.last.request.headers["authorization"] == "Bearer llx-handed"
