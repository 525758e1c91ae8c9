"""Rules of pages and ids that hold for any response whatever."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID, uuid5

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llama_cloud_ext.errors import LlamaCloudError
from llama_cloud_ext.ids import NAMESPACE
from llama_cloud_ext.jobs.source_identity import SourceIdentity
from llama_cloud_ext.parse.result import ParseResult
from tests.unit.parse_samples import SOURCE, heading, image, listed, response, table, text

JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
NUMBERS = st.lists(st.none() | st.integers(-2, 6) | st.sampled_from(["2", 3.0, "x", True, 10**400]), max_size=8)
NAMES = st.text(max_size=20)

SAMPLE = response(
    [
        [heading(1, "A"), text("words"), table([["a", "b"], [1, None]], merged_from_pages=[1, 2], parse_concerns=[])],
        [{"type": "header", "md": "h", "items": [text("h")]}, image("page_2_a.png"), table([], merged_into_page=1)],
    ],
    images_content_metadata=listed("page_2_a.png", "page_1_b.png"),
    result_content_metadata={"xlsx": {"exists": True, "presigned_url": "https://x", "size_bytes": 1}},
)


def paths(value: Any, prefix: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """All places in a JSON value."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [prefix, *(path for key, child in children for path in paths(child, (*prefix, key)))]


PATHS = paths(SAMPLE)[1:]


PAGE_FIELDS = (
    *("text", "markdown", "items", "header", "footer", "error", "confidence", "speaker_notes", "blank"),
    *("width", "height", "watermark", "slide_section", "orientation", "cost_optimized", "page_label"),
)
JOB_FIELDS = ("from_cache", "credits", "usage", "created_at", "updated_at", "user_metadata", "name", "raw")


def read_everything(result: ParseResult) -> None:
    """Use all that does not download; only errors of the package's own, with a message, may come out."""
    repr((result, result.job, result.images, result.pages))
    for page in result:
        assert page.number > 0
        for name in PAGE_FIELDS:
            getattr(page, name)
    for name in JOB_FIELDS:
        getattr(result.job, name)
    for ask in (
        result.documents,
        partial(result.documents, split_by_page=False),
        partial(result.documents, kind="text"),
        partial(result.nodes, page_margins=True),
        partial(use_tables, result),
        result.raise_if_blank,
    ):
        assert_sane(ask)


def use_tables(result: ParseResult) -> None:
    """Convert all tables."""
    for found in (*result.tables, *result.table_fragments):
        found.to_csv()
        found.to_pandas()


def assert_sane(ask: Callable[[], object]) -> None:
    """Call and let pass what the package raises on purpose."""
    try:
        ask()
    except LlamaCloudError as error:
        message = str(error)
    else:
        message = "fine"
    assert message.strip()


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(PATHS), JUNK)
def test_any_field_may_be_anything(path: tuple[Any, ...], junk: Any) -> None:
    """Ensure a missing, null, retyped or extra value anywhere in a response never makes reading it raise."""
    raw = json.loads(json.dumps(SAMPLE))
    parent = raw
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = junk
    read_everything(ParseResult(raw, source=SOURCE))


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(PATHS))
def test_any_field_may_be_missing(path: tuple[Any, ...]) -> None:
    """Ensure a response without one of its fields or entries can be read."""
    raw = json.loads(json.dumps(SAMPLE))
    parent = raw
    for key in path[:-1]:
        parent = parent[key]
    del parent[path[-1]]
    read_everything(ParseResult(raw, source=SOURCE))


@settings(max_examples=150, deadline=None)
@given(NUMBERS, NUMBERS)
def test_no_page_is_ever_lost(text_numbers: list[Any], markdown_numbers: list[Any]) -> None:
    """Ensure every entry of every list is on exactly one page, whatever numbers the service sends."""
    raw = {
        "text": {"pages": [{"page_number": n, "text": f"t{i}"} for i, n in enumerate(text_numbers)]},
        "markdown": {"pages": [{"page_number": n, "markdown": f"m{i}"} for i, n in enumerate(markdown_numbers)]},
    }
    pages = ParseResult(raw, source=SOURCE).pages
    numbers = [page.number for page in pages]
    assert numbers == sorted(set(numbers))
    assert sorted(page.text for page in pages if page.text) == sorted(f"t{i}" for i in range(len(text_numbers)))
    assert sorted(page.markdown for page in pages if page.markdown) == sorted(
        f"m{i}" for i in range(len(markdown_numbers))
    )
    assert len(ParseResult(raw, source=SOURCE).documents()) == len(pages)


@given(st.permutations(range(5)))
def test_order_of_the_lists_does_not_matter(order: list[int]) -> None:
    """Ensure pages with numbers give the same Documents and ids in whatever order they come."""

    def documents(places: Any) -> Any:
        pages = [{"page_number": n + 1, "markdown": f"page {n}"} for n in places]
        return ParseResult({"markdown": {"pages": pages}}, source=SOURCE).documents()

    assert documents(order) == documents(range(5))


@given(NAMES, NAMES, st.integers(1, 10**6), st.integers(1, 10**6))
def test_ids_depend_on_identity_and_place_alone(first: str, second: str, page: int, other: int) -> None:
    """Ensure ids are uuids that are equal for equal places in equal files, and different otherwise."""
    one, two = SourceIdentity("a.pdf", first), SourceIdentity("b.pdf", second)
    assert (one.document_id() == two.document_id()) == (first == second)
    assert (one.page_id(page) == one.page_id(other)) == (page == other)
    ids = {
        one.document_id(),
        one.page_id(page),
        one.item_id(page, "0"),
        one.item_id(page, "0.0"),
        one.image_id(page, "0"),
    }
    assert len(ids) == 5
    for each in ids:
        assert str(UUID(each)) == each
        assert UUID(each).version == 5
    assert one.document_id() == str(uuid5(NAMESPACE, first))


@pytest.mark.parametrize("change", ["name", "path"])
def test_same_name_in_two_folders_differs(change: str) -> None:
    """Ensure only the identity counts: equal names in two folders get different ids, another spelling does not."""
    base = SourceIdentity("report.pdf", "file:/a/report.pdf", path="/a/report.pdf")
    assert SourceIdentity("report.pdf", "file:/b/report.pdf").page_id(1) != base.page_id(1)
    assert SourceIdentity(**{**base.to_dict(), change: "other"}).page_id(1) == base.page_id(1)


@given(st.dictionaries(st.text(max_size=8), JUNK, max_size=4))
def test_metadata_is_flat_and_travels(extra: dict[str, Any]) -> None:
    """Ensure any metadata of the caller's becomes scalars, and an identity survives JSON and pickle."""
    source = SourceIdentity("a.pdf", "x", extra_info=extra)
    assert all(v is None or isinstance(v, (str, int, float, bool)) for v in source.metadata().values())
    text = json.dumps(source.to_dict())
    assert json.dumps(SourceIdentity.from_dict(json.loads(text)).to_dict()) == text
    copied = pickle.loads(pickle.dumps(source))
    assert json.dumps(copied.to_dict()) == text
