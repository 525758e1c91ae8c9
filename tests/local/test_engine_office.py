"""Office documents, web pages, mail and text files through the local engine."""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from pathlib import Path

import pytest

from tests.local.engine_calls import parse, types_of


def test_docx_structure(data_dir: Path) -> None:
    """Ensure headings, both kinds of list and a table come out of a Word file in order."""
    result = parse(data_dir / "headings-lists-table.docx")
    assert result.engine.startswith("kreuzberg 4.")
    assert types_of(result) == [
        *["heading", "text", "heading", "list", "heading", "list", "text", "heading", "text", "table"]
    ]
    items = result.pages[0].items
    assert (items[0]["level"], items[4]["level"]) == (1, 2)
    assert (items[3]["ordered"], items[5]["ordered"]) == (True, False)
    assert items[3]["md"].startswith("1. Quisque tristique\n2. Augue nisi")
    assert items[9]["rows"][0] == ["Petals", "Internode", "Sepal", "Bract"]
    assert len(items[9]["rows"]) == 13
    assert "Title 1" in result.pages[0].text
    assert "#" not in result.pages[0].text


def test_xlsx_sheets_are_pages(data_dir: Path) -> None:
    """Ensure each sheet is a page with its cells as rows, numbers as floats."""
    result = parse(data_dir / "two-sheets.xlsx")
    assert [page.number for page in result.pages] == [1, 2]
    heading, table = result.pages[0].items
    assert heading["value"] == "arts"
    bowie = next(row for row in table["rows"] if row[0] == "David Bowie")
    assert bowie[:3] == ["David Bowie", "musician", 69.0]
    only = parse(data_dir / "two-sheets.xlsx", page_ranges={"target_pages": "2"})
    assert [(page.number, page.items[0]["value"]) for page in only.pages] == [(2, "other")]


def test_hidden_sheets_are_left_out_unless_asked_for(data_dir: Path, tmp_path: Path) -> None:
    """Ensure a hidden sheet is read only with include_hidden_sheets."""
    path = tmp_path / "hidden.xlsx"
    _edit(
        data_dir / "two-sheets.xlsx",
        path,
        "xl/workbook.xml",
        r'<sheet name="arts"',
        '<sheet state="hidden" name="arts"',
    )
    assert [page.number for page in parse(path).pages] == [2]
    everything = parse(path, input_options={"spreadsheet": {"include_hidden_sheets": True}})
    assert [page.number for page in everything.pages] == [1, 2]
    assert everything.notes["options_not_applied"] == []


def test_pptx_slides_are_pages(data_dir: Path) -> None:
    """Ensure each slide is a page with what stands on it."""
    result = parse(data_dir / "slides-with-tables.pptx", output_options={"images_to_save": ["embedded"]})
    assert [page.number for page in result.pages] == [1, 2, 3]
    assert "| A | 12.23 | blah blah |" in result.pages[0].markdown
    assert result.pages[1].markdown.startswith("## Hi\n\nThis is\n\n- an unordered\n- list of paragraphs\n\n1. ")
    assert [item["type"] for item in result.pages[2].items] == ["table"]
    picture = next(item for item in result.pages[0].items if item["type"] == "image")
    assert [(image.filename, image.page_number) for image in result.images] == [(picture["url"], 1)]
    assert result.images[0].content.startswith(b"\x89PNG")


def test_speaker_notes(data_dir: Path) -> None:
    """Ensure a slide's notes are reported with it, and nothing for a slide without any."""
    result = parse(data_dir / "speaker-notes.pptx")
    assert [page.speaker_notes for page in result.pages] == ["Notes", None]


def test_hidden_slides_are_left_out_unless_asked_for(data_dir: Path, tmp_path: Path) -> None:
    """Ensure a hidden slide is read only with include_hidden_slides, and the others keep their numbers."""
    path = tmp_path / "hidden.pptx"
    _edit(data_dir / "slides-with-tables.pptx", path, "ppt/slides/slide1.xml", r"<p:sld ", '<p:sld show="0" ')
    assert [page.number for page in parse(path).pages] == [2, 3]
    everything = parse(path, input_options={"presentation": {"include_hidden_slides": True}})
    assert [page.number for page in everything.pages] == [1, 2, 3]


def test_html(data_dir: Path) -> None:
    """Ensure a web page comes without its meta elements and permalink marks, with its table and links."""
    page = parse(data_dir / "libtiff-contrib.html").pages[0]
    assert "# Contributed TIFF Software\n" in page.markdown
    assert "Docutils" not in page.markdown
    assert "¶" not in page.markdown
    table = next(item for item in page.items if item["type"] == "table")
    assert table["rows"][0] == ["Location", "Description"]
    assert {"http://www.ImageMagick.org/"} <= {item["url"] for item in page.items if item["type"] == "link"}


def test_mail(data_dir: Path) -> None:
    """Ensure a mail comes with its head and with all its parts decoded."""
    page = parse(data_dir / "multipart-mail.eml").pages[0]
    assert "Subject: Lyrics" in page.text
    assert "¡This is a Quoted Printable encoded message!" in page.text
    assert "This is a Base64 encoded message." in page.markdown


def test_content_beats_the_name(data_dir: Path, tmp_path: Path) -> None:
    """Ensure files are told by their content: a PDF named .bin, a DOCX without a suffix, HTML named .txt."""
    for source, name, first in [
        ("latex-lorem.pdf", "x.bin", "heading"),
        ("headings-lists-table.docx", "upload", "heading"),
        ("two-sheets.xlsx", "x.docx", "heading"),
        ("slides-with-tables.pptx", "UPPER.PPTX", "heading"),
        ("libtiff-contrib.html", "x.txt", "heading"),
    ]:
        path = tmp_path / "stored-under-an-id"
        shutil.copyfile(data_dir / source, path)
        assert types_of(parse(path, name))[0] == first


def test_csv(data_dir: Path) -> None:
    """Ensure a CSV file is a table whose numbers are numbers, as written in its markdown."""
    page = parse(data_dir / "mtcars.csv").pages[0]
    assert page.items[0]["rows"][1][:3] == ["Mazda RX4", 21.0, 6.0]
    assert "| Mazda RX4 | 21.0 | 6 |" in page.markdown
    assert page.text.startswith('"",mpg,cyl,disp')


def test_markdown(data_dir: Path) -> None:
    """Ensure a markdown file gives headings, lists with code inside, images and links."""
    page = parse(data_dir / "pdfminer-readme.md").pages[0]
    kinds = {item["type"] for item in page.items}
    assert {"heading", "text", "list", "image", "link"} <= kinds
    assert page.items[0] == {"type": "heading", "level": 1, "md": "# pdfminer.six", "value": "pdfminer.six"}
    assert "- Install pdfminer.six.\n  \n  ```bash\n  pip install pdfminer.six\n  ```" in page.markdown


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1", "cp1252"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    """Ensure text arrives right in every encoding that people use, with \\n at the ends of lines."""
    path = tmp_path / "a.txt"
    path.write_bytes(
        "Über Bäume – naïve\r\n\r\nzweiter Absatz".replace("–", "-" if encoding == "latin-1" else "–").encode(encoding)
    )
    page = parse(path).pages[0]
    assert page.text.startswith("Über Bäume")
    assert [item["value"] for item in page.items][1] == "zweiter Absatz"
    assert "\r" not in page.text


def test_form_feeds_make_pages(tmp_path: Path) -> None:
    """Ensure a form feed in a text file starts a page, and a separator line does not."""
    path = tmp_path / "a.txt"
    path.write_text("one\n\n---\n\nstill one\ftwo\f")
    result = parse(path)
    assert [page.text for page in result.pages] == ["one\n\n---\n\nstill one", "two"]
    assert [page.number for page in parse(path, page_ranges={"target_pages": "2"}).pages] == [2]


def test_json_and_source_are_code(tmp_path: Path) -> None:
    """Ensure JSON and source code come as code with their language, unchanged."""
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"a": ["```", 1]}))
    item = parse(path).pages[0].items[0]
    assert (item["type"], item["language"], json.loads(item["value"])) == ("code", "json", {"a": ["```", 1]})
    assert item["md"].startswith("````json\n")


def test_the_fast_tier_gives_text_only(data_dir: Path) -> None:
    """Ensure the fast tier of every kind of file has neither markdown nor items."""
    for name in ("headings-lists-table.docx", "two-sheets.xlsx", "slides-with-tables.pptx", "mtcars.csv"):
        for page in parse(data_dir / name, tier="fast").pages:
            assert (page.markdown, page.items) == ("", [])
        assert any(page.text.strip() for page in parse(data_dir / name, tier="fast").pages)


def _edit(source: Path, copy: Path, member: str, pattern: str, replacement: str) -> None:
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(copy, "w") as new:
        for entry in old.infolist():
            content = old.read(entry)
            if entry.filename == member:
                changed = re.sub(pattern, replacement, content.decode(), count=1)
                assert changed != content.decode()
                content = changed.encode()
            new.writestr(entry, content)
