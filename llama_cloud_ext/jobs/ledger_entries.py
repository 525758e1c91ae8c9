"""What is in a ledger: its entries one by one, whether all of them can be read, and what is old enough to go.

Everything here is blocking and asks no service.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

from llama_cloud_ext.errors import ConfigurationError
from llama_cloud_ext.jobs.ledger_records import BATCHES, INTENT, JOB, RESULT, decoded
from llama_cloud_ext.jobs.ledger_store import LedgerStore, ledger_store

_PLACE = re.compile(rf"(?:[0-9a-f]{{2}}|{BATCHES})/[0-9a-f]{{64}}/[^/]+", re.ASCII)
_STATES = ((RESULT, "done", "finished"), (JOB, "running", "created"), (INTENT, "begun", "begun"))


@dataclass(frozen=True)
class LedgerEntry:
    """One content with one configuration.

    Attributes:
        key: Its name, a hash.
        state: "done": the result is kept; "running": there is a job, whose result is not here yet; "begun": a job was
            about to be created; "empty": nothing of it can be read.
        product: "parse", "extract", or "batch" for one that is under way; where it is known.
        file: The file that it was made of first, as it was called then; of a batch how many there are.
        host: The service.
        job_id: The job.
        time: When the last thing happened, seconds since 1970; 0 where nothing tells.
        size: Bytes of all records.
        broken: Records that cannot be read, with the reason.
    """

    key: str
    state: str
    product: str | None
    file: str | None
    host: str | None
    job_id: str | None
    time: float
    size: int
    broken: dict[str, str]

    def to_dict(self) -> dict[str, Any]:
        """The entry as JSON-able data."""
        return asdict(self)


class LedgerEntries:
    """The entries of a ledger, for looking at them and clearing them away.

    Args:
        location: A folder, or a URL of fsspec such as "s3://bucket/ledger".

    Raises:
        ConfigurationError: There is no such kind of location.

    Example:
        ```python
        from llama_cloud_ext import LedgerEntries

        entries = LedgerEntries("./.llama-ledger")
        print([entry.file for entry in entries if entry.state == "done"])
        entries.prune(older_than=30 * 24 * 3600)
        ```
    """

    def __init__(self, location: str | os.PathLike[str]) -> None:
        self._store: LedgerStore = ledger_store(location)

    def __iter__(self) -> Iterator[LedgerEntry]:
        """All entries, in the order of their keys; one at a time is in memory.

        Raises:
            LedgerError: The ledger cannot be read.
        """
        for _, entry in self._entries():
            yield entry

    def find(self, prefix: str) -> tuple[LedgerEntry, dict[str, dict[str, Any]]]:
        """One entry with what its records say.

        Args:
            prefix: How its key, or its job's id, begins.

        Returns:
            The entry, and its records by name.

        Raises:
            ConfigurationError: There is none, or more than one.
            LedgerError: The ledger cannot be read.
        """
        fits = [
            (place, entry)
            for place, entry in self._entries()
            if prefix and (entry.key.startswith(prefix) or entry.job_id == prefix)
        ]
        if len(fits) != 1:
            found = ", ".join(entry.key[:12] for _, entry in fits[:5])
            raise ConfigurationError(
                f"{len(fits)} entries begin with {prefix!r}: {found}" if fits else f"no entry begins with {prefix!r}",
                option="entry",
                hint="`ledger list` shows the entries.",
            )
        place = fits[0][0]
        return self._entry(place, [name.rpartition("/")[2] for name in self._store.names(place)])

    def prune(self, *, older_than: float, dry_run: bool = False) -> list[LedgerEntry]:
        """Remove entries in which nothing has happened for long.

        What is removed is parsed or extracted, and paid for, anew when it is asked for again; jobs on the service are
        left alone.

        Args:
            older_than: Seconds since the last thing happened.
            dry_run: Only say what would be removed.

        Returns:
            The entries that were removed, or would be.

        Raises:
            LedgerError: The ledger cannot be read or written.
        """
        latest = time.time() - older_than
        old = [(place, entry) for place, entry in self._entries() if entry.time < latest]
        for place, _ in [] if dry_run else old:
            names = sorted(self._store.names(place))
            # The job last: whoever comes upon half of it finds the job, and not that it has to create one.
            for name in sorted(names, key=lambda name: name.endswith(JOB)):
                self._store.delete(name)
        return [entry for _, entry in old]

    def _entries(self) -> Iterator[tuple[str, LedgerEntry]]:
        """Each entry with the folder of its records."""
        names = sorted(name for name in self._store.names() if _PLACE.fullmatch(name))
        for place, records in groupby(names, lambda name: name.rpartition("/")[0]):
            yield place, self._entry(place, [name.rpartition("/")[2] for name in records])[0]

    def _entry(self, place: str, names: list[str]) -> tuple[LedgerEntry, dict[str, dict[str, Any]]]:
        said: dict[str, dict[str, Any]] = {}
        broken: dict[str, str] = {}
        size = 0
        for name in names:
            data = self._store.read(f"{place}/{name}")
            size += len(data or b"")
            try:
                if data is not None:
                    said[name] = decoded(name, data)
            except ValueError as error:
                broken[name] = str(error)
        if RESULT in said and not isinstance(said[RESULT].get("response"), dict):
            broken[RESULT] = "it holds no response"
            del said[RESULT]
        states = [(state, _about(said[name]), moment) for name, state, moment in _STATES if name in said]
        state, about, _ = states[0] if states else ("begun" if said else "empty", {}, "")
        times = [facts.get(moment) for _, facts, moment in states]
        # Whoever holds the entry may not have written more than that.
        times += [record.get("ends") for name, record in said.items() if name.startswith("lease-")]
        entry = LedgerEntry(
            key=place.rpartition("/")[2],
            state=state,
            product=about.get("product"),
            file=about.get("file"),
            host=about.get("host"),
            job_id=about.get("job_id"),
            time=max((float(moment) for moment in times if isinstance(moment, (int, float))), default=0.0),
            size=size,
            broken=broken,
        )
        return entry, said


def _about(record: dict[str, Any]) -> dict[str, Any]:
    about = record.get("about", record)
    return about if isinstance(about, dict) else {}
