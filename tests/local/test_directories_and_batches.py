"""LlamaCloudDirectories and LlamaCloudBatches against local LlamaCloud."""

from __future__ import annotations

import pickle
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from llama_cloud_ext import (
    Batch,
    ConfigurationError,
    ConflictError,
    Directory,
    DirectoryFile,
    LlamaCloudBatches,
    LlamaCloudDirectories,
    LlamaExtract,
    LlamaParseReader,
    NotFoundError,
    SourceError,
)

URL = "local::memory:"
NOW = datetime.now(timezone.utc)


@pytest.fixture
def directories() -> LlamaCloudDirectories:
    """The directories of a service in memory, which other tests fill as well."""
    return LlamaCloudDirectories(base_url=URL)


async def test_the_guides_snippet(tmp_path: Path) -> None:
    """Ensure the guide of batches reads the same through this package, and runs to the jobs' ends.

    It differs from the guide in two places: there is one wait instead of a loop, and `configuration_id` is an argument
    of its own. Unlike in the official SDK, `expires_at` is an argument.
    """
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("Total: 1.50")
    directories, batches = LlamaCloudDirectories(base_url=URL), LlamaCloudBatches(base_url=URL)
    expires_at = (datetime.now(timezone.utc) + timedelta(days=2)).isoformat()
    directory = await directories.acreate("invoice-batch", type="ephemeral", expires_at=expires_at)
    for path in sorted(tmp_path.glob("*.txt")):  # noqa: ASYNC240 - as the guide has it
        await directories.aupload_file(directory, path, display_name=path.name)
    batch = await batches.acreate(directory, "cfg-PARSE_AGENTIC")
    assert batch.status in {"PENDING", "THROTTLED", "RUNNING", "COMPLETED"}
    batch = await batches.await_for_completion(batch)
    assert (batch.status, batch.is_finished, batch.product) == ("COMPLETED", True, "parse_v2")
    names = {file.id: file.name async for file in directories.alist_files(directory)}
    assert [names[result.source_directory_file_id] for result in batch.results or []] == ["a.txt", "b.txt"]
    for result in batch.results or []:
        assert (result.error_message, result.product) == (None, "parse_v2")
        parsed = await LlamaParseReader(base_url=URL).aget_result(str(result.job_id))
        assert parsed.job.status == "COMPLETED"
    listed = [item.id async for item in batches.alist_batches(source_directory=directory, status="COMPLETED")]
    assert listed == [batch.id]
    await directories.adelete(directory)


def test_directories_from_create_to_delete(directories: LlamaCloudDirectories) -> None:
    """Ensure a directory is created, listed by name and type, changed and deleted, and one that is gone is named."""
    until = NOW + timedelta(days=1)
    made = directories.create("d-life", type="ephemeral", description="once", expires_at=until)
    assert (made.name, made.type, made.description, made.expires_at) == ("d-life", "ephemeral", "once", until)
    other = directories.create("d-life")
    assert [one.id for one in directories.list_directories(name="d-life", types=["ephemeral"])] == [made.id]
    assert [one.id for one in directories.list_directories(name="d-life", page_size=1)] == [made.id, other.id]
    assert directories.update(made, name="d-new", description="twice").description == "twice"
    assert directories.get(made).name == directories.get(str(made.id)).name == "d-new"
    directories.delete(made)
    with pytest.raises(NotFoundError, match=str(made.id)):
        directories.get(made)
    deleted = directories.list_directories(name="d-new", include_deleted=True)
    assert [one.deleted_at is not None for one in deleted] == [True]
    assert repr(made) == f"Directory(name='d-life', id={made.id!r}, type='ephemeral')"
    with pytest.raises(ConfigurationError, match="nothing is to be changed"):
        directories.update(other)
    with pytest.raises(ConfigurationError, match="did you mean 'ephemeral'"):
        directories.create("x", type="ephemral")  # type: ignore[arg-type]  # what is not allowed


def test_files_from_upload_to_delete(directories: LlamaCloudDirectories, tmp_path: Path) -> None:
    """Ensure a file is uploaded from what the package takes, found by each filter, changed, fetched and taken out."""
    (tmp_path / "a.txt").write_bytes(b"from a path")
    directory = directories.create("d-files")
    file = directories.upload_file(
        directory, tmp_path / "a.txt", display_name="A report", unique_id="2024/a", metadata={"year": 2024}
    )
    assert (file.name, file.unique_id, file.metadata, file.directory_id) == (
        "A report",
        "2024/a",
        {"year": 2024},
        directory.id,
    )
    other = directories.upload_file(directory, b"bytes", display_name="b.txt", unique_id="b", external_file_id="mine")
    again = directories.add_file(directory, str(file.file_id), display_name="again", unique_id="again")
    filters = [
        ({"display_name": "A report"}, [file]),
        ({"display_name_contains": "EPO"}, [file]),
        ({"unique_id": "b"}, [other]),
        ({"file_id": file.file_id}, [file, again]),
        ({"updated_at_on_or_after": other.updated_at}, [other, again]),
        ({"updated_at_on_or_before": file.updated_at}, [file]),
        ({"page_size": 1}, [file, other, again]),
    ]
    for given, expected in filters:
        found = directories.list_files(directory, **given)  # type: ignore[arg-type]  # one filter at a time
        assert [one.id for one in found] == [one.id for one in expected], given
    assert directories.get_file(directory, file).download_url is None
    assert "://" in str(directories.get_file(directory, file, download_url=True).download_url)
    assert [one.download_url is not None for one in directories.list_files(directory, download_urls=True)] == [True] * 3
    assert directories.download_file(directory, file) == b"from a path"
    target = directories.create("d-target")
    moved = directories.update_file(directory, again, display_name="moved", metadata={}, target_directory=target)
    assert (moved.name, moved.directory_id) == ("moved", target.id)
    directories.delete_file(directory, str(file.id))
    assert [one.id for one in directories.list_files(directory)] == [other.id]
    assert len(list(directories.list_files(directory, include_deleted=True))) == 2


def test_what_fails_is_named(directories: LlamaCloudDirectories, tmp_path: Path) -> None:
    """Ensure errors name the file or the directory, and options that cannot work are refused at once."""
    directory = directories.create("d-errors")
    directories.upload_file(directory, b"one", unique_id="same", display_name="one.txt")
    with pytest.raises(ConflictError, match="same"):
        directories.upload_file(directory, b"two", unique_id="same")
    with pytest.raises(SourceError, match=r"missing\.pdf"):
        directories.upload_file(directory, tmp_path / "missing.pdf")
    (tmp_path / "c.txt").write_text("c")
    with pytest.raises(NotFoundError, match=r"c\.txt.*dir-none"):
        directories.upload_file("dir-none", tmp_path / "c.txt")
    with pytest.raises(NotFoundError, match="dfl-none"):
        directories.get_file(directory, "dfl-none")
    with pytest.raises(ConfigurationError, match="nested"):
        directories.upload_file(directory, b"x", metadata={"nested": {"no": 1}})
    with pytest.raises(ConfigurationError, match="nothing is to be changed"):
        directories.update_file(directory, "dfl-1")
    with pytest.raises(ConfigurationError, match="did you mean 'base_url'"):
        LlamaCloudDirectories(base_ur=URL)  # type: ignore[call-arg]  # what is not allowed


def test_batches_one_by_one(directories: LlamaCloudDirectories) -> None:
    """Ensure a batch is created, found by each filter and looked at, and one that has ended cannot be cancelled."""
    batches = LlamaCloudBatches(base_url=URL)
    directory = directories.create("d-batches")
    directories.upload_file(directory, b"Total: 1.50", display_name="a.txt", unique_id="a")
    extract = LlamaExtract(base_url=URL)
    agent = extract.create_agent("d-totals", {"type": "object", "properties": {"total": {"type": "number"}}})
    first = batches.wait_for_completion(batches.create(directory, "cfg-PARSE_FAST"))
    second = batches.create(str(directory.id), agent.id, product="extract_v2")
    assert (second.product, second.configuration_id) == ("extract_v2", agent.id)
    ended = batches.wait_for_completion(second)
    (result,) = ended.results or []
    assert extract.get_result(str(result.job_id)).data == {"total": 1.5}
    assert [one.id for one in batches.list_batches(source_directory=directory, page_size=1)] == [second.id, first.id]
    later = batches.list_batches(source_directory=directory, created_at_on_or_after=second.created_at)
    assert [one.id for one in later] == [second.id]
    assert batches.get(first, results=False).results is None
    assert batches.get(str(first.id)).results == first.results
    with pytest.raises(ConflictError, match="COMPLETED"):
        batches.cancel(first)
    with pytest.raises(NotFoundError, match="Batch not found"):
        batches.get("bat-none")
    assert repr(result) == f"BatchResult({result.source_directory_file_id!r}, job_id={result.job_id!r})"
    assert repr(ended) == f"Batch(id={second.id!r}, status='COMPLETED', product='extract_v2')"


def test_records_of_anything() -> None:
    """Ensure records read whatever a service says, and all of it survives pickling."""
    for model in (Batch, Directory, DirectoryFile):
        for raw in (None, [], {}, {"id": 7, "status": None, "results": "junk", "config": 3, "download_url": 4}):
            record = model(raw)
            assert repr(record)
            assert pickle.loads(pickle.dumps(record)) == record
    assert Batch({"results": [{"job_reference": None, "error_message": "no"}, 3]}).results[0].job_id is None  # type: ignore[index]  # it is a list
    directories = LlamaCloudDirectories(base_url="example.com", api_key="llx-secret")
    assert repr(pickle.loads(pickle.dumps(directories))) == "LlamaCloudDirectories('example.com')"
