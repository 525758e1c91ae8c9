"""Metadata filters give the same rows from SQL as from plain Python, and LlamaIndex's answers where it has any."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from llama_index.core.vector_stores import MetadataFilter, MetadataFilters
from llama_index.core.vector_stores.utils import build_metadata_filter_fn

from llama_cloud_ext.local.retrieval import SCHEMA, check_filters, matches
from llama_cloud_ext.local.retrieval.chunk_reading import metadata_json
from llama_cloud_ext.local.retrieval.filter_sql import LOWER, sql_filter

KEYS = st.sampled_from(["a", "b", "with.dot", 'with"quote', "back\\slash", "schlüssel", "$", ""])
# Few letters, so that values meet; two alphabets, and letters whose lower case is not ASCII's business.
TEXTS = st.text(alphabet='abAÄä"\\0 1Ω', max_size=3)
NUMBERS = st.one_of(
    st.integers(-3, 3),
    st.integers(-(2**53), 2**53),
    st.sampled_from([0.0, 1.0, -0.5, 0.1, 1e-9, 1e300]),
    st.floats(allow_nan=False, allow_infinity=False),
)
SCALARS = st.one_of(TEXTS, NUMBERS, st.booleans())
HELD = st.one_of(
    SCALARS,
    st.none(),
    st.lists(st.one_of(SCALARS, st.none(), st.lists(SCALARS, max_size=1)), max_size=3),
    st.just({"a": 1}),
)
FLAT = st.one_of(TEXTS, NUMBERS)
METADATA = st.dictionaries(KEYS, HELD, max_size=4)


def single_filters(scalars: st.SearchStrategy[Any] = SCALARS) -> st.SearchStrategy[dict[str, Any]]:
    """Filters that `check_filters` accepts, of every operator."""
    lists = st.lists(scalars, max_size=3)
    values = {
        **dict.fromkeys(("==", "!="), st.one_of(scalars, lists)),
        **dict.fromkeys((">", ">=", "<", "<=", "contains"), scalars),
        **dict.fromkeys(("in", "nin", "any", "all"), lists),
        **dict.fromkeys(("text_match", "text_match_insensitive"), TEXTS),
        "is_empty": st.none(),
    }
    return st.sampled_from(sorted(values)).flatmap(
        lambda operator: st.fixed_dictionaries({"key": KEYS, "operator": st.just(operator), "value": values[operator]})
    )


def groups(filters: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Filters combined."""
    return st.fixed_dictionaries(
        {"filters": st.lists(filters, max_size=3), "condition": st.sampled_from(["and", "or", "not", None])}
    )


FILTERS = groups(st.recursive(single_filters(), groups, max_leaves=6))
Select = Callable[[list[dict[str, Any]], dict[str, Any]], list[bool]]


@pytest.fixture(scope="module")
def select() -> Iterator[Select]:
    """Write metadata as chunks and ask the database which of them fulfil filters."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    for statement in SCHEMA:
        connection.execute(statement)
    connection.create_function(LOWER, 1, str.lower, deterministic=True)

    def selected(rows: list[dict[str, Any]], filters: dict[str, Any]) -> list[bool]:
        connection.execute("DELETE FROM chunks")
        connection.executemany(
            "INSERT INTO chunks VALUES (?, 1, ?, NULL, 0, '', 0, 0, ?, '[]', '[]')",
            [(number, str(number), metadata_json(metadata)) for number, metadata in enumerate(rows)],
        )
        condition = sql_filter(filters)
        query = f"SELECT sequence FROM chunks c WHERE {condition.condition or '1'}"  # noqa: S608  # what is tested
        found = {row[0] for row in connection.execute(query, condition.parameters)}
        return [number in found for number in range(len(rows))]

    yield selected
    connection.close()


@settings(max_examples=600, deadline=None)
@given(rows=st.lists(METADATA, min_size=1, max_size=6), filters=FILTERS)
@example(rows=[{"a": "[1]"}, {"a": [1]}], filters={"filters": [{"key": "a", "operator": "==", "value": [1.0]}]})
@example(
    rows=[{"a": "x"}, {"a": 0}, {"a": None}, {}], filters={"filters": [{"key": "a", "operator": "all", "value": []}]}
)
@example(rows=[{"a": "ÄB"}], filters={"filters": [{"key": "a", "operator": "text_match_insensitive", "value": "äb"}]})
@example(rows=[{"a": 1}, {"a": "1"}, {"a": True}], filters={"filters": [{"key": "a", "operator": "==", "value": 1}]})
@example(rows=[{"a": None}, {}, {"a": 2}], filters={"filters": [{"key": "a", "operator": "nin", "value": [2]}]})
def test_sql_and_python_select_the_same(select: Select, rows: list[dict[str, Any]], filters: dict[str, Any]) -> None:
    """Ensure filters, however nested, let through the same rows in the database as in plain Python."""
    check_filters(filters)
    assert select(rows, filters) == [matches(filters, metadata) for metadata in rows]


@settings(max_examples=300, deadline=None)
@given(
    metadata=st.dictionaries(KEYS, st.one_of(st.none(), FLAT, st.lists(FLAT, max_size=3)), max_size=4),
    filters=st.lists(single_filters(FLAT), min_size=1, max_size=3),
    condition=st.sampled_from(["and", "or", "not"]),
)
@example(metadata={"a": 0}, filters=[{"key": "a", "operator": "all", "value": []}], condition="and")
def test_answers_are_those_of_llama_index(
    metadata: dict[str, Any], filters: list[dict[str, Any]], condition: str
) -> None:
    """Ensure that where LlamaIndex's simple vector store evaluates filters, the answer here is the same."""
    try:
        theirs = MetadataFilters(filters=[MetadataFilter(**one) for one in filters], condition=condition)
        expected = build_metadata_filter_fn(lambda _: metadata, theirs)("")
    except (TypeError, ValueError):
        return  # types that do not fit, or lists of mixed types: it raises
    assert matches({"filters": filters, "condition": condition}, metadata) is expected


@pytest.mark.parametrize(
    ("filters", "named"),
    [
        ({"filters": [{"key": "year", "operator": "~", "value": 1}]}, ["'year'", "'~'"]),
        ({"filters": [{"key": "year", "operator": "in", "value": 1}]}, ["'year'", "'in'", "list"]),
        ({"filters": [{"key": "year", "operator": ">", "value": [1]}]}, ["'year'", "'>'", "single"]),
        ({"filters": [{"key": "year", "operator": "==", "value": None}]}, ["'year'", "'=='", "is_empty"]),
        ({"filters": [{"key": "year", "operator": "text_match", "value": 3}]}, ["'year'", "'text_match'", "text"]),
        ({"filters": [{"key": "year", "value": {"a": 1}}]}, ["'year'", "'=='"]),
        ({"filters": [{"key": "year", "value": float("inf")}]}, ["'year'", "finite"]),
        ({"filters": [], "condition": "xor"}, ["xor"]),
        ({"filters": [{"filters": [{"operator": "=="}]}]}, ["key"]),
        ({"key": "year", "value": 1}, ["filters"]),
    ],
)
def test_meaningless_filters_are_refused_by_name(filters: dict[str, Any], named: list[str]) -> None:
    """Ensure a filter that means nothing raises an error that names its key and operator."""
    with pytest.raises(ValueError, match=r".") as raised:
        check_filters(filters)
    assert all(word in str(raised.value) for word in named), str(raised.value)


def test_too_deep_filters_are_refused() -> None:
    """Ensure filters nested deeper than SQLite could parse are refused before it tries."""
    filters: dict[str, Any] = {"filters": [{"key": "a", "value": 1}]}
    for _ in range(40):
        filters = {"filters": [filters], "condition": "not"}
    with pytest.raises(ValueError, match="nested"):
        check_filters(filters)
