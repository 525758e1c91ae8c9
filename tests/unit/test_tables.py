"""Tables: merged ones once, odd rows, DataFrames and CSV."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from llama_cloud_ext.errors import ConfigurationError
from llama_cloud_ext.parse.result import ParseResult, Table
from tests.unit.parse_samples import SOURCE, heading, response, table


def tables(*items: dict[str, Any]) -> list[Table]:
    return ParseResult(response([list(items)]), source=SOURCE).tables


def test_table_carries_what_the_service_says() -> None:
    """Ensure a table has its rows, all its forms, its place, its heading and the service's doubts."""
    (found,) = tables(
        heading(1, "Costs"),
        table([["a", "b"], ["1", 2.5]], parse_concerns=[{"type": "mismatch", "details": "row 2"}, None]),
    )
    assert found.rows == [["a", "b"], ["1", 2.5]]
    assert found.markdown.startswith("| a | b |")
    assert "colspan" in found.html
    assert (found.page_number, found.heading, found.section) == (1, "Costs", "Costs")
    assert found.boxes == [{"x": 10, "y": 300, "w": 100, "h": 20}]
    assert found.parse_concerns == ["mismatch: row 2"]


def test_table_across_pages_appears_once() -> None:
    """Ensure a merged table is listed where it begins, and its empty remainder stays reachable."""
    pages = [[table([["a"], ["1"]], merged_from_pages=[1, 2])], [table([], merged_into_page=1)], [table([["z"]])]]
    result = ParseResult(response(pages), source=SOURCE)
    assert [(t.page_number, t.merged_from_pages) for t in result.tables] == [(1, [1, 2]), (3, [])]
    (fragment,) = result.table_fragments
    assert (fragment.page_number, fragment.merged_into_page) == (2, 1)


def test_fragment_with_rows_is_no_mere_remainder() -> None:
    """Ensure rows are never dropped because the service also says that they went elsewhere."""
    assert len(tables(table([["kept"]], merged_into_page=1))) == 1


def test_dataframe() -> None:
    """Ensure the first row names the columns, blank and repeated names are told apart, and short rows are filled."""
    (found,) = tables(table([["city", "", "city", None], ["Oslo", 1.5], ["Rome", "2", "x", "y"]]))
    frame = found.to_pandas()
    assert list(frame.columns) == ["city", "column_2", "city_2", "column_4"]
    assert frame.iloc[0].tolist()[:2] == ["Oslo", 1.5]
    assert frame.iloc[1].tolist() == ["Rome", "2", "x", "y"]
    assert pd.isna(frame.iloc[0, 3])
    assert found.to_pandas(header=False).shape == (3, 4)


def test_empty_table_gives_an_empty_dataframe() -> None:
    """Ensure a table without rows is no accident."""
    assert Table("t", 1, []).to_pandas().empty
    assert Table("t", 1, []).to_csv() == ""


def test_dataframe_without_pandas_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure a missing pandas is named with the way to get it."""
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ConfigurationError, match="pip install pandas"):
        Table("t", 1, [["a"]]).to_pandas()


def test_csv_round_trip(tmp_path: Path) -> None:
    """Ensure CSV keeps commas, quotes, line breaks and empty cells."""
    (found,) = tables(table([["a,b", 'say "x"'], ["two\nlines", None]]))
    path = found.save_csv(tmp_path / "out.csv")
    assert path.read_bytes().decode() == found.to_csv() == '"a,b","say ""x"""\n"two\nlines",\n'


def test_csv_alone_gives_rows() -> None:
    """Ensure a table that came as CSV only can be used like any other."""
    (found,) = tables({"type": "table", "csv": 'a,b\n"1,5",2\n', "rows": None})
    assert found.rows == [["a", "b"], ["1,5", "2"]]


@pytest.mark.parametrize("rows", ["x", [None, "x", ["a", {"b": 1}, True, [1]]], {}, 3])
def test_odd_rows_do_no_harm(rows: Any) -> None:
    """Ensure rows and cells of any shape can be read and written."""
    for found in tables({"type": "table", "rows": rows, "md": "| |", "bbox": "x", "merged_from_pages": "x"}):
        found.to_pandas()
        found.to_csv()
