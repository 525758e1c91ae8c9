"""Whatever an answer holds, reading it never raises."""

from __future__ import annotations

import copy
import json
import pickle
import time
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llama_cloud_ext.wire.models import parse_items
from llama_cloud_ext.wire.models.job_failures import job_failure_code
from llama_cloud_ext.wire.models.parse_items import Item, ListItem, TableItem, TextItem, UnknownItem, read_item
from llama_cloud_ext.wire.models.parse_response import JobRecord, ParseResponse, ParseStatus
from llama_cloud_ext.wire.models.tolerant import TolerantModel, as_text, attribute

BOX = {"x": 72.0, "y": 90.5, "w": 200.0, "h": 14.0, "confidence": 0.9, "label": "text", "r": 0, "start_index": 0}
ITEMS: list[dict[str, Any]] = [
    {"type": "heading", "level": 1, "value": "Title", "md": "# Title", "bbox": [BOX]},
    {"type": "text", "value": "Words.", "md": "Words.", "bbox": [BOX, BOX]},
    {
        "type": "list",
        "ordered": True,
        "md": "1. a",
        "items": [
            {"type": "text", "value": "a", "md": "a"},
            {"type": "list", "ordered": False, "md": "- b", "items": [{"type": "text", "value": "b", "md": "b"}]},
        ],
    },
    {
        "type": "table",
        "rows": [["a", 1.5], [None, "c"]],
        "csv": "a,1.5",
        "html": "<table></table>",
        "md": "|a|",
        "merged_from_pages": [1, 2],
        "merged_into_page": 1,
        "parse_concerns": [{"type": "inconsistent_row_cell_count", "details": "row 3"}],
        "bbox": [BOX],
    },
    {"type": "image", "caption": "A tree", "url": "img_1.png", "md": "![A tree](img_1.png)", "bbox": [BOX]},
    {"type": "code", "value": "x = 1", "md": "```x = 1```", "language": "python"},
    {"type": "link", "text": "here", "url": "https://example.com", "md": "[here](https://example.com)"},
    {"type": "header", "md": "Running", "items": [{"type": "text", "value": "Running", "md": "Running"}]},
    {"type": "footer", "md": "7", "items": [{"type": "text", "value": "7", "md": "7"}]},
]
ANSWER: dict[str, Any] = {
    "job": {
        "id": "pjb-1",
        "project_id": "prj-1",
        "status": "COMPLETED",
        "tier": "agentic",
        "name": "a.pdf",
        "error_message": None,
        "usage": {"credits": 12.5},
        "user_metadata": {"team": "a"},
        "created_at": "2026-10-16T08:00:00.123456Z",
        "updated_at": "2026-10-16T08:00:09Z",
    },
    "text": {"pages": [{"page_number": 1, "text": "Words."}]},
    "markdown": {
        "pages": [
            {
                "page_number": 1,
                "success": True,
                "markdown": "# Title",
                "header": "Running",
                "footer": "7",
                "line_numbers": [{"line_number": "1", "start_index": 0, "end_index": 4}],
            },
            {"page_number": 2, "success": False, "error": "unreadable"},
        ]
    },
    "items": {
        "pages": [
            {"page_number": 1, "success": True, "page_width": 612, "page_height": 792, "items": ITEMS, "revisions": []}
        ]
    },
    "metadata": {
        "pages": [
            {
                "page_number": 1,
                "confidence": 0.97,
                "cost_optimized": False,
                "original_orientation_angle": 90,
                "printed_page_number": "iv",
                "slide_section_name": "Intro",
                "speaker_notes": "Smile",
                "triggered_auto_mode": False,
                "watermark": "DRAFT",
            }
        ],
        "document": {"confidence": 0.9},
    },
    "forms": {"pages": [{"page_number": 1, "success": True, "forms": [{}], "detected_form_types": ["w2"]}]},
    "images_content_metadata": {
        "total_count": 1,
        "images": [
            {
                "filename": "img_1.png",
                "index": 0,
                "category": "embedded",
                "content_type": "image/png",
                "presigned_url": "https://example.com/img_1.png",
                "size_bytes": 10,
                "bbox": {"x": 1, "y": 2, "w": 3, "h": 4},
            }
        ],
    },
    "job_metadata": {"pages": 2},
    "raw_parameters": {"tier": "agentic"},
    "markdown_full": "# Title",
    "text_full": "Words.",
    "result_content_metadata": {"xlsx": {"size_bytes": 5, "exists": True, "presigned_url": "https://example.com/x"}},
}

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(
        [10**400, -1, 0, 2.0, 1e308, "2", "NaN", "1e999", "COMPLETED", "SHINING", "2026-13-45T99:99Z", "\ud800"]
    )
)
junk = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every field and element below `value`."""
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, inner in entries for place in [(*path, key), *places(inner, (*path, key))]]


PLACES = places(ANSWER)
REMOVED = object()


def mutated(path: tuple[Any, ...], value: Any) -> Any:
    """The answer with `value` at `path`, or without that field."""
    answer = copy.deepcopy(ANSWER)
    holder = answer
    for step in path[:-1]:
        holder = holder[step]
    if value is REMOVED:
        del holder[path[-1]]
    else:
        holder[path[-1]] = value
    return answer


def read(value: Any) -> Any:
    """Look at everything there is to look at, and check that each attribute has a usable type."""
    if isinstance(value, TolerantModel):
        repr(value)
        names = {
            name
            for kind in type(value).__mro__
            for name, field in vars(kind).items()
            if isinstance(field, attribute | property)
        }
        for name in [*names, *(["page_number"] if hasattr(value, "page_number") else [])]:
            read(getattr(value, name))
        assert type(value).model_validate(value.raw).raw == value.raw or value.raw != value.raw
    elif isinstance(value, list):
        for element in value:
            read(element)
    elif isinstance(value, dict):
        for element in value.values():
            read(element) if isinstance(element, TolerantModel) else None
    else:
        assert value is None or isinstance(value, str | int | float | datetime | ParseStatus)
    return value


@pytest.mark.parametrize("value", [REMOVED, None, [], {}, "", "junk", -1, 1.5, True, [None], [[]], [{}], {"pages": 1}])
def test_every_field_may_be_anything(value: Any) -> None:
    """Ensure replacing or removing any one field of a full answer leaves the rest readable."""
    for path in PLACES:
        response = read(ParseResponse.model_validate(mutated(path, value)))
        if path[0] != "job":
            assert response.job.id == "pjb-1"
        if path[0] != "text":
            assert response.text[0].text == "Words."


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(PLACES), junk)
def test_any_mutation_of_any_field_reads(path: tuple[Any, ...], value: Any) -> None:
    """Ensure no value whatever in any field makes reading raise, and unknown fields are kept."""
    answer = mutated(path, value)
    answer["a_new_field"] = value
    response = read(ParseResponse.model_validate(answer))
    assert response.raw["a_new_field"] is value


@settings(max_examples=200, deadline=None)
@given(junk)
def test_any_json_at_all_reads(value: Any) -> None:
    """Ensure even an answer of another shape reads as an empty one, and a job in it as still running."""
    read(ParseResponse.model_validate(value))
    read(JobRecord.model_validate(value))
    read(read_item(value))


def test_a_full_answer_reads_completely() -> None:
    """Ensure an answer as documented gives every value with its type."""
    response = read(ParseResponse.model_validate(ANSWER))
    job = response.job
    assert (job.id, job.status, job.usage.credits, job.user_metadata) == (
        "pjb-1",
        ParseStatus.COMPLETED,
        12.5,
        {"team": "a"},
    )
    assert (job.updated_at - job.created_at).total_seconds() == pytest.approx(8.876544)
    assert [page.error for page in response.markdown] == [None, "unreadable"]
    assert [type(item).__name__ for item in response.items[0].items] == [
        f"{item['type'].capitalize()}Item" for item in ITEMS
    ]
    heading, text, listing, table, image, code, link, header, _ = response.items[0].items
    assert heading.level == 1
    assert [(box.x, box.y, box.w, box.h) for box in text.bbox] == [(72.0, 90.5, 200.0, 14.0)] * 2
    assert listing.ordered
    assert listing.items[1].items[0].value == "b"
    assert table.rows == [["a", 1.5], [None, "c"]]
    assert table.parse_concerns[0].details == "row 3"
    assert (image.caption, code.language, link.text, header.items[0].value) == ("A tree", "python", "here", "Running")
    assert (response.items[0].page_width, response.items[0].page_height) == (612.0, 792.0)
    assert response.images[0].bbox.w == 3.0
    assert response.metadata[0].printed_page_number == "iv"
    assert response.document_metadata == {"confidence": 0.9}
    assert response.result_content_metadata["xlsx"].presigned_url == "https://example.com/x"
    assert (response.markdown_full, response.text_full) == ("# Title", "Words.")
    assert pickle.loads(pickle.dumps(response)) == copy.deepcopy(response) == response


def test_every_kind_of_item_is_known() -> None:
    """Ensure each item class but the fallback is what some type of the service reads as."""
    known = {kind for kind in vars(parse_items).values() if isinstance(kind, type) and issubclass(kind, Item)}
    assert {type(read_item(item)) for item in ITEMS} == known - {Item, UnknownItem}


def test_neighbouring_types_keep_their_meaning() -> None:
    """Ensure floats for integers, numbers for strings and the like are read as what they mean."""
    response = ParseResponse(
        {
            "job": {"id": 7, "usage": {"credits": "3"}, "created_at": 0, "updated_at": "2026-10-16T08:00:00"},
            "markdown": [{"page_number": 4.0, "markdown": "x"}, "junk", {"markdown": 5}, {"page_number": 0}],
            "metadata": {"pages": [{"printed_page_number": 12.0, "confidence": 1, "cost_optimized": "true"}]},
        }
    )
    assert (response.job.id, response.job.usage and response.job.usage.credits) == ("7", 3.0)
    assert response.job.created_at == datetime(1970, 1, 1, tzinfo=timezone.utc)
    assert response.job.updated_at == datetime(2026, 10, 16, 8, tzinfo=timezone.utc)
    assert [(page.page_number, page.markdown) for page in response.markdown] == [(4, "x"), (5, "5"), (6, "")]
    page = response.metadata[0]
    assert (page.page_number, page.printed_page_number, page.confidence, page.cost_optimized) == (1, "12", 1.0, True)


def test_numbers_too_long_to_write_are_no_text() -> None:
    """Ensure a number of thousands of digits does not raise where a string is expected."""
    huge = 10**5000
    job = JobRecord({"id": huge, "usage": {"credits": huge}})
    assert read(job).usage.credits is None
    assert as_text(huge) in (None, "1" + "0" * 5000)  # Python 3.10 before 3.10.7 has no limit


def test_pages_keep_their_number_apart_from_their_document() -> None:
    """Ensure a page that is copied or pickled alone keeps the number that its place gave it."""
    page = ParseResponse({"markdown": [{"page_number": 8}, {"markdown": "x"}]}).markdown[1]
    for same in (copy.deepcopy(page), pickle.loads(pickle.dumps(page))):
        assert (same.page_number, same.markdown, same) == (9, "x", page)


def test_unknown_items_keep_their_json() -> None:
    """Ensure an item of a new kind is kept whole, with its markdown, and a bare string becomes a paragraph."""
    item = read_item({"type": "hologram", "md": "a cube", "depth": 3})
    assert isinstance(item, UnknownItem)
    assert (item.type, item.md, item.raw["depth"]) == ("hologram", "a cube", 3)
    entries = ListItem({"items": ["a", None, 5, {"type": "text", "value": "b"}]}).items
    assert [(type(entry), entry.value) for entry in entries] == [(TextItem, "a"), (TextItem, "b")]
    assert TableItem({"rows": [["a", {"b": 1}], "c", None]}).rows == [["a", None], ["c"], [None]]


def test_failed_pages_say_why() -> None:
    """Ensure a page has an error exactly when it was not read, even if the service forgets to say why."""
    pages = [
        {"success": False, "error": "blurred"},
        {"success": False},
        {"error": "torn"},
        {},
        {"success": True, "error": None},
    ]
    found = ParseResponse({"markdown": {"pages": pages}}).markdown
    assert [page.error for page in found] == ["blurred", "the service gives no reason", "torn", None, None]


@pytest.mark.parametrize(
    ("status", "read_as", "terminal"),
    [
        ("PENDING", ParseStatus.PENDING, False),
        ("RUNNING", ParseStatus.RUNNING, False),
        ("COMPLETED", ParseStatus.COMPLETED, True),
        ("completed ", ParseStatus.COMPLETED, True),
        ("FAILED", ParseStatus.FAILED, True),
        ("CANCELLED", ParseStatus.CANCELLED, True),
        ("SHINING", ParseStatus.RUNNING, False),
        (None, ParseStatus.RUNNING, False),
        (5, ParseStatus.RUNNING, False),
    ],
)
def test_unknown_states_are_still_running(status: Any, read_as: ParseStatus, terminal: bool) -> None:
    """Ensure a state that is not known yet is waited for, not taken for an end."""
    job = JobRecord({"status": status})
    assert (job.status, job.status.terminal) == (read_as, terminal)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("UNSUPPORTED_FILE_TYPE", "UNSUPPORTED_FILE_TYPE"),
        ("Job failed: PDF_IS_BROKEN (then TIMEOUT)", "PDF_IS_BROKEN"),
        ("TIMEOUT before TOO_MANY_PAGES", "TIMEOUT"),
        ("it broke", None),
        ("", None),
        (None, None),
    ],
)
def test_failure_codes(message: str | None, code: str | None) -> None:
    """Ensure the first known code in a job's message is the code, wherever it stands."""
    assert job_failure_code(message) == code


def test_deep_nesting_reads() -> None:
    """Ensure lists within lists, as deep as JSON decoders go, are read level by level."""
    item: dict[str, Any] = {"type": "text", "value": "leaf", "md": "leaf"}
    for _ in range(900):
        item = {"type": "list", "ordered": False, "md": "", "items": [item]}
    found = read_item(item)
    while isinstance(found, ListItem):
        repr(found)
        found = found.items[0]
    assert isinstance(found, TextItem)
    assert found.value == "leaf"


def test_ten_thousand_pages_read_quickly() -> None:
    """Ensure reading markdown and metadata of a very long document takes well under a second."""
    raw = {
        "markdown": {"pages": [{"page_number": n, "markdown": "words", "success": True} for n in range(1, 10_001)]},
        "metadata": {"pages": [{"page_number": n, "confidence": 0.9} for n in range(1, 10_001)]},
    }
    text = json.dumps(raw)
    start = time.perf_counter()
    response = ParseResponse.model_validate(json.loads(text))
    for page, facts in zip(response.markdown, response.metadata, strict=True):
        assert (page.page_number, page.markdown, page.header, page.error) == (facts.page_number, "words", None, None)
        assert (facts.confidence, facts.printed_page_number, facts.speaker_notes) == (0.9, None, None)
    assert time.perf_counter() - start < 0.8
