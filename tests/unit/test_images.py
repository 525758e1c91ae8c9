"""Images: safe names, real types, pages, ImageDocuments."""

from __future__ import annotations

from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

import pytest

from llama_cloud_ext.parse.images import ParseImage, page_in_name, safe_stems, to_image_document
from llama_cloud_ext.parse.result import ParseResult
from llama_cloud_ext.wire.image_types import image_type
from tests.unit.parse_samples import SOURCE, image, listed, response, text

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20


@pytest.mark.parametrize(
    ("given", "stem"),
    [
        ("image_0.png", "image_0"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\windows\\system.ini", "system.ini"),
        ("/etc/shadow", "shadow"),
        ("C:evil.png", "C_evil"),
        (".bashrc", "bashrc"),
        ("..", "image"),
        ("", "image"),
        ("a\x00b.png", "a_b"),
        ("con.png", "_con"),
        ("LPT1.tar.png", "_LPT1.tar"),
        ("trailing. .png", "trailing"),
        ("report.v2.jpeg", "report.v2"),
        ("x" * 500 + ".png", "x" * 120),
        ("图" * 100 + ".png", "图" * 40),
        ("bad\ud800.png", "bad_ud800"),
    ],
)
def test_server_given_names_become_safe(given: str, stem: str) -> None:
    """Ensure no name of a server reaches outside the folder or trips a file system."""
    assert safe_stems([given]) == [stem]


def test_equal_names_are_kept_apart() -> None:
    """Ensure no image overwrites another, even where case and suffix do not count."""
    assert safe_stems(["a.png", "A.png", "b/a.jpg", "a-2.png"]) == ["a", "A-2", "a-3", "a-2-2"]


@pytest.mark.parametrize(
    "name", ["../x.png", "a/../../b.png", "\\\\host\\share", "c:\\x", "\n", "....", "aux", "~", "-rf"]
)
def test_safe_names_stay_inside(name: str) -> None:
    """Ensure a safe name is one path part on every system."""
    (stem,) = safe_stems([name])
    assert PurePosixPath(stem).name == stem == PureWindowsPath(stem).name
    assert stem not in ("", ".", "..")


@pytest.mark.parametrize(
    ("head", "declared", "expected"),
    [
        (PNG, "image/jpeg", ("image/png", ".png")),
        (b"\xff\xd8\xff\xe0", None, ("image/jpeg", ".jpg")),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", None, ("image/webp", ".webp")),
        (b"GIF89a", None, ("image/gif", ".gif")),
        (b'<?xml version="1.0"?><svg xmlns=""/>', "text/plain", ("image/svg+xml", ".svg")),
        (b"\x01\x00\x00\x00\x6c", "image/x-emf; v=1", ("image/x-emf", ".emf")),
        (b'{"detail": "not found"}', "image/png", None),
        (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "image/png", None),
        (b"<html>", None, None),
        (b"\x01\x02\x03", "application/octet-stream", None),
        (b"plain words", "image/png", None),
        (b"BM\x46\x00\x00\x00\x00\x00\x00\x00\x36", None, ("image/bmp", ".bmp")),
        (b"BMW: no such file", "image/png", None),
    ],
)
def test_type_comes_from_the_bytes(head: bytes, declared: str | None, expected: tuple[str, str] | None) -> None:
    """Ensure the content decides what an image is, and an error document never passes for one."""
    assert image_type(head, declared) == expected


@pytest.mark.parametrize(
    ("name", "page"),
    [
        ("page_3.png", 3),
        ("page_12_image_1.jpg", 12),
        ("img_p2_5.png", None),
        ("image_0.png", None),
        ("homepage_1.png", None),
    ],
)
def test_page_in_name(name: str, page: int | None) -> None:
    """Ensure a page is read from a name only where that is unambiguous."""
    assert page_in_name(name) == page


def test_images_know_their_page() -> None:
    """Ensure the page comes from the item that shows the image, else its name, else the only page there is."""
    pages = [[text("a")], [image("https://cdn.example.com/x/image_0.png?sig=1")]]
    result = ParseResult(
        response(pages, images_content_metadata=listed("image_0.png", "page_1.png", "?")), source=SOURCE
    )
    assert [(i.filename, i.page_number) for i in result.images] == [("image_0.png", 2), ("page_1.png", 1), ("?", None)]
    assert [[i.filename for i in page.images] for page in result.pages] == [["page_1.png"], ["image_0.png"]]
    single = ParseResult(response([[text("a")]], images_content_metadata=listed("image_0.png")), source=SOURCE)
    assert single.images[0].page_number == 1


def test_presigned_urls_stay_out_of_repr() -> None:
    """Ensure logs do not leak signatures."""
    result = ParseResult(response([[text("a")]], images_content_metadata=listed("a.png")), source=SOURCE)
    assert "sig=" not in repr(result.images)


@pytest.mark.parametrize("content", [PNG, b"QUJDRA==", b"", bytes(range(256)) * 50])
def test_image_document_gives_back_its_bytes(content: bytes) -> None:
    """Ensure bytes go through an ImageDocument unaltered, also such as look like base64 already."""
    entry = ParseImage("chart.png", 0, page_number=2, category="layout", bbox={"x": 1.0, "y": 2.0, "w": 3.0, "h": 4.0})
    document = to_image_document(
        entry, content, "image/png", SOURCE, page_count=3, page_label="iv", sections={"chart.png": "Alpha > Beta"}
    )
    assert document.resolve_image().read() == content
    if content:
        assert document.image_mimetype == "image/png"
    metadata: dict[str, Any] = {
        "team": "finance",
        "file_name": "report.pdf",
        "file_path": "/data/report.pdf",
        "page_number": 2,
        "page_count": 3,
        "page_label": "iv",
        "image_name": "chart.png",
        "image_category": "layout",
        "bbox": '{"boxes":[{"x":1.0,"y":2.0,"w":3.0,"h":4.0}]}',
        "section": "Alpha > Beta",
    }
    assert document.metadata == metadata
    assert document.id_ == SOURCE.image_id(2, "chart.png")
    assert "bbox" in document.excluded_llm_metadata_keys
