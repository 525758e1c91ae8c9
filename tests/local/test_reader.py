"""LlamaParseReader on real files and local LlamaCloud: the journeys that users make, and what may go wrong on them."""

from __future__ import annotations

import asyncio
import copy
import io
import json
import logging
import os
import pickle
import subprocess
import sys
import textwrap
import threading
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from fsspec.implementations.memory import MemoryFileSystem
from llama_index.core import SimpleDirectoryReader
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.schema import Document, MetadataMode

from llama_cloud_ext import (
    ConfigurationError,
    EmptyResultError,
    FailedItem,
    JobCancelledError,
    JobFailedError,
    LlamaParseReader,
    NotFoundError,
    ParseJob,
    ParseResult,
    PartialFailureError,
    Progress,
    SourceError,
)

TABLES = "r-datasets-tables.pdf"
PICTURES = "table-and-pictures.pdf"
LATEX = "latex-lorem.pdf"


@pytest.fixture
def address(tmp_path: Path) -> str:
    """A local LlamaCloud of the test's own."""
    return f"local:{tmp_path / 'cloud'}"


@pytest.fixture
def reader(address: str) -> LlamaParseReader:
    """A reader with its defaults."""
    return LlamaParseReader(base_url=address)


def page_keys(documents: list[Document]) -> list[tuple[str, Any]]:
    """What tells pages apart, for comparisons."""
    return [(document.id_, document.metadata["page_number"]) for document in documents]


# SimpleDirectoryReader


def test_a_folder_of_pdfs_becomes_documents(reader: LlamaParseReader, data_dir: Path) -> None:
    """Ensure the first line of the README: one Document a page, with file, page number and page count."""
    files = [data_dir / TABLES, data_dir / PICTURES]
    folder = SimpleDirectoryReader(input_files=files, file_extractor={".pdf": reader})
    documents = folder.load_data()
    metadata = [document.metadata for document in documents]
    assert {entry["file_name"] for entry in metadata} == {TABLES, PICTURES}
    assert all(entry["page_number"] >= 1 and entry["page_count"] >= 1 for entry in metadata)
    assert "file_size" in metadata[0], "what SimpleDirectoryReader knows of the file is merged in"
    assert len({document.id_ for document in documents}) == len(documents)


async def test_a_folder_loads_asynchronously(reader: LlamaParseReader, data_dir: Path) -> None:
    """Ensure aload_data and load_data of SimpleDirectoryReader give the same Documents."""
    files = [data_dir / TABLES, data_dir / PICTURES]
    folder = SimpleDirectoryReader(input_files=files, file_extractor={".pdf": reader})
    assert page_keys(await folder.aload_data()) == page_keys(folder.load_data())


@pytest.mark.parametrize("raise_on_error", [False, True])
def test_a_broken_file_in_a_folder(
    reader: LlamaParseReader, data_dir: Path, raise_on_error: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ensure a broken file raises with its reason under raise_on_error, and leaves the others alone without it."""
    folder = SimpleDirectoryReader(
        input_files=[data_dir / "truncated.pdf", data_dir / PICTURES],
        file_extractor={".pdf": reader},
        raise_on_error=raise_on_error,
    )
    if raise_on_error:
        with pytest.raises(Exception, match="Error loading file") as caught:
            folder.load_data()
        assert isinstance(caught.value.__cause__, JobFailedError)
        assert caught.value.__cause__.code == "PDF_IS_BROKEN"
    else:
        assert {document.metadata["file_name"] for document in folder.load_data()} == {PICTURES}
        assert "PDF_IS_BROKEN" in capsys.readouterr().out


def test_a_folder_in_a_remote_filesystem(reader: LlamaParseReader, data_dir: Path) -> None:
    """Ensure fsspec filesystems work through SimpleDirectoryReader and directly, sync and async."""
    memory = MemoryFileSystem()
    memory.pipe("/reader-test/tables.pdf", (data_dir / TABLES).read_bytes())
    folder = SimpleDirectoryReader("/reader-test", fs=memory, file_extractor={".pdf": reader})
    documents = folder.load_data()
    path = PurePosixPath("/reader-test/tables.pdf")
    assert [document.text for document in documents] == [
        document.text for document in reader.load_data(path, extra_info={"a": 1}, fs=memory)
    ]
    direct = asyncio.run(reader.aload_data(path, extra_info={"a": 1}, fs=memory))
    assert page_keys(direct) == page_keys(documents)
    assert direct[0].metadata["a"] == 1


def test_worker_processes_of_simple_directory_reader(reader: LlamaParseReader, data_dir: Path, tmp_path: Path) -> None:
    """Ensure num_workers=2 gives the same Documents, with the reader pickled to spawned processes."""
    program = textwrap.dedent(
        f"""
        from llama_index.core import SimpleDirectoryReader
        from llama_cloud_ext import LlamaParseReader

        if __name__ == "__main__":
            reader = LlamaParseReader(base_url={reader.base_url!r})
            files = [{str(data_dir / TABLES)!r}, {str(data_dir / PICTURES)!r}]
            folder = SimpleDirectoryReader(input_files=files, file_extractor={{".pdf": reader}})
            print(sorted(document.id_ for document in folder.load_data(num_workers=2)))
        """
    )
    script = tmp_path / "load.py"
    script.write_text(program)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=110, check=True)
    expected = sorted(document.id_ for name in (TABLES, PICTURES) for document in reader.load_data(data_dir / name))
    assert done.stdout.strip() == str(expected)


def test_prefetch_runs_the_jobs_of_a_folder_at_once(address: str, data_dir: Path, tmp_path: Path) -> None:
    """Ensure a prefetched folder loads in about the time of one file, and every file is parsed once."""
    paths = []
    for index in range(6):
        paths.append(tmp_path / f"copy-{index}.pdf")
        paths[-1].write_bytes((data_dir / LATEX).read_bytes())
    reader = LlamaParseReader(base_url=f"{address}?latency=1.5")
    folder = SimpleDirectoryReader(input_files=paths, file_extractor={".pdf": reader})
    reader.prefetch(folder.input_files)
    started = asyncio.new_event_loop().time()
    documents = folder.load_data()
    assert asyncio.new_event_loop().time() - started < 5, "one after the other would take 9 s"
    assert len({document.metadata["file_name"] for document in documents}) == 6
    assert len(reader.list_jobs()) == 6


def test_a_file_written_anew_after_its_prefetch_is_parsed_anew(reader: LlamaParseReader, tmp_path: Path) -> None:
    """Ensure the result of a prefetch is used only for the file as it was then."""
    path = tmp_path / "note.txt"
    path.write_text("one thing")
    reader.prefetch(path)
    path.write_text("two thing")
    os.utime(path, ns=(1, 1))
    assert "two" in reader.load_data(path)[0].text


# Documents


def test_documents_survive_a_splitter_with_their_metadata(reader: LlamaParseReader, data_dir: Path) -> None:
    """Ensure page metadata reaches every chunk of 256 tokens."""
    nodes = SentenceSplitter(chunk_size=256).get_nodes_from_documents(reader.load_data(data_dir / TABLES))
    assert all({"file_name", "page_number", "page_count"} <= set(node.metadata) for node in nodes)


def test_the_same_file_again_gives_the_same_documents(reader: LlamaParseReader, data_dir: Path, tmp_path: Path) -> None:
    """Ensure ids and hashes repeat from run to run, and equal names in two folders differ."""
    once, again = reader.load_data(data_dir / TABLES), reader.load_data(data_dir / TABLES)
    assert [(document.id_, document.hash) for document in once] == [(document.id_, document.hash) for document in again]
    (tmp_path / TABLES).write_bytes((data_dir / TABLES).read_bytes())
    elsewhere = reader.load_data(tmp_path / TABLES)
    assert {document.id_ for document in elsewhere}.isdisjoint(document.id_ for document in once)


def test_bytes_streams_and_open_files(reader: LlamaParseReader, data_dir: Path) -> None:
    """Ensure every way of handing over a file gives the same text, the name being sniffed where nothing tells it."""
    content = (data_dir / PICTURES).read_bytes()
    expected = [document.text for document in reader.load_data(data_dir / PICTURES)]
    named = io.BytesIO(content)
    named.name = "in-memory.pdf"
    with (data_dir / PICTURES).open("rb") as opened:
        inputs: list[Any] = [content, io.BytesIO(content), named, opened, str(data_dir / PICTURES)]
        results = [reader.load_data(file) for file in inputs]
    assert all([document.text for document in documents] == expected for documents in results)
    assert results[2][0].metadata["file_name"] == "in-memory.pdf"
    assert results[0][0].metadata["file_name"].endswith(".pdf")
    with_info = reader.load_data(content, extra_info={"file_name": "given.pdf", "department": "x"})
    assert (with_info[0].metadata["file_name"], with_info[0].metadata["department"]) == ("given.pdf", "x")


def test_suffixes_are_for_the_service_to_judge(reader: LlamaParseReader, data_dir: Path, tmp_path: Path) -> None:
    """Ensure upper-case, missing and unknown suffixes reach the service."""
    for name in ("LOUD.PDF", "file.unheard-of", "bare"):
        path = tmp_path / name
        path.write_bytes((data_dir / PICTURES).read_bytes())
        assert reader.load_data(path)[0].metadata["file_name"].startswith(path.stem)


def test_whole_documents_and_text(address: str, data_dir: Path) -> None:
    """Ensure split_by_page=False gives one Document, and result_type and the fast tier decide what it holds."""
    whole = LlamaParseReader(base_url=address, split_by_page=False).load_data(data_dir / TABLES)
    assert len(whole) == 1
    assert "|" in whole[0].text or "<table" in whole[0].text
    for options in ({"result_type": "text"}, {"tier": "fast"}):
        text = LlamaParseReader(base_url=address, **options).load_data(data_dir / TABLES)
        assert "<table" not in text[0].text
    with pytest.raises(ConfigurationError, match="fast"):
        LlamaParseReader(base_url=address, tier="fast", result_type="markdown")


def test_page_separators_in_the_text_split_nothing(reader: LlamaParseReader) -> None:
    """Ensure a page that contains the separator of older clients stays one Document."""
    documents = reader.load_data(b"before\n---\nafter\n", extra_info={"file_name": "separator.txt"})
    assert len(documents) == 1
    assert "before" in documents[0].text
    assert "after" in documents[0].text


def test_lazy_loading_keeps_the_order(reader: LlamaParseReader, data_dir: Path) -> None:
    """Ensure lazy_load_data yields file by file in the order given, and alazy_load_data is awaited."""
    files = [data_dir / TABLES, data_dir / PICTURES]
    lazy = reader.lazy_load_data(files)
    assert next(lazy).metadata["file_name"] == TABLES
    assert [document.metadata["file_name"] for document in lazy][-1] == PICTURES
    awaited = asyncio.run(reader.alazy_load_data(files))
    assert page_keys(list(awaited)) == page_keys(reader.load_data(files))


# Loops, threads and processes


def test_one_reader_in_every_kind_of_caller(reader: LlamaParseReader, data_dir: Path) -> None:
    """Ensure one instance works twice in plain Python, over several event loops, under uvloop and in threads."""
    path = data_dir / PICTURES
    expected = page_keys(reader.load_data(path))
    assert page_keys(reader.load_data(path)) == expected
    for _ in range(2):
        assert page_keys(asyncio.run(reader.aload_data(path))) == expected

    async def sync_inside_async() -> list[Document]:
        return reader.load_data(path)

    assert page_keys(asyncio.run(sync_inside_async())) == expected
    if sys.platform != "win32":
        import uvloop

        loop = uvloop.new_event_loop()
        try:
            assert page_keys(loop.run_until_complete(reader.aload_data(path))) == expected
            assert page_keys(loop.run_until_complete(sync_inside_async())) == expected
        finally:
            loop.close()
    seen: list[Any] = []
    threads = [threading.Thread(target=lambda: seen.append(page_keys(reader.load_data(path)))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [expected] * 4


def test_readers_copy_and_pickle_before_and_after_use(reader: LlamaParseReader, data_dir: Path) -> None:
    """Ensure copies work, and are equal; no secret stands in a repr or in what LlamaIndex serialises."""
    secret = LlamaParseReader(api_key="llx-very-secret", base_url=reader.base_url, tier="cost_effective")
    for candidate in (secret, reader):
        for again in (pickle.loads(pickle.dumps(candidate)), copy.deepcopy(candidate), copy.copy(candidate)):
            assert again == candidate
            assert page_keys(again.load_data(data_dir / PICTURES)) == page_keys(reader.load_data(data_dir / PICTURES))
    assert pickle.loads(pickle.dumps(secret)).api_key.get_secret_value() == "llx-very-secret"
    restored = LlamaParseReader.from_dict(secret.to_dict())
    assert (restored.tier, restored.base_url, restored.api_key) == ("cost_effective", secret.base_url, None)
    assert "very-secret" not in repr(secret) + str(secret) + json.dumps(secret.to_dict()) + secret.to_json()


def test_what_cannot_be_pickled_is_named(address: str) -> None:
    """Ensure a field that cannot travel raises by its name instead of being dropped."""
    reader = LlamaParseReader(base_url=address, show_progress=lambda progress: None)
    with pytest.raises(ConfigurationError, match="show_progress"):
        pickle.dumps(reader)
    with pytest.raises(ConfigurationError, match="memory"):
        pickle.dumps(LlamaParseReader(base_url="local::memory:"))


# Failures


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("truncated.pdf", "PDF_IS_BROKEN"),
        ("password-protected.pdf", "PDF_IS_PROTECTED"),
        ("scanned-page.pdf", "NO_DATA_FOUND_IN_FILE"),
    ],
)
def test_failures_say_what_is_wrong_and_what_to_do(
    reader: LlamaParseReader, data_dir: Path, name: str, code: str
) -> None:
    """Ensure a failed job raises with file, job id, status, code, reason and next step."""
    with pytest.raises(JobFailedError) as caught:
        reader.load_data(data_dir / name)
    error = caught.value
    assert (error.code, error.status, error.product) == (code, "FAILED", "parse")
    assert error.job_id is not None
    assert error.job_id.startswith("pjb-")
    assert error.job is not None
    assert name in str(error.file)
    for part in (name, error.job_id, code, "→"):
        assert part in str(error)


def test_one_bad_file_never_takes_the_others_along(reader: LlamaParseReader, data_dir: Path) -> None:
    """Ensure a list with failures raises with all results in their places, failures as records."""
    files = [data_dir / "truncated.pdf", data_dir / PICTURES, data_dir / "missing.pdf", data_dir / TABLES]
    for call in (reader.parse, reader.load_data, lambda given: list(reader.lazy_load_data(given))):
        with pytest.raises(PartialFailureError) as caught:
            call(files)
        assert [item.index for item in caught.value.failures] == [0, 2]
    with pytest.raises(PartialFailureError) as caught:
        reader.parse(files)
    results = caught.value.results
    assert [type(result) for result in results] == [FailedItem, ParseResult, FailedItem, ParseResult]
    assert isinstance(results[0].error, JobFailedError)
    assert results[0].job_id
    assert isinstance(results[2].error, SourceError)


def test_lenient_mode_keeps_records(address: str, data_dir: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Ensure on_error="skip" hands back records in place, logs what load_data skips, and raises when all failed."""
    reader = LlamaParseReader(base_url=address, on_error="skip")
    good, bad = data_dir / PICTURES, data_dir / "truncated.pdf"
    parsed = reader.parse([bad, good])
    assert isinstance(parsed[0], FailedItem)
    assert parsed[0].source == str(bad)
    assert isinstance(parsed[1], ParseResult)
    assert isinstance(reader.parse(bad), FailedItem)
    reader.failures.clear()
    with caplog.at_level(logging.WARNING):
        assert {document.metadata["file_name"] for document in reader.load_data([bad, good])} == {PICTURES}
    assert "PDF_IS_BROKEN" in caplog.text
    assert [failure.source for failure in reader.failures] == [str(bad)]
    assert reader.load_data(bad) == []
    with pytest.raises(PartialFailureError, match="2 of 2"):
        reader.load_data([bad, data_dir / "missing.pdf"])


def test_unsendable_input_raises_before_any_job(reader: LlamaParseReader, tmp_path: Path) -> None:
    """Ensure missing, empty, nameless and non-file inputs raise, naming the input, with no job created."""
    (tmp_path / "empty.pdf").touch()
    for wrong in (tmp_path / "missing.pdf", tmp_path / "empty.pdf", tmp_path, b"", b"\x00\x01\x02\x03", 42, None):
        with pytest.raises(SourceError) as caught:
            reader.load_data(wrong)  # type: ignore[arg-type]
        assert caught.value.hint
    assert reader.list_jobs() == []


def test_a_success_without_content_raises(reader: LlamaParseReader) -> None:
    """Ensure a result without one non-blank page is an error with its job id, and not a list of blank Documents."""
    with pytest.raises((EmptyResultError, JobFailedError)) as caught:
        reader.load_data(b" \n \n", extra_info={"file_name": "blank.txt"})
    assert caught.value.job_id


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"tiers": "fast"}, "tier"),
        ({"output_options": {"markdown": {"table": {}}}}, "tables"),
        ({"target_pages": "0,1"}, "1"),
        ({"high_res_ocr": True}, "always on"),
        ({"num_workers": 0}, "num_workers"),
        ({"httpx_client": object()}, "transport"),
        ({"max_pages": 2, "page_ranges": {"max_pages": 3}}, "max_pages"),
    ],
)
def test_wrong_options_raise_at_once_with_a_way_out(address: str, options: dict[str, Any], expected: str) -> None:
    """Ensure no option is ignored silently."""
    with pytest.raises(ConfigurationError, match=expected):
        LlamaParseReader(base_url=address, **options)


def test_options_assigned_later_are_checked_too(reader: LlamaParseReader) -> None:
    """Ensure assignment validates, and an unknown name is no field."""
    with pytest.raises(ConfigurationError, match="tier"):
        reader.tier = "fastest"  # type: ignore[assignment]
    with pytest.raises(ConfigurationError, match="did you mean"):
        reader.target_page = "1"  # type: ignore[attr-defined]


# Jobs


def test_submit_now_collect_later(reader: LlamaParseReader, data_dir: Path) -> None:
    """Ensure handles give status and result, equal to a parse, and twice."""
    job = reader.submit(data_dir / TABLES)
    assert isinstance(job, ParseJob)
    assert job.status() in {"PENDING", "RUNNING", "COMPLETED"}
    result = job.result()
    assert job.status() == "COMPLETED"
    assert page_keys(result.documents()) == page_keys(reader.load_data(data_dir / TABLES))
    assert job.result().raw["markdown"] == result.raw["markdown"]
    jobs = reader.submit([data_dir / TABLES, data_dir / PICTURES])
    assert [job.source.name for job in jobs] == [TABLES, PICTURES]


def test_a_handle_works_in_another_process(reader: LlamaParseReader, data_dir: Path, tmp_path: Path) -> None:
    """Ensure a pickled handle, and one from JSON, are collected elsewhere with the same Documents and no new job."""
    job = reader.submit(data_dir / TABLES)
    (tmp_path / "job.pickle").write_bytes(pickle.dumps(job))
    (tmp_path / "job.json").write_text(job.to_json())
    program = textwrap.dedent(
        """
        import pathlib, pickle, sys
        from llama_cloud_ext import ParseJob

        if __name__ == "__main__":
            folder = pathlib.Path(sys.argv[1])
            for job in (pickle.loads((folder / "job.pickle").read_bytes()),
                        ParseJob.from_json((folder / "job.json").read_text())):
                print([document.id_ for document in job.result().documents()])
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path], capture_output=True, text=True, timeout=60, check=True
    )
    expected = str([document.id_ for document in job.result().documents()])
    assert done.stdout.splitlines() == [expected, expected]
    assert len(reader.list_jobs()) == 1


def test_get_result_by_job_id(reader: LlamaParseReader, data_dir: Path) -> None:
    """Ensure a job id and the same source give identical Documents, with nothing uploaded or parsed again."""
    first = reader.parse(data_dir / TABLES, extra_info={"x": 1})
    again = reader.get_result(first.job_id, source=data_dir / TABLES, extra_info={"x": 1})
    assert [(d.id_, d.hash) for d in again.documents()] == [(d.id_, d.hash) for d in first.documents()]
    without_source = asyncio.run(reader.aget_result(first.job_id))
    assert [document.text for document in without_source.documents()] == [d.text for d in first.documents()]
    assert len(reader.list_jobs()) == 1
    with pytest.raises(NotFoundError, match="pjb-missing"):
        reader.get_result("pjb-missing")


def test_cancel(address: str, data_dir: Path) -> None:
    """Ensure a cancelled job says so when collected, and cancelling a finished one is harmless."""
    slow = LlamaParseReader(base_url=f"{address}?latency=30")
    job = slow.submit(data_dir / TABLES)
    job.cancel()
    with pytest.raises(JobCancelledError) as caught:
        job.result()
    assert caught.value.job_id == job.job_id
    quick = LlamaParseReader(base_url=address).submit(data_dir / TABLES)
    quick.result()
    quick.cancel()
    assert quick.status() == "COMPLETED"


def test_delete(address: str, data_dir: Path) -> None:
    """Ensure a handle deletes its job, a running one too, and a second time says that it is gone."""
    for options in ({}, {"base_url": f"{address}?latency=30"}):
        reader = LlamaParseReader(**{"base_url": address, **options})
        job = reader.submit(data_dir / TABLES)
        job.delete()
        assert job.job_id not in {record["id"] for record in reader.list_jobs()}
        with pytest.raises(NotFoundError, match=job.job_id):
            job.delete()


def test_versions(reader: LlamaParseReader) -> None:
    """Ensure the versions of every tier are told, and the latest of each is among them."""
    versions = reader.versions()
    assert all(versions["latest"][tier] in versions[tier] for tier in ("fast", "cost_effective", "agentic"))


def test_the_service_never_sees_more_unfinished_jobs_than_asked_for(address: str, data_dir: Path) -> None:
    """Ensure num_workers bounds parse and submit alike."""
    reader = LlamaParseReader(base_url=f"{address}?latency=0.4", num_workers=2)
    peak = 0
    stop = threading.Event()

    def watch() -> None:
        nonlocal peak
        observer = LlamaParseReader(base_url=f"{address}?latency=0.4")
        while not stop.wait(0.05):
            unfinished = [job for job in observer.list_jobs() if job["status"] in {"PENDING", "RUNNING"}]
            peak = max(peak, len(unfinished))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        content = (data_dir / LATEX).read_bytes()
        names = [{"file_name": f"{index}.pdf"} for index in range(6)]
        assert len(reader.parse([content] * 6, extra_info=names)) == 6
        assert len(reader.submit([content] * 6, extra_info=names)) == 6
    finally:
        stop.set()
        thread.join()
    assert 1 <= peak <= 2


def test_progress_by_callback_and_bar(address: str, data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Ensure progress reaches a callback after every file, and the bar goes to stderr."""
    seen: list[Progress] = []
    reader = LlamaParseReader(base_url=address, show_progress=seen.append, on_error="skip")
    reader.parse([data_dir / TABLES, data_dir / "truncated.pdf"])
    assert [progress.done for progress in seen] == [1, 2]
    assert (seen[-1].total, seen[-1].failed) == (2, 1)
    LlamaParseReader(base_url=address, show_progress=True).parse([data_dir / TABLES])
    captured = capsys.readouterr()
    assert "Parsing" in captured.err
    assert captured.out == ""


async def test_streaming_hands_over_each_file_as_soon_as_it_is_done(address: str, data_dir: Path) -> None:
    """Ensure astream yields a quick file before a slow one that was given first, and failures in lenient mode."""
    reader = LlamaParseReader(base_url=address, on_error="skip")
    files = [data_dir / "reportlab-userguide.pdf", data_dir / LATEX, data_dir / "truncated.pdf"]
    order = [outcome async for outcome in reader.astream(files)]
    assert isinstance(order[-1], ParseResult)
    assert order[-1].source.name == "reportlab-userguide.pdf"
    assert sum(isinstance(outcome, FailedItem) for outcome in order) == 1
    strict = LlamaParseReader(base_url=address)
    got: list[Any] = []

    async def read_on() -> None:
        async for outcome in strict.astream(files):
            got.append(outcome)

    with pytest.raises(PartialFailureError):
        await read_on()
    assert len(got) == 2


def test_delete_after(address: str, data_dir: Path) -> None:
    """Ensure uploads and jobs are gone afterwards, after a failure too, with the result in hand."""
    from llama_cloud_ext.wire import files
    from llama_cloud_ext.wire.io_loop import run
    from llama_cloud_ext.wire.transport import connection_for

    reader = LlamaParseReader(base_url=address, delete_after=True)
    result = reader.parse(data_dir / TABLES)
    assert result.pages
    with pytest.raises(JobFailedError):
        reader.parse(data_dir / "truncated.pdf")
    job = reader.submit(data_dir / PICTURES)
    assert job.result().pages

    async def names() -> list[str]:
        return [record["name"] async for record in files.list_files(connection_for(reader.settings()))]

    assert reader.list_jobs() == []
    assert run(names) == []


def test_parts_of_a_long_document(address: str, data_dir: Path) -> None:
    """Ensure partition_pages gives what one job gives, with the document's page numbers, on one upload."""
    path = data_dir / "reportlab-userguide.pdf"
    whole = LlamaParseReader(base_url=address).parse(path)
    parts = LlamaParseReader(base_url=address, partition_pages=30).parse(path)
    assert [page.number for page in parts.pages] == [page.number for page in whole.pages]
    assert [page.text for page in parts.pages] == [page.text for page in whole.pages]
    assert page_keys(parts.documents()) == page_keys(whole.documents())
    some = LlamaParseReader(base_url=address, partition_pages=2, target_pages="3-7").parse(path)
    assert [page.number for page in some.pages] == [3, 4, 5, 6, 7]
    first = LlamaParseReader(base_url=address, partition_pages=100, max_pages=120).parse(path)
    assert len(first.pages) == 120


def test_job_facts_stay_off_documents(reader: LlamaParseReader, data_dir: Path) -> None:
    """Ensure job, usage and credits are on the result, and what changes from run to run is not in metadata."""
    result = reader.parse(data_dir / TABLES)
    assert result.job.status == "COMPLETED"
    assert result.job.credits is not None
    assert result.job.tier == "agentic"
    content = " ".join(document.get_content(MetadataMode.ALL) for document in result.documents())
    assert result.job_id not in content


def test_results_travel_without_the_key(address: str, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure a pickled result holds no key and downloads with the environment's settings, or with those handed in."""
    monkeypatch.delenv("LLAMA_CLOUD_API_KEY", raising=False)
    reader = LlamaParseReader(base_url=address, api_key="llx-very-secret", images=["embedded"])
    frozen = pickle.dumps(reader.parse(data_dir / PICTURES))
    assert b"very-secret" not in frozen
    result = pickle.loads(frozen)
    assert result.connect(base_url=address).image_documents()
    monkeypatch.setenv("LLAMA_CLOUD_BASE_URL", address)
    images = pickle.loads(frozen).image_documents()
    assert images[0].image_mimetype.startswith("image/")
    assert images[0].resolve_image().read(4)


def test_nothing_is_left_to_ask_after_a_fork(reader: LlamaParseReader, data_dir: Path) -> None:
    """Ensure a reader that was used works in a forked child, and goes on working in the parent."""
    if not hasattr(os, "fork"):
        return
    program = textwrap.dedent(
        f"""
        import os
        from llama_cloud_ext import LlamaParseReader

        reader = LlamaParseReader(base_url={reader.base_url!r})
        path = {str(data_dir / PICTURES)!r}
        count = len(reader.load_data(path))
        pid = os.fork()
        if pid == 0:
            os._exit(0 if len(reader.load_data(path)) == count else 1)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), len(reader.load_data(path)) == count)
        """
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["0", "True"], done.stderr


def test_images_that_were_asked_for_are_listed(address: str, data_dir: Path) -> None:
    """Ensure a parse with images lists them without a download."""
    result = LlamaParseReader(base_url=address, images=["embedded"]).parse(data_dir / PICTURES)
    assert [image.category for image in result.images] == ["embedded"]
    assert list(result.pages[0].images) == result.images


def test_images_outlive_their_deleted_job(address: str, data_dir: Path, tmp_path: Path) -> None:
    """Ensure delete_after keeps the stored files that were asked for: in the result, through a pickle, and on disk."""
    reader = LlamaParseReader(
        base_url=address,
        delete_after=True,
        images=["embedded", "screenshot"],
        output_options={"save_output_pdf": True},  # type: ignore[arg-type]
    )
    result = pickle.loads(pickle.dumps(reader.parse(data_dir / PICTURES)))
    assert reader.list_jobs() == []
    assert {image.metadata["image_category"] for image in result.image_documents()} == {"embedded", "screenshot"}
    assert all(path.stat().st_size > 100 for path in result.save_images(tmp_path / "images"))
    assert result.output_pdf().startswith(b"%PDF")


def test_images_of_parts_keep_apart(address: str, data_dir: Path) -> None:
    """Ensure images of equal names in two parts stay two images, and outputs for the whole file are refused."""
    path = data_dir / "reportlab-userguide.pdf"
    options: dict[str, Any] = {"base_url": address, "images": ["embedded", "screenshot"], "target_pages": "1-4"}
    whole = LlamaParseReader(**options).parse(path)
    parts = LlamaParseReader(**options, partition_pages=2).parse(path)
    sizes = [len(image.resolve_image().read()) for image in whole.image_documents()]
    assert sorted(len(image.resolve_image().read()) for image in parts.image_documents()) == sorted(sizes)
    assert len({image.id_ for image in parts.image_documents()}) == len(sizes)
    with pytest.raises(ConfigurationError, match="partition_pages"):
        LlamaParseReader(
            base_url=address,
            partition_pages=2,
            output_options={"save_output_pdf": True},  # type: ignore[arg-type]
        ).parse(path)
