"""Picture files through the local engine."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from llama_cloud_ext.local.engine.ocr import available_languages, ocr_settings
from llama_cloud_ext.local.engine.options import EngineOptions
from tests.local.engine_calls import failure, parse

SHOT = {"images_to_save": ["screenshot"]}


@pytest.mark.parametrize("name", ["page-of-text.png", "bali.jpg"])
def test_a_picture_without_ocr_has_no_data(data_dir: Path, name: str) -> None:
    """Ensure a picture gives no invented text, and the message says what OCR needs."""
    error = failure(data_dir / name)
    assert error.code == "NO_DATA_FOUND_IN_FILE"
    assert "tessdata" in error.message


@pytest.mark.parametrize("name", ["page-of-text.png", "bali.jpg"])
def test_a_picture_is_a_page(data_dir: Path, name: str) -> None:
    """Ensure a picture is one page with its proportions, and can be had as a screenshot."""
    result = parse(data_dir / name, output_options=SHOT)
    assert (result.total_pages, len(result.images)) == (1, 1)
    with Image.open(data_dir / name) as original:
        page = result.pages[0]
        assert abs(page.width / page.height - original.width / original.height) < 0.01


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"])
def test_pictures_are_known_by_their_content(data_dir: Path, tmp_path: Path, kind: str) -> None:
    """Ensure every picture format is told by its first bytes, whatever the name."""
    content = BytesIO()
    with Image.open(data_dir / "bali.jpg") as picture:
        picture.save(content, kind)
    path = tmp_path / "upload"
    path.write_bytes(content.getvalue())
    assert parse(path, "letter.docx", output_options=SHOT).images[0].content.startswith(b"\xff\xd8")


def test_ocr_is_off_without_language_data() -> None:
    """Ensure OCR, whose default would download data, is never on without a folder of it."""
    assert ocr_settings(EngineOptions(), None) == {"ocr_enabled": False}


def test_ocr_languages_are_those_that_there_is_data_for(tmp_path: Path) -> None:
    """Ensure the API's language codes find the data's names, English is the fallback, and nothing else is asked for."""
    for name in ("deu", "eng", "chi_sim", "osd"):
        (tmp_path / f"{name}.traineddata").touch()
    assert available_languages(EngineOptions(languages=("ch_sim", "de", "fr")), tmp_path) == ["chi_sim", "deu"]
    assert available_languages(EngineOptions(languages=("fr",)), tmp_path) == ["eng"]
    settings = ocr_settings(EngineOptions(languages=("de",)), tmp_path)
    assert (settings["ocr_enabled"], settings["ocr_language"]) == (True, "deu")
    assert settings["tessdata_path"] == str(tmp_path)
