"""PDF files through the local engine: text, markdown, items with boxes, page by page."""

from __future__ import annotations

import csv
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from pathlib import Path

import pytest

from llama_cloud_ext.local.engine import EngineResult, pdf
from tests.local.engine_calls import parse, types_of

REQUIRED = {
    "text": {"md", "value"},
    "heading": {"md", "value", "level"},
    "table": {"md", "rows", "csv", "html"},
    "list": {"md", "items", "ordered"},
    "image": {"md", "caption", "url"},
    "code": {"md", "value"},
    "link": {"md", "text", "url"},
    "header": {"md", "items"},
    "footer": {"md", "items"},
}
"""What the API requires of an item, by type."""


@pytest.fixture(scope="module")
def guide() -> EngineResult:
    """All 134 pages of a user guide."""
    path = Path(__file__).parent.parent / "data" / "reportlab-userguide.pdf"
    return parse(path, output_options={"extract_printed_page_number": True})


@pytest.mark.parametrize(
    "name", ["reportlab-userguide.pdf", "r-datasets-tables.pdf", "table-and-pictures.pdf", "scanned-memoir.pdf"]
)
def test_the_parsers_own_result_reads_like_its_public_one(
    name: str, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ensure the shorter way to the parser's result gives exactly what its public way gives, whatever is asked for."""
    options = {"additional_outputs": ["word_bbox"], "images_to_save": ["embedded"]}
    short = parse(data_dir / name, output_options=options)
    monkeypatch.setattr(pdf, "_read", lambda parser, path: parser.parse(path))
    public = parse(data_dir / name, output_options=options)
    assert short.pages == public.pages
    assert (short.images, short.words) == (public.images, public.words)


def test_every_page_arrives_in_order(guide: EngineResult) -> None:
    """Ensure a long document comes whole, numbered from 1, and says which engine ran."""
    assert [page.number for page in guide.pages] == list(range(1, 135))
    assert guide.total_pages == 134
    assert guide.engine.startswith("liteparse 2.")
    assert all(page.error is None and page.width > 500 and page.height > 800 for page in guide.pages)


def test_items_have_the_shape_of_the_api(guide: EngineResult) -> None:
    """Ensure every item has what its type requires, and a box inside its page."""
    kinds = set()
    for page in guide.pages:
        for item in page.items:
            kinds.add(item["type"])
            assert REQUIRED[item["type"]] <= set(item)
            for box in item["bbox"]:
                assert set(box) == {"x", "y", "w", "h"}
                assert -5 <= box["x"] <= box["x"] + box["w"] <= page.width + 5
                assert -5 <= box["y"] <= box["y"] + box["h"] <= page.height + 5
    assert kinds == set(REQUIRED)


def test_running_heads_are_set_apart(guide: EngineResult) -> None:
    """Ensure running headers and footers leave the markdown and are reported beside it."""
    page = guide.pages[8]
    assert (page.header, page.footer) == ("User Guide Chapter 1 Introduction", "Page 9")
    assert "Page 9" not in page.markdown
    assert "User Guide Chapter 1" not in page.markdown
    assert "Page 9" in page.text
    assert (page.items[0]["type"], page.items[-1]["type"]) == ("header", "footer")


def test_printed_page_numbers_are_read_from_the_page(guide: EngineResult) -> None:
    """Ensure the printed number is the one on the page, and none is made up for the cover."""
    assert guide.pages[0].printed_page_number is None
    assert [guide.pages[n - 1].printed_page_number for n in (9, 41, 134)] == ["9", "41", "134"]


def test_printed_page_numbers_may_differ_from_the_place(data_dir: Path) -> None:
    """Ensure numbers at the ends of running heads count when they run along with the pages."""
    result = parse(data_dir / "scanned-memoir.pdf", output_options={"extract_printed_page_number": True})
    # A leaf is missing between the second page and the third.
    assert [page.printed_page_number for page in result.pages] == ["49", "50", "52", "53", "54", "55"]


def test_markdown_has_headings_lists_and_code(guide: EngineResult) -> None:
    """Ensure structure survives as markdown, with prose that starts in a typewriter font kept as prose."""
    markdown = guide.pages[5].markdown
    assert markdown.startswith("# Chapter 1 Introduction\n\n## 1.1 About this document\n\n")
    assert "\n- What is Python?\n" in markdown
    assert "```python\nfrom reportlab.pdfgen import canvas\n" in guide.pages[10].markdown
    assert "\nshowPage method saves the current page" in guide.pages[10].markdown


def test_real_tables_come_as_rows_and_in_three_formats(data_dir: Path) -> None:
    """Ensure a data table has the numbers of the CSV file that belongs to it."""
    expected = list(csv.reader(StringIO((data_dir / "mtcars.csv").read_text())))
    table = next(item for item in parse(data_dir / "r-datasets-tables.pdf").pages[0].items if item["type"] == "table")
    assert table["rows"][0] == expected[0]
    assert table["rows"][1] == ["Mazda RX4", *map(float, expected[1][1:])]
    assert len(table["rows"]) == len(expected) == 33
    assert list(csv.reader(StringIO(table["csv"]))) == expected
    assert table["html"].count("<tr>") == 33
    assert "<td>Mazda RX4</td><td>21.0</td>" in table["html"]
    assert table["md"].count("\n") == 33


def test_spatial_text_keeps_the_layout(data_dir: Path) -> None:
    """Ensure the plain text keeps columns apart by spaces."""
    lines = parse(data_dir / "r-datasets-tables.pdf").pages[0].text.splitlines()
    assert lines[1].startswith("Mazda RX4  ")
    assert lines[1].rstrip().endswith("4     4")


def test_the_fast_tier_gives_text_only(data_dir: Path) -> None:
    """Ensure the fast tier has neither markdown nor items, as on the service."""
    page = parse(data_dir / "table-and-pictures.pdf", tier="fast").pages[0]
    assert page.text.startswith("Example document")
    assert (page.markdown, page.items) == ("", [])


def test_links_are_items_with_their_text(data_dir: Path) -> None:
    """Ensure a link's address is joined with the words that stand below it."""
    result = parse(data_dir / "reportlab-userguide.pdf", page_ranges={"target_pages": "6"})
    link = next(item for item in result.pages[0].items if item["type"] == "link")
    assert (link["text"], link["url"]) == ("www.reportlab.com", "http://www.reportlab.com/")


def test_threads_do_not_disturb_each_other(data_dir: Path) -> None:
    """Ensure documents parsed at the same time come out as they do alone."""
    names = ["latex-lorem.pdf", "table-and-pictures.pdf", "r-datasets-tables.pdf", "scanned-memoir.pdf"] * 2
    alone = {name: parse(data_dir / name).pages for name in set(names)}
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda name: parse(data_dir / name).pages, names))
    assert together == [alone[name] for name in names]


def test_a_long_document_is_read_in_portions(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure portions join without a gap, and none of the pages is cut off silently."""
    monkeypatch.setattr("llama_cloud_ext.local.engine.pdf.PORTION", 50)
    result = parse(data_dir / "reportlab-userguide.pdf", tier="fast")
    assert [page.number for page in result.pages] == list(range(1, 135))
    chosen = parse(data_dir / "reportlab-userguide.pdf", tier="fast", page_ranges={"target_pages": "1-60,100-130"})
    assert [page.number for page in chosen.pages] == [*range(1, 61), *range(100, 131)]
    capped = parse(data_dir / "reportlab-userguide.pdf", tier="fast", page_ranges={"max_pages": 75})
    assert [page.number for page in capped.pages] == list(range(1, 76))


def test_list_entries_nest_in_one_item(guide: EngineResult) -> None:
    """Ensure consecutive entries are one list, whose markdown has a line each."""
    lists = [item for item in guide.pages[8].items if item["type"] == "list"]
    assert [entry["type"] for entry in lists[0]["items"]] == ["text"] * 9
    assert lists[0]["md"].count("\n") == 8
    assert "list" in types_of(guide)
