"""A ledger on S3, for real: s3fs against an S3 server on loopback."""

from __future__ import annotations

import asyncio
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from llama_cloud_ext.errors import LedgerError
from llama_cloud_ext.jobs import ledger as ledger_module
from llama_cloud_ext.jobs.ledger_entries import LedgerEntries
from llama_cloud_ext.jobs.ledger_leases import Leases
from llama_cloud_ext.jobs.ledger_store import ledger_store
from tests.http.scripted_service import ScriptedService
from tests.http.test_s3_sources import endpoint, environment, s3  # noqa: F401 - fixtures
from tests.unit.test_ledger_store import check_store


@pytest.fixture
def location(s3: Any) -> str:  # noqa: F811 - the fixture
    """A place in a bucket that is there."""
    return f"s3://papers/{uuid.uuid4().hex}"


def test_records(location: str) -> None:
    """Ensure records on S3 are read, replaced, created, listed and deleted as anywhere."""
    check_store(ledger_store(location))


def test_one_of_several_creators_wins(location: str) -> None:
    """Ensure of several who create one object exactly one is told that it did: S3 decides."""
    stores = [ledger_store(location) for _ in range(6)]
    for attempt in range(3):
        with ThreadPoolExecutor(6) as threads:
            won = list(threads.map(lambda store, n=attempt: store.create(f"ab/{n}", b"x"), stores))  # type: ignore[misc]
        assert sum(won) == 1


async def test_leases(location: str) -> None:
    """Ensure a lease on S3 keeps others away until it is given back."""
    one, two = (Leases(ledger_store(location)) for _ in range(2))
    async with one.held("ab/entry") as lease:
        assert lease is not None
        assert await lease.is_held()
        async with two.held("ab/entry") as other:
            assert other is None
    assert await asyncio.to_thread(lambda: list(ledger_store(location).names())) == []


def test_a_reader(location: str) -> None:
    """Ensure what one process has parsed another one takes from S3, without a request to the service."""
    service = ScriptedService()
    reader = service.reader(ledger=location, version="2025-01-01")
    expected = reader.load_data([b"%PDF-1.7 a", b"%PDF-1.7 b"])
    ledger_module._ledgers.clear()
    service.forget()
    assert reader.load_data([b"%PDF-1.7 a", b"%PDF-1.7 b"]) == expected
    assert service.requests == []
    assert [entry.state for entry in LedgerEntries(location)] == ["done"] * 2


@pytest.mark.usefixtures("s3")
def test_a_bucket_that_is_not_there() -> None:
    """Ensure a bucket that does not exist is an error that names it, and is not made."""
    service = ScriptedService()
    with pytest.raises(LedgerError, match="s3://nowhere/ledger cannot be"):
        service.reader(ledger="s3://nowhere/ledger", version="2025-01-01").load_data(b"%PDF-1.7 a")
    assert service.requests == []
