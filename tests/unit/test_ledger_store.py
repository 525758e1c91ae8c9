"""Where a ledger keeps its records: whole or not at all, and one of several writers wins."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from llama_cloud_ext.errors import ConfigurationError, LedgerError
from llama_cloud_ext.jobs import ledger_store as module
from llama_cloud_ext.jobs.ledger_store import FolderStore, FsspecStore, LedgerStore, ledger_store


@pytest.fixture(params=["folder", "memory", "file URL"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> LedgerStore:
    """A store of each kind."""
    folder = tmp_path / "ledger"
    places = {"folder": str(folder), "file URL": folder.as_uri(), "memory": f"memory://{uuid.uuid4().hex}"}
    return ledger_store(places[request.param])


def check_store(store: LedgerStore) -> None:
    """What every store does."""
    assert store.read("ab/entry/job.json") is None
    assert list(store.names()) == []
    store.delete("ab/entry/job.json")
    store.put("ab/entry/job.json", b"one")
    store.put("ab/entry/job.json", b"two")
    assert store.create("ab/entry/job.json", b"three") is False
    assert store.create("ab/entry/lease-000001", b"mine") is True
    assert store.read("ab/entry/job.json") == b"two"
    store.put("cd/other/job.json", b"x")
    assert sorted(store.names("ab/entry")) == ["ab/entry/job.json", "ab/entry/lease-000001"]
    assert sorted(store.names()) == ["ab/entry/job.json", "ab/entry/lease-000001", "cd/other/job.json"]
    for name in ("ab/entry/job.json", "ab/entry/lease-000001", "cd/other/job.json"):
        store.delete(name)
    assert list(store.names()) == []


def test_records(store: LedgerStore) -> None:
    """Ensure a store reads, replaces, creates, lists and deletes records."""
    check_store(store)


def test_one_of_several_creators_wins(store: LedgerStore) -> None:
    """Ensure of many threads that create one record exactly one is told that it did, and its content is there."""
    with ThreadPoolExecutor(8) as threads:
        for attempt in range(3):
            name = f"ab/{attempt}/lease-000001"
            won = list(threads.map(lambda who, name=name: store.create(name, str(who).encode()), range(8)))  # type: ignore[misc]
            assert sum(won) == 1
            assert store.read(name) == str(won.index(True)).encode()


def test_deleting_and_writing_at_once(store: LedgerStore) -> None:
    """Ensure a folder that one writer empties is there again for the next."""
    with ThreadPoolExecutor(4) as threads:
        for _ in threads.map(lambda n: (store.put(f"ab/x/{n}", b"1"), store.delete(f"ab/x/{n}")), range(60)):
            pass
    assert list(store.names()) == []


def test_a_folder_holds_no_halves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure a write that breaks off leaves the old record, and nothing that counts as one."""
    store = FolderStore(tmp_path)
    store.put("ab/e/job.json", b"old")

    def broken(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.os, "fsync", broken)
    for write in (store.put, store.create):
        with pytest.raises(OSError, match="No space"):
            write("ab/e/job.json", b"new")
    assert store.read("ab/e/job.json") == b"old"
    assert list(store.names()) == ["ab/e/job.json"]
    assert [path.name for path in (tmp_path / "ab" / "e").iterdir()] == ["job.json"], "what was begun is removed"


def test_records_can_be_read_by_a_team(tmp_path: Path) -> None:
    """Ensure records have the permissions that other new files of their user have."""
    (tmp_path / "other").touch()
    FolderStore(tmp_path).put("job.json", b"1")
    assert (tmp_path / "job.json").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_a_filesystem_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure where there are no hard links, records are created all the same, once."""

    def refused(*_: Any) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    check_store(FolderStore(tmp_path))


def test_a_filesystem_that_needs_folders() -> None:
    """Ensure folders are made where a filesystem wants them, and never in an object store (buckets)."""

    class Remote(MemoryFileSystem):  # type: ignore[misc]  # fsspec has no types
        cachable = False
        store: dict[str, Any] = {}  # noqa: RUF012 - as the class above
        pseudo_dirs = [""]  # noqa: RUF012 - as the class above

        def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **options: Any) -> None:
            if not self.exists(path.rpartition("/")[0]):
                raise FileNotFoundError(path)
            super().pipe_file(path, value, mode=mode, **options)

    FsspecStore(Remote(), "/bucket/ledger").put("ab/e/job.json", b"1")
    Remote.split_path = lambda *_: None
    with pytest.raises(FileNotFoundError):
        FsspecStore(Remote(), "/other/ledger").put("ab/e/job.json", b"1")


def test_an_older_filesystem() -> None:
    """Ensure a filesystem whose writes know no exclusive mode is used by looking first."""

    class Older(MemoryFileSystem):  # type: ignore[misc]  # fsspec has no types
        cachable = False
        store: dict[str, Any] = {}  # noqa: RUF012 - as the class above
        pseudo_dirs = [""]  # noqa: RUF012 - as the class above

        def pipe_file(self, path: str, value: bytes) -> None:
            super().pipe_file(path, value)

    check_store(FsspecStore(Older(), "/ledger"))


@pytest.mark.parametrize("location", ["", "  ", "nothing://bucket/ledger"])
def test_no_such_location(location: str) -> None:
    """Ensure a location that cannot be one is refused with the option's name."""
    with pytest.raises(ConfigurationError) as caught:
        ledger_store(location)
    assert caught.value.option == "ledger"


@pytest.mark.parametrize("use", [lambda s: s.put("a/b", b"1"), lambda s: s.create("a/b", b"1")], ids=["put", "create"])
def test_failures_name_the_ledger(use: Callable[[LedgerStore], Any], tmp_path: Path) -> None:
    """Ensure what goes wrong at a ledger's place is an error of this package that names the place."""
    (tmp_path / "ledger").write_text("a file where a folder should be")
    with pytest.raises(LedgerError) as caught:
        use(ledger_store(tmp_path / "ledger"))
    assert caught.value.location == str(tmp_path / "ledger")
    assert str(tmp_path / "ledger") in str(caught.value)
