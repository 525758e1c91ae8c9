"""Citations: the item that says a value, and of a text of several lines the line."""

from __future__ import annotations

from typing import Any

from llama_cloud_ext.local.extraction import SourcePage
from llama_cloud_ext.local.extraction.citations import Citations
from tests.benchmarks.extraction import cited, extraction_of, leaves
from tests.benchmarks.extraction_cases import CASES

BOX = {"x": 50, "y": 100, "w": 200, "h": 60}


def citation(text: str, *items: dict[str, Any], quote: str, near: str = "") -> dict[str, Any]:
    """What is cited for a quote on a page of some items."""
    page = SourcePage(2, text, items=list(items), width=595, height=842)
    return Citations([page]).of(quote, 2, near=near)


def text_item(value: str, **box: int) -> dict[str, Any]:
    """A text with a box."""
    return {"type": "text", "value": value, "bbox": [{**BOX, **box}]}


def test_a_line_of_a_text_has_the_lines_box() -> None:
    """Ensure the box is that of the line that has the value and its label."""
    item = text_item("Number: 17 Date: 17 May Total: 17")
    found = citation("Number: 17\nDate: 17 May\nTotal: 17", item, quote="17", near="Total")
    assert found["bounding_boxes"] == [{"x": 50, "y": 140.0, "w": 200, "h": 20.0}]
    assert found["page_dimensions"] == {"width": 595, "height": 842}


def test_a_text_beside_another_column_has_its_whole_box() -> None:
    """Ensure no line is computed where the page's lines are not the text's own."""
    item = text_item("Number: 17 Date: 18 May")
    found = citation("Number: 17     Rome\nDate: 18 May   Oslo", item, quote="17")
    assert found["bounding_boxes"] == [BOX]


def test_the_smallest_item_that_has_label_and_value_is_cited() -> None:
    """Ensure a value that stands in several items is cited where its label stands, also within lists."""
    far = text_item("17 oaks", y=1)
    near = {"type": "list", "items": [text_item("Total: 17", y=2)]}
    table = {"type": "table", "csv": "Total:,17", "bbox": [{**BOX, "y": 3}]}
    found = citation("", far, table, near, quote="17", near="Total")
    assert [box["y"] for box in found["bounding_boxes"]] == [2]


def test_what_no_item_has_is_cited_by_its_page() -> None:
    """Ensure a text without an item has no box, and formats without places no size."""
    page = SourcePage(1, "Total: 17")
    assert Citations([page]).of("17", 1) == {"page": 1, "matching_text": "17"}
    assert Citations([page]).of("17", 9) == {"page": 9, "matching_text": "17"}


def test_real_pdfs_have_boxes() -> None:
    """Ensure nearly every value of the invoices that are PDFs has a box on its page."""
    boxed = total = 0
    for case in CASES:
        if case.path.endswith(".pdf") and case.target == "per_doc":
            extraction = extraction_of(case)
            total += len(list(leaves(extraction.data)))
            for _, found in cited(extraction.field_metadata["document_metadata"]):
                boxes, size = found.get("bounding_boxes", []), found["page_dimensions"]
                assert all(0 <= box["y"] <= size["height"] and 0 <= box["x"] <= size["width"] for box in boxes)
                boxed += bool(boxes)
    assert boxed >= 0.95 * total
