"""Options of the create body: each does what it says, or is named among those without effect."""

from __future__ import annotations

import base64
import importlib.util
import zipfile
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from llama_cloud_ext.local.engine import EnginePage
from llama_cloud_ext.local.engine.merged_tables import merge_continued_tables
from llama_cloud_ext.local.engine.tables import TableStyle, table_item
from tests.local.engine_calls import parse


def test_target_pages_keep_their_global_numbers(data_dir: Path) -> None:
    """Ensure pages are numbered as in the document, and those beyond its end are left out."""
    result = parse(data_dir / "latex-lorem.pdf", page_ranges={"target_pages": "3-9,1"})
    assert [page.number for page in result.pages] == [1, 3, 4]
    assert result.total_pages == 4


def test_target_pages_beat_max_pages(data_dir: Path) -> None:
    """Ensure target_pages take precedence over max_pages, as on the service."""
    result = parse(data_dir / "latex-lorem.pdf", page_ranges={"target_pages": "2-4", "max_pages": 1})
    assert [page.number for page in result.pages] == [2, 3, 4]


def test_max_pages(data_dir: Path) -> None:
    """Ensure max_pages counts from the first page, and the document's length is still told."""
    result = parse(data_dir / "latex-lorem.pdf", page_ranges={"max_pages": 2})
    assert ([page.number for page in result.pages], result.total_pages) == ([1, 2], 4)


def test_crop_box_leaves_out_what_lies_outside(data_dir: Path) -> None:
    """Ensure the edges of the crop box are lines across the page, counted from its upper left corner."""
    path = data_dir / "table-and-pictures.pdf"
    upper = parse(path, crop_box={"bottom": 0.45}).pages[0]
    assert "Beautiful is better" in upper.text
    assert "Indonesia" not in upper.text
    lower = parse(path, crop_box={"top": 0.45, "bottom": 0.7}).pages[0]
    assert "Beautiful is better" not in lower.text
    assert "Indonesia" in lower.text
    assert [item["type"] for item in lower.items] == ["table"]


def test_screenshots_are_pictures_of_the_pages(data_dir: Path) -> None:
    """Ensure a screenshot is a JPEG file that has the page's shape and is not blank."""
    result = parse(data_dir / "latex-lorem.pdf", tier="fast", output_options={"images_to_save": ["screenshot"]})
    assert [(image.filename, image.category) for image in result.images] == [
        (f"page_{number}.jpg", "screenshot") for number in (1, 2, 3, 4)
    ]
    assert {image.content_type for image in result.images} == {"image/jpeg"}
    with Image.open(BytesIO(result.images[1].content)) as picture:
        assert (picture.format, picture.size) == ("JPEG", (1240, 1754))
        assert len(picture.convert("L").getcolors(maxcolors=1000) or ()) > 10


def test_a_scan_is_a_success_when_screenshots_were_asked_for(data_dir: Path) -> None:
    """Ensure a page without text still gives its picture."""
    result = parse(data_dir / "scanned-page.pdf", output_options={"images_to_save": ["screenshot"]})
    assert [image.filename for image in result.images] == ["page_1.jpg"]
    assert result.pages[0].is_blank


def test_embedded_images_are_real_files_with_their_place(data_dir: Path) -> None:
    """Ensure embedded pictures come as files that open, named as the text refers to them."""
    result = parse(
        data_dir / "reportlab-userguide.pdf",
        page_ranges={"target_pages": "93"},
        output_options={"images_to_save": ["embedded"]},
    )
    assert [(i.filename, i.category, i.content_type) for i in result.images] == [
        ("img_p93_1.jpg", "embedded", "image/jpeg"),
        ("img_p93_2.jpg", "embedded", "image/jpeg"),
    ]
    assert "![](img_p93_1.jpg)" in result.pages[0].markdown
    with Image.open(BytesIO(result.images[0].content)) as picture:
        assert picture.size == (200, 129)
    assert result.images[0].bbox == {"x": 197.64, "y": 373.4, "w": 200.0, "h": 129.0}


@pytest.mark.parametrize("images", [["layout"], None])
def test_figures_are_kept_as_layout_images(data_dir: Path, images: list[str] | None) -> None:
    """Ensure figures are kept when asked for and by default, and the text refers to them."""
    result = parse(
        data_dir / "reportlab-userguide.pdf",
        page_ranges={"target_pages": "89"},
        output_options={"images_to_save": images},
    )
    assert [(i.category, i.filename) for i in result.images] == [
        ("layout", "page_89_figure_1.png"),
        ("layout", "page_89_figure_2.png"),
    ]
    assert "![](page_89_figure_2.png)" in result.pages[0].markdown
    with Image.open(BytesIO(result.images[0].content)) as picture:
        assert abs(picture.width / picture.height - 90 / 57.56) < 0.05


def test_no_images(data_dir: Path) -> None:
    """Ensure an empty list keeps no image."""
    assert parse(data_dir / "table-and-pictures.pdf", output_options={"images_to_save": []}).images == []


def test_inline_images_are_data_uris(data_dir: Path) -> None:
    """Ensure pictures can stand in the markdown itself."""
    result = parse(data_dir / "table-and-pictures.pdf", output_options={"markdown": {"inline_images": True}})
    _, _, rest = result.pages[0].markdown.partition("](data:image/png;base64,")
    assert base64.b64decode(rest.partition(")")[0]).startswith(b"\x89PNG")
    assert result.images == []


def test_links_are_written_out_when_asked_for(data_dir: Path) -> None:
    """Ensure addresses stand in the markdown only with annotate_links, in a PDF and in markdown."""
    path = data_dir / "reportlab-userguide.pdf"
    pages = {"target_pages": "12"}
    link = "](http://www.alanwood.net/demos/charsetdiffs.html)"
    assert (
        link in parse(path, page_ranges=pages, output_options={"markdown": {"annotate_links": True}}).pages[0].markdown
    )
    assert link not in parse(path, page_ranges=pages).pages[0].markdown
    readme = data_dir / "pdfminer-readme.md"
    link = "[Read the Docs](https://pdfminersix.readthedocs.io)"
    assert link in parse(readme, output_options={"markdown": {"annotate_links": True}}).pages[0].markdown
    assert link not in parse(readme).pages[0].markdown


def test_tables_as_html(data_dir: Path) -> None:
    """Ensure tables are HTML in the markdown when pipe tables are not wanted."""
    tables = {"markdown": {"tables": {"output_tables_as_markdown": False}}}
    page = parse(data_dir / "r-datasets-tables.pdf", output_options=tables).pages[0]
    assert page.markdown.startswith("<table>\n<thead>\n<tr><th></th><th>mpg</th>")
    assert page.items[0]["md"] == page.items[0]["html"]


def test_compact_tables(data_dir: Path) -> None:
    """Ensure compact pipe tables have no space around their cells."""
    tables = {"markdown": {"tables": {"compact_markdown_tables": True}}}
    markdown = parse(data_dir / "mtcars.csv", output_options=tables).pages[0].markdown
    assert markdown.splitlines()[1:3] == [
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
        "|Mazda RX4|21.0|6|160.0|110|3.90|2.620|16.46|0|1|4|4|",
    ]


def test_lines_within_cells(tmp_path: Path) -> None:
    """Ensure the lines of a cell are joined as asked in a pipe table, and kept in the rows."""
    path = tmp_path / "lines.csv"
    path.write_text('a,b\n"one\ntwo",3\n')
    separator = {"markdown": {"tables": {"markdown_table_multiline_separator": " / "}}}
    item = parse(path, output_options=separator).pages[0].items[0]
    assert item["md"].splitlines()[2] == "| one / two | 3 |"
    assert item["rows"][1] == ["one\ntwo", 3.0]
    assert "| one<br>two | 3 |" in parse(path).pages[0].markdown


def _page(number: int, *rows: list[list[str]]) -> EnginePage:
    boxes = [{"x": 0.0, "y": 0.0, "w": 1.0, "h": 1.0}]
    return EnginePage(number, items=[table_item(part, bbox=boxes) for part in rows])


def test_continued_tables_are_joined_on_their_first_page() -> None:
    """Ensure a table over three pages becomes one, with and without a repeated header, and says where it came from."""
    pages = [
        _page(4, [["year", "tons"], ["1990", "12.5"]]),
        _page(5, [["year", "tons"], ["1991", "007"]]),
        _page(6, [["1992", "14"], ["1993", ""]]),
        _page(7, [["name", "place"], ["oak", "hill"]]),
    ]
    merge_continued_tables(pages, TableStyle())
    whole = pages[0].items[0]
    assert whole["rows"] == [["year", "tons"], [1990.0, 12.5], [1991.0, "007"], [1992.0, 14.0], [1993.0, None]]
    assert whole["merged_from_pages"] == [4, 5, 6]
    assert whole["md"].count("\n") == 5
    for page in pages[1:3]:
        assert (page.items[0]["rows"], page.items[0]["md"]) == ([], "")
        assert page.items[0]["merged_into_page"] == 4
    assert "merged_into_page" not in pages[3].items[0]


def test_tables_that_do_not_continue_stay_apart() -> None:
    """Ensure tables are not joined across a gap, across other content, or with other columns."""
    rows = [["year", "tons"], ["1990", "12"]]
    for pages in (
        [_page(1, rows), _page(3, rows)],
        [_page(1, rows), _page(2, [["1990", "12", "x"]])],
        [_page(1, rows), EnginePage(2, items=[{"type": "text", "md": "a", "value": "a"}, table_item(rows)])],
    ):
        merge_continued_tables(pages, TableStyle())
        assert not any("merged_from_pages" in item for page in pages for item in page.items)


def test_merging_leaves_real_tables_alone(data_dir: Path) -> None:
    """Ensure the tables of different data sets on following pages are not joined."""
    merge = {"markdown": {"tables": {"merge_continued_tables": True}}}
    result = parse(data_dir / "r-datasets-tables.pdf", output_options=merge)
    assert [page.items for page in result.pages] == [
        page.items for page in parse(data_dir / "r-datasets-tables.pdf").pages
    ]


def test_word_boxes(data_dir: Path) -> None:
    """Ensure there is a record for each word, with its page and its box."""
    result = parse(data_dir / "table-and-pictures.pdf", output_options={"additional_outputs": ["word_bbox"]})
    assert result.words is not None
    assert [word["text"] for word in result.words[:4]] == ["Example", "document", "Beautiful", "is"]
    assert result.words[0] == {"page_number": 1, "text": "Example", "x": 72.0, "y": 72.86, "w": 101.11, "h": 29.02}
    assert parse(data_dir / "table-and-pictures.pdf").words is None


def test_output_pdf(data_dir: Path) -> None:
    """Ensure the output PDF of a PDF is the document itself, and comes only when asked for."""
    path = data_dir / "latex-lorem.pdf"
    assert parse(path, output_options={"save_output_pdf": True}).output_pdf == path.read_bytes()
    assert parse(path).output_pdf is None


def test_tables_as_spreadsheet(data_dir: Path) -> None:
    """Ensure every table of the document is a sheet, with numbers as numbers."""
    assert importlib.util.find_spec("xlsxwriter") is not None
    sheets = {"tables_as_spreadsheet": {"enable": True}}
    result = parse(data_dir / "r-datasets-tables.pdf", output_options=sheets)
    assert result.spreadsheet is not None
    with zipfile.ZipFile(BytesIO(result.spreadsheet)) as archive:
        assert sum(name.startswith("xl/worksheets/sheet") for name in archive.namelist()) == 4
        assert b"<v>160</v>" in archive.read("xl/worksheets/sheet1.xml")
    named = parse(data_dir / "headings-lists-table.docx", output_options=sheets)
    assert named.spreadsheet is not None
    with zipfile.ZipFile(BytesIO(named.spreadsheet)) as archive:
        assert b'name="Sub title 2"' in archive.read("xl/workbook.xml")
    assert parse(data_dir / "latex-lorem.pdf", output_options=sheets).spreadsheet is None


def test_options_without_effect_are_named(data_dir: Path) -> None:
    """Ensure what is accepted and does nothing here is told, and what does something is not."""
    options = {
        "agentic_options": {"custom_prompt": "Be brief."},
        "crop_box": {"top": 0.1},
        "processing_options": {
            "aggressive_table_extraction": True,
            "disable_heuristics": False,
            "ignore": {"ignore_diagonal_text": True, "ignore_hidden_text": True},
            "ocr_parameters": {"languages": ["de"]},
        },
        "output_options": {
            "granular_bboxes": ["word"],
            "images_to_save": ["screenshot"],
            "markdown": {"annotate_links": True, "annotate_revisions": True},
        },
        "user_metadata": {"a": "b"},
        "disable_cache": True,
    }
    assert parse(data_dir / "latex-lorem.pdf", **options).notes["options_not_applied"] == [
        "agentic_options.custom_prompt",
        "output_options.granular_bboxes.word",
        "output_options.markdown.annotate_revisions",
        "processing_options.aggressive_table_extraction",
        "processing_options.ignore.ignore_hidden_text",
        "processing_options.ocr_parameters.languages.de",
    ]
    not_applied = parse(data_dir / "pdfminer-readme.md", **options).notes["options_not_applied"]
    assert {"crop_box.top", "output_options.images_to_save.screenshot"} <= set(not_applied)


def test_null_groups_are_defaults(data_dir: Path) -> None:
    """Ensure groups and fields that are null count as left out."""
    result = parse(
        data_dir / "latex-lorem.pdf",
        output_options=None,
        page_ranges={"target_pages": None, "max_pages": None},
        crop_box={"top": None},
        processing_control={"timeouts": None},
    )
    assert len(result.pages) == 4
    assert result.notes["options_not_applied"] == []
