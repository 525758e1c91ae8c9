"""Typed access to directories, their files, and batches, against local LlamaCloud."""

from __future__ import annotations

import pickle
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from llama_cloud_ext import (
    ConfigurationError,
    ConflictError,
    LlamaBatchReader,
    LlamaCloudBatches,
    LlamaCloudDirectories,
    LlamaParseReader,
    NotFoundError,
    ParseResult,
    PartialFailureError,
    Progress,
    ServerError,
    SourceError,
    WebhookConfiguration,
)


@pytest.fixture
def base_url(tmp_path: Path) -> str:
    """A service of its own."""
    return f"local:{tmp_path / 'cloud'}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of two files."""
    files = tmp_path / "files"
    (files / "deep").mkdir(parents=True)
    (files / "a.txt").write_text("Total: 1.50")
    (files / "deep" / "b.txt").write_text("Total: 2.50")
    return files


async def test_the_guides_snippet(base_url: str, folder: Path) -> None:
    """Ensure the guide of batches reads the same through this package, and runs to the jobs' ends.

    It differs in two places: one call waits instead of a loop, and `configuration_id` and the kind of job are arguments
    of their own. Unlike in the official SDK, `expires_at` is an argument.
    """
    directories, batches = LlamaCloudDirectories(base_url=base_url), LlamaCloudBatches(base_url=base_url)
    expires_at = datetime.now(timezone.utc) + timedelta(days=2)
    directory = await directories.acreate("invoice-batch", type="ephemeral", expires_at=expires_at)
    for path in sorted(folder.rglob("*.txt")):  # noqa: ASYNC240 - as the guide has it
        await directories.aupload_file(directory.id, path, display_name=path.name)
    batch = await batches.acreate(directory.id, "parse_v2", "cfg-PARSE_AGENTIC")
    assert batch.status in {"PENDING", "THROTTLED", "RUNNING", "COMPLETED"}
    batch = await batches.await_for_completion(batch.id)
    assert batch.status == "COMPLETED"
    for result in batch.results or []:
        assert (result.error_message, result.product) == (None, "parse_v2")
        parsed = await LlamaParseReader(base_url=base_url).aget_result(str(result.job_id))
        assert parsed.job.status == "COMPLETED"
    listed = await batches.alist_batches(source_directory_id=directory.id)
    assert [(item.id, item.status) for item in listed] == [(batch.id, "COMPLETED")]


def test_a_batch_over_a_directory_of_ones_own(base_url: str, folder: Path) -> None:
    """Ensure the steps of the guide work one by one: directory, uploads, batch, its jobs, their results."""
    directories, batches = LlamaCloudDirectories(base_url=base_url), LlamaCloudBatches(base_url=base_url)
    tomorrow = datetime.now(timezone.utc) + timedelta(days=1)
    directory = directories.create("reports", type="ephemeral", expires_at=tomorrow, description="once")
    assert (directory.name, directory.type, directory.description) == ("reports", "ephemeral", "once")
    seen: list[Progress] = []
    directories.show_progress = seen.append
    files = directories.upload_files(directory.id, folder, metadata={"year": 2024})
    assert [file.name for file in files] == ["a.txt", "b.txt"]
    assert [one.done for one in seen] == [1, 2]
    batch = batches.create(directory.id, "parse_v2", "cfg-PARSE_COST_EFFECTIVE")
    assert (batch.product, batch.configuration_id, batch.results) == ("parse_v2", "cfg-PARSE_COST_EFFECTIVE", None)
    done = batches.wait_for_completion(batch.id)
    assert done.results is not None
    assert {one.directory_file_id for one in done.results} == {file.id for file in files}
    assert all(one.job_id and one.product == "parse_v2" and one.error_message is None for one in done.results)
    results = LlamaBatchReader(base_url=base_url).resume(batch.id)
    assert sorted(result.text.strip()[-4:] for result in results if isinstance(result, ParseResult)) == ["1.50", "2.50"]
    assert [one.id for one in batches.list_batches(source_directory_id=directory.id, status="COMPLETED")] == [batch.id]
    with pytest.raises(ConflictError):
        batches.cancel(batch.id)
    assert batch.id in repr(batch)


async def test_everything_of_directories_asynchronously(base_url: str, folder: Path, tmp_path: Path) -> None:
    """Ensure directories and files are listed with filters, changed, moved, downloaded and deleted."""
    directories = LlamaCloudDirectories(base_url=base_url)
    one = await directories.acreate("one")
    other = await directories.acreate("other")
    assert [found.id for found in await directories.alist_directories(name="one")] == [one.id]
    assert (await directories.aupdate(one.id, name="first", description="d")).name == "first"
    assert (await directories.aget(one.id)).description == "d"
    given = {"display_name": "report.txt", "unique_id": "r-1", "metadata": {"year": 2024, "tags": ["a"]}}
    file = await directories.aupload_file(one.id, folder / "a.txt", **given)  # type: ignore[arg-type]  # of many types
    assert (file.name, file.unique_id, file.metadata) == ("report.txt", "r-1", {"year": 2024, "tags": ["a"]})
    await directories.aupload_files(one.id, [folder / "deep" / "b.txt"])
    found = await directories.alist_files(one.id, display_name_contains="report")
    assert [listed.id for listed in found] == [file.id]
    assert await directories.adownload_file(one.id, str(file.id), tmp_path / "copy.txt") == 11
    assert (tmp_path / "copy.txt").read_text() == "Total: 1.50"
    await directories.aadd_file(other.id, str(file.file_id), unique_id="again")
    assert [listed.unique_id for listed in await directories.alist_files(other.id)] == ["again"]
    since = await directories.alist_files(one.id, updated_at_on_or_after=file.updated_at, download_urls=True)
    assert [(listed.name, "://" in str(listed.download_url)) for listed in since] == [
        ("report.txt", True),
        ("b.txt", True),
    ]
    until = await directories.alist_files(one.id, updated_at_on_or_before=file.updated_at, file_id=file.file_id)
    assert [listed.id for listed in until] == [file.id]
    changed = await directories.aupdate_file(one.id, str(file.id), metadata={"year": 2025})
    assert changed.metadata == {"year": 2025}
    assert (await directories.aget_file(one.id, str(file.id))).metadata == {"year": 2025}
    await directories.adelete_file(one.id, str(file.id))
    assert [listed.name for listed in await directories.alist_files(one.id)] == ["b.txt"]
    await directories.adelete(other.id)
    with pytest.raises(NotFoundError):
        await directories.aget(other.id)


async def test_everything_of_batches_asynchronously(base_url: str, folder: Path) -> None:
    """Ensure each twin does what its other half does, and webhooks are sent, which local LlamaCloud refuses."""
    directories, batches = LlamaCloudDirectories(base_url=base_url), LlamaCloudBatches(base_url=base_url)
    directory = await directories.acreate("reports")
    await directories.aupload_file(directory.id, b"Total: 3.50", display_name="c.txt")
    hook = WebhookConfiguration(webhook_url="https://hook.example/", webhook_events=["batch.success"])
    with pytest.raises(ServerError, match="delivers no webhooks"):
        await batches.acreate(directory.id, "parse_v2", "cfg-PARSE_FAST", webhook_configurations=[hook])
    batch = await batches.acreate(directory.id, "parse_v2", "cfg-PARSE_FAST")
    done = await batches.await_for_completion(batch.id)
    assert len(done.results or []) == 1
    assert (await batches.aget(batch.id)).results is None
    assert [one.id for one in await batches.alist_batches(limit=1)] == [batch.id]
    with pytest.raises(ConflictError):
        await batches.acancel(batch.id)


def test_what_cannot_be(base_url: str, folder: Path, tmp_path: Path) -> None:
    """Ensure wrong values are refused before anything is sent, and failures name file and directory."""
    directories, batches = LlamaCloudDirectories(base_url=base_url), LlamaCloudBatches(base_url=base_url)
    for call in (directories.get, directories.delete, directories.list_files, batches.get, batches.cancel):
        with pytest.raises(NotFoundError):
            call("dir-none")  # type: ignore[operator]  # methods of one argument each
    with pytest.raises(ConfigurationError, match="type"):
        directories.create("a", type="for ever")  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(ConfigurationError, match="product"):
        batches.create("dir-1", "classify", "cfg-1")  # type: ignore[arg-type]  # wrong on purpose
    directory = directories.create("a")
    with pytest.raises(ConfigurationError, match="metadata"):
        directories.upload_file(directory.id, folder / "a.txt", metadata={"nested": {"a": 1}})
    with pytest.raises(SourceError, match=r"none\.txt"):
        directories.upload_file(directory.id, tmp_path / "none.txt")
    with pytest.raises(PartialFailureError, match=r"none\.txt") as failed:
        directories.upload_files(directory.id, [folder / "a.txt", tmp_path / "none.txt"])
    assert [file.name for file in failed.value.results] == ["a.txt"]
    with pytest.raises(ConflictError, match=r"a\.txt"):
        directories.upload_file(directory.id, folder / "a.txt")
    with pytest.raises(NotFoundError):
        batches.create(directory.id, "parse_v2", "cfg-none")


def test_they_travel_and_keep_their_key(base_url: str) -> None:
    """Ensure both pickle without their connection, and show no key."""
    for kind in (LlamaCloudDirectories, LlamaCloudBatches):
        assert pickle.loads(pickle.dumps(kind(base_url=base_url))).base_url == base_url
        assert "llx-secret" not in repr(kind(api_key="llx-secret", base_url="https://cloud.example"))
