"""Lists that count from an offset: whatever the service does, they end, and lose nothing that it was willing to say."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from llama_cloud_ext.wire.paging import iterate_offsets


class Service:
    """A list of so many records behind pages that may be shorter than asked for, and totals that may be wrong."""

    def __init__(self, count: int, *, most: int, total: str, bare: bool, ignores_offset: bool = False) -> None:
        self.records = [{"id": f"r-{number}"} for number in range(count)]
        self.most = most
        self.total = total
        self.bare = bare
        self.ignores_offset = ignores_offset
        self.asked: list[int] = []

    async def request(self, method: str, path: str, *, params: dict[str, Any], scoped: Any) -> Any:
        """One page."""
        start = 0 if self.ignores_offset else params["skip"]
        self.asked.append(params["skip"])
        assert len(self.asked) < 1000, "endless"
        page = self.records[start : start + min(self.most, params["limit"])]
        if self.bare:
            return page
        totals = {"right": len(self.records), "text": str(len(self.records)), "missing": None, "odd": {"a": 1}}
        return {"documents": page, "total_count": totals[self.total]}


def read(service: Any, page_size: int = 10) -> list[dict[str, Any]]:
    """Everything that the list says."""

    async def collect() -> list[dict[str, Any]]:
        records = iterate_offsets(
            service, "/list", key="documents", offset="skip", params={"a": 1}, page_size=page_size, scoped="project"
        )
        return [record async for record in records]

    return asyncio.run(collect())


@settings(max_examples=150, deadline=None)
@given(
    count=st.integers(0, 60),
    most=st.integers(1, 30),
    page_size=st.integers(1, 30),
    total=st.sampled_from(["right", "text", "missing", "odd"]),
    bare=st.booleans(),
)
def test_nothing_is_lost_or_said_twice(count: int, most: int, page_size: int, total: str, bare: bool) -> None:
    """Ensure every record comes once and in order, whatever a page holds at most and whether a total is told."""
    service = Service(count, most=most, total=total, bare=bare)
    assert read(service, page_size) == service.records
    per_page = min(most, page_size)
    # One more where no total is told: only an empty page tells the end.
    assert len(service.asked) <= -(-count // per_page) + 1


@settings(max_examples=50, deadline=None)
@given(count=st.integers(0, 30), total=st.sampled_from(["right", "missing"]), bare=st.booleans())
def test_an_ignored_offset_is_not_endless(count: int, total: str, bare: bool) -> None:
    """Ensure a deployment that always answers the first page is asked twice at most, and what it said is there."""
    service = Service(count, most=10, total=total, bare=bare, ignores_offset=True)
    assert read(service) == service.records[:10]
    assert len(service.asked) <= 2


items = (
    st.none() | st.integers() | st.text(max_size=3) | st.dictionaries(st.sampled_from(["id", "x"]), st.integers(0, 3))
)
answers = (
    st.none()
    | st.text(max_size=3)
    | st.lists(items, max_size=4)
    | st.fixed_dictionaries(
        {}, optional={"documents": st.none() | st.integers() | st.lists(items, max_size=4), "total_count": items}
    )
)


class Hostile:
    """Answers from a list, and then the last one for ever."""

    def __init__(self, given_answers: list[Any]) -> None:
        self.answers = given_answers
        self.asked = 0

    async def request(self, method: str, path: str, *, params: dict[str, Any], scoped: Any) -> Any:
        """The next one."""
        self.asked += 1
        assert self.asked <= len(self.answers) + 2, "endless"
        return self.answers[min(self.asked, len(self.answers)) - 1]


@settings(max_examples=300, deadline=None)
@given(st.lists(answers, min_size=1, max_size=6))
def test_any_answers_end(given_answers: list[Any]) -> None:
    """Ensure any answers whatever end the list, and all records are objects."""
    assert all(isinstance(record, dict) for record in read(Hostile(given_answers)))


def test_a_list_that_moves() -> None:
    """Ensure a record that is added while the list is read takes none of the others away."""

    class Moving(Service):
        async def request(self, method: str, path: str, *, params: dict[str, Any], scoped: Any) -> Any:
            answer = await super().request(method, path, params=params, scoped=scoped)
            if len(self.asked) == 1:
                self.records.insert(0, {"id": "new"})
            return answer

    service = Moving(25, most=10, total="right", bare=False)
    ids = {record["id"] for record in read(service)}
    assert ids >= {f"r-{number}" for number in range(25)}
