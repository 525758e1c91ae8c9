"""Lists that come page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from llama_cloud_ext.errors import ConfigurationError
from llama_cloud_ext.wire.paging import first, iterate_pages, path_with


class Answers:
    """A connection that gives prepared answers and remembers what it was asked."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.tokens: list[Any] = []
        self.asked: list[tuple[str, str, dict[str, Any], bool]] = []

    async def request(
        self, method: str, path: str, *, params: dict[str, Any], scoped: bool = True, budget: float | None = None
    ) -> Any:
        self.asked.append((method, path, params, scoped))
        self.tokens.append(params.get("page_token"))
        return self.answers.pop(0)


async def collect(connection: Any, **params: Any) -> list[dict[str, Any]]:
    return [item async for item in iterate_pages(connection, "/list", params=params)]


async def test_follows_the_tokens() -> None:
    """Ensure every page is asked for once, with its token and the same filters."""
    connection = Answers(
        {"items": [{"id": 1}, {"id": 2}], "next_page_token": "a"},
        {"items": [], "next_page_token": "b"},
        {"items": [{"id": 3}], "next_page_token": None},
    )
    assert await collect(connection, status="FAILED") == [{"id": 1}, {"id": 2}, {"id": 3}]
    assert connection.tokens == [None, "a", "b"]
    assert all(params["status"] == "FAILED" for _, _, params, _ in connection.asked)


@pytest.mark.parametrize("token", [None, "", 5, [], {"a": 1}, False])
async def test_ends_without_a_token(token: Any) -> None:
    """Ensure the list ends when there is no token, or what stands there is none."""
    connection = Answers({"items": [{"id": 1}], "next_page_token": token})
    assert await collect(connection) == [{"id": 1}]


async def test_ends_when_a_token_repeats() -> None:
    """Ensure a server that hands out a token again does not make the list endless."""
    pages = [{"items": [{"id": n}], "next_page_token": token} for n, token in enumerate(["a", "b", "a"])]
    connection = Answers(*pages)
    assert await collect(connection) == [{"id": 0}, {"id": 1}, {"id": 2}]
    assert connection.tokens == [None, "a", "b"]


@pytest.mark.parametrize(
    "answer", [None, [], "junk", 3, {}, {"items": None}, {"items": {"a": 1}}, {"items": [None, 1]}]
)
async def test_tolerates_junk(answer: Any) -> None:
    """Ensure an answer without items is an empty list, and what is no object in it is passed over."""
    assert await collect(Answers(answer)) == []


async def test_asks_for_nothing_more_than_is_read() -> None:
    """Ensure a caller that stops early causes no further request."""
    connection = Answers({"items": [{"id": 1}], "next_page_token": "a"})
    async for _ in iterate_pages(connection, "/list", params={}):  # type: ignore[arg-type]
        break
    assert connection.tokens == [None]


@pytest.mark.parametrize(
    ("identifier", "path"),
    [
        ("pjb-1", "/p/pjb-1/x"),
        ("a/b", "/p/a%2Fb/x"),
        ("..a", "/p/..a/x"),
        ("a?b#c d%", "/p/a%3Fb%23c%20d%25/x"),
        ("ü", "/p/%C3%BC/x"),
    ],
)
def test_ids_cannot_leave_their_place(identifier: str, path: str) -> None:
    """Ensure an id is one path segment whatever it holds."""
    assert path_with("/p/", identifier, "/x") == path


@pytest.mark.parametrize("identifier", ["", " ", ".", "..", None, 5])
def test_what_is_no_id_is_refused(identifier: Any) -> None:
    """Ensure an empty id or a dot segment never becomes a request to another address."""
    with pytest.raises(ConfigurationError, match="is not an id"):
        path_with("/p/", identifier)


@pytest.mark.parametrize(("limit", "count"), [(None, 4), (0, 0), (2, 2), (3, 3), (9, 4)])
async def test_the_first_records_ask_for_no_page_beyond_them(limit: int | None, count: int) -> None:
    """Ensure a limit ends the list, and a list of exactly that length is not asked for more."""
    asked: list[int] = []

    async def records() -> AsyncIterator[dict[str, Any]]:
        for number in range(4):
            asked.append(number)
            yield {"id": number}

    assert len([record async for record in first(records(), limit)]) == count
    assert len(asked) == count
