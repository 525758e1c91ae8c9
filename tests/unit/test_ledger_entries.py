"""What is in a ledger: listed, checked, and cleared away by age."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from llama_cloud_ext.cli.app import app
from llama_cloud_ext.errors import ConfigurationError
from llama_cloud_ext.jobs.ledger_entries import LedgerEntries
from llama_cloud_ext.jobs.ledger_leases import Leases
from llama_cloud_ext.jobs.ledger_records import EntryRecords, Intent
from llama_cloud_ext.jobs.ledger_store import ledger_store
from llama_cloud_ext.jobs.pipeline import CreatedJob

DONE, RUNNING, BEGUN = "a" * 64, "ab" + "c" * 62, "d" * 64


@pytest.fixture
async def ledger(tmp_path: Path) -> Path:
    """A ledger with an entry in each state."""
    store = ledger_store(tmp_path / "ledger")
    store.put("answers/latest-x.json", b"{}")
    entries = {
        key: EntryRecords(store, key, {"product": "parse", "file": f"{key[0]}.pdf", "host": "example.com"})
        for key in (DONE, RUNNING, BEGUN)
    }
    await entries[DONE].note_job(CreatedJob("pjb-1"))
    await entries[DONE].keep("pjb-1", {"text": "words"})
    await entries[RUNNING].note_job(CreatedJob("pjb-2"))
    await entries[BEGUN].note_intent(Intent("tag", time.time()))
    return tmp_path / "ledger"


def run(*words: object, exit_code: int = 0) -> tuple[list[str], str]:
    """The lines that a command prints, and what it says on standard error."""
    outcome = CliRunner().invoke(app, ["ledger", *map(str, words)])
    assert outcome.exit_code == exit_code, outcome.output
    return outcome.stdout.splitlines(), outcome.stderr


def test_list(ledger: Path) -> None:
    """Ensure each entry has a line with its state, job and file, and as JSON a record with everything."""
    lines, _ = run("list", ledger)
    assert [line.split()[1] for line in lines] == ["done", "running", "begun"]
    assert [line.split()[-2:] for line in lines] == [["pjb-1", "a.pdf"], ["pjb-2", "a.pdf"], ["-", "d.pdf"]]
    records = [json.loads(line) for line in run("list", ledger, "--json")[0]]
    assert records == [entry.to_dict() for entry in LedgerEntries(ledger)]
    assert {record["product"] for record in records} == {"parse"}
    assert run("list", ledger / "nothing")[0] == []


def test_show(ledger: Path) -> None:
    """Ensure an entry is found by the start of its key or by its job, and one that is not alone is not guessed."""
    for prefix in ("aa", "pjb-1"):
        said = json.loads("\n".join(run("show", ledger, prefix)[0]))
        assert said["key"] == DONE
        assert said["records"]["result.json.gz"]["response"] == {"text": "words"}
    assert "2 entries begin with 'a'" in run("show", ledger, "a", exit_code=2)[1]
    with pytest.raises(ConfigurationError, match="no entry begins"):
        LedgerEntries(ledger).find("f")


def test_verify(ledger: Path) -> None:
    """Ensure broken records are named, with exit code 1, and count as none."""
    assert "3 entries, 0 broken records" in run("verify", ledger)[1]
    (result,) = ledger.rglob("result.json.gz")
    for damaged in (result.read_bytes()[:-9], b"", b"\x1f\x8b", b"[]"):
        result.write_bytes(damaged)
        lines, said = run("verify", ledger, exit_code=1)
        assert lines[0].startswith(f"aa/{DONE}/result.json.gz: ")
        assert "1 broken records" in said
        assert [entry.state for entry in LedgerEntries(ledger)] == ["running", "running", "begun"]


async def test_an_entry_that_is_held(tmp_path: Path) -> None:
    """Ensure an entry that a process has only just taken is not pruned from under it."""
    store = ledger_store(tmp_path)
    async with Leases(store).held(f"{BEGUN[:2]}/{BEGUN}") as lease:
        assert lease is not None
        entries = LedgerEntries(tmp_path)
        assert [entry.state for entry in entries] == ["begun"]
        assert entries.prune(older_than=0) == []
        assert await lease.is_held()


def test_prune(ledger: Path) -> None:
    """Ensure entries go by the age of what happened last, none of them with --dry-run."""
    assert run("prune", ledger, "--older-than", "1h")[0] == []
    old = ledger_store(ledger)
    record = json.loads(old.read(f"ab/{RUNNING}/job.json") or b"")
    old.put(f"ab/{RUNNING}/job.json", json.dumps({**record, "created": time.time() - 7200}).encode())
    old.put(f"ee/{'e' * 64}/result.json.gz", b"half")
    assert len(run("prune", ledger, "--older-than", "1h", "--dry-run")[0]) == 2
    assert len(list(LedgerEntries(ledger))) == 4
    lines, said = run("prune", ledger, "--older-than", "1.5h")
    assert [line.split()[:2] for line in lines] == [[RUNNING[:12], "running"], ["e" * 12, "empty"]]
    assert "2 entries removed" in said
    assert [entry.state for entry in LedgerEntries(ledger)] == ["done", "begun"]
    assert len(run("prune", ledger, "--older-than", "0s")[0]) == 2
    assert sorted(path.name for path in ledger.iterdir() if list(path.iterdir())) == ["answers"]


@pytest.mark.parametrize("age", ["30", "d", "-1d", "30 days"])
def test_no_such_age(ledger: Path, age: str) -> None:
    """Ensure an age that cannot be read is refused with the ways to write one."""
    assert "30d, 12h" in run("prune", ledger, "--older-than", age, exit_code=2)[1]
