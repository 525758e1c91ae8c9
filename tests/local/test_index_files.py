"""The files of LlamaCloudIndex on local LlamaCloud: from everywhere, listed, taken out, and a folder kept in it."""

from __future__ import annotations

import asyncio
import io
import logging
import threading
from collections.abc import Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from llama_cloud_ext import (
    ConfigurationError,
    DownloadError,
    IngestionError,
    JobDeadlineError,
    LlamaCloudIndex,
    NotFoundError,
    PartialFailureError,
    Progress,
    SourceError,
)

LATEX = "latex-lorem.pdf"
TABLES = "r-datasets-tables.pdf"
BROKEN = "truncated.pdf"


@pytest.fixture
def address(tmp_path: Path) -> str:
    """A local LlamaCloud of the test's own."""
    return f"local:{tmp_path / 'cloud'}"


@pytest.fixture
def index(address: str) -> LlamaCloudIndex:
    """An empty index."""
    return LlamaCloudIndex.create_index("files", base_url=address)


class Web:
    """A web server on loopback: it keeps the headers of requests, and redirects from `/moved`."""

    def __init__(self) -> None:
        self.headers: list[dict[str, str]] = []
        web = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                web.headers.append({name.lower(): value for name, value in self.headers.items()})
                if self.path == "/missing":
                    self.send_error(404)
                    return
                moved = self.path == "/moved"
                body = b"" if moved else b"Penguins huddle together on the ice."
                self.send_response(302 if moved else 200)
                if moved:
                    self.send_header("Location", "/penguins.txt")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                """Keep quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def web() -> Iterator[Web]:
    """The web server for the length of a test."""
    served = Web()
    thread = threading.Thread(target=served.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield served
    served.server.shutdown()
    thread.join()
    served.server.server_close()


def texts(index: LlamaCloudIndex, query: str) -> list[str]:
    """What is found."""
    return [node.text for node in index.as_retriever(dense_similarity_top_k=5).retrieve(query)]


# One file


def test_a_file_becomes_nodes_with_file_and_page(index: LlamaCloudIndex, data_dir: Path) -> None:
    """Ensure an uploaded PDF is found by its text, and its nodes tell file, page and custom metadata."""
    file_id = index.upload_file(data_dir / LATEX, custom_metadata={"team": "x", "year": 2024})
    (file,) = index.list_files()
    assert (file.file_id, file.name, file.status) == (file_id, LATEX, "SUCCESS")
    assert file.custom_metadata == {"team": "x", "year": 2024}
    assert file.file_size == (data_dir / LATEX).stat().st_size
    nodes = index.as_retriever(dense_similarity_top_k=8).retrieve("Hello, here is some text")
    assert nodes
    for node in nodes:
        assert node.metadata["file_name"] == LATEX
        assert node.metadata["file_id"] == file_id
        assert 1 <= node.metadata["page_number"] <= 4
        assert (node.metadata["team"], node.metadata["year"]) == ("x", 2024)
    (document,) = index.documents(file_id)
    assert "Hello, here is some text" in document.text
    pages = index.documents(file_id, split_by_page=True)
    assert [page.metadata["page_number"] for page in pages] == [1, 2, 3, 4]
    assert all(page.text and page.text in document.text for page in pages)
    assert len({page.id_ for page in pages}) == 4


def test_files_from_everywhere(index: LlamaCloudIndex, tmp_path: Path) -> None:
    """Ensure paths as text and as Path, bytes, open files with and without a name, and fsspec URLs all work."""
    path = tmp_path / "otter.txt"
    path.write_text("Otters hold hands when they sleep.")
    named = io.BytesIO(b"Seals clap their flippers.")
    named.name = "seal.txt"
    MemoryFileSystem().pipe("/index-files/whale.txt", b"Whales sing for hours.")
    given: list[Any] = [str(path), path, named, "memory://index-files/whale.txt", b"Crabs walk sideways.\n"]
    ids = [index.upload_file(one) for one in given]
    with path.open("rb") as opened:
        ids.append(index.upload_file(opened))
    assert len(set(ids)) == 6
    names = [str(file.name) for file in index.list_files()]
    assert [names.count(name) for name in ("otter.txt", "seal.txt", "whale.txt")] == [3, 1, 1]
    assert all(names)
    for query in ("hold hands", "clap flippers", "sing", "walk sideways"):
        assert any(query.split()[0] in text for text in texts(index, query))


def test_a_file_that_cannot_be_sent(index: LlamaCloudIndex, tmp_path: Path) -> None:
    """Ensure a missing file, a folder and an empty file raise with their name, and nothing is in the index."""
    (tmp_path / "empty.txt").write_bytes(b"")
    for name in ("missing.pdf", "", "empty.txt"):
        with pytest.raises(SourceError) as caught:
            index.upload_file(tmp_path / name)
        assert name in str(caught.value)
    assert index.list_files() == []


def test_metadata_of_files_travels_as_that_of_documents(index: LlamaCloudIndex) -> None:
    """Ensure dates travel as text, and what has no form in JSON raises before the file is uploaded."""
    index.upload_file(b"Otters hold hands.", {"day": date(2024, 2, 29)})
    with pytest.raises(ConfigurationError, match="weight"):
        index.upload_file(b"Seals clap.", {"weight": float("nan")})
    (file,) = index.list_files()
    assert file.custom_metadata == {"day": "2024-02-29"}


def test_a_file_that_cannot_be_parsed(index: LlamaCloudIndex, data_dir: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Ensure a file whose ingestion fails raises with its name and reason, or is logged where that was asked for."""
    with pytest.raises(IngestionError) as caught:
        index.upload_file(data_dir / BROKEN)
    (failure,) = caught.value.failures
    assert failure.source == BROKEN
    assert "PDF_IS_BROKEN" in str(caught.value)
    with caplog.at_level(logging.WARNING):
        file_id = index.upload_file(data_dir / BROKEN, raise_on_error=False)
    assert BROKEN in caplog.text
    assert {file.status for file in index.list_files()} == {"ERROR"}
    waiting = index.upload_file(data_dir / BROKEN, wait_for_ingestion=False)
    with pytest.raises(IngestionError, match=BROKEN):
        index.wait_for_completion(file_ids=[waiting])
    index.upload_file(data_dir / LATEX)
    assert len(index.list_files(statuses=["ERROR"])) == 3
    assert [file.name for file in index.list_files(statuses=["SUCCESS"])] == [LATEX]
    assert [file.name for file in index.list_files(name_contains="latex")] == [LATEX]
    index.delete_file(file_id)
    assert len(index.list_files()) == 3


def test_waiting_for_a_file_has_a_deadline(address: str, data_dir: Path) -> None:
    """Ensure the wait for a file ends at the deadline while its parsing goes on, and can be taken up again."""
    index = LlamaCloudIndex.create_index("slow", base_url=address, ingestion_timeout=0.02)
    with pytest.raises(JobDeadlineError):
        index.upload_file(data_dir / "reportlab-userguide.pdf")
    (file,) = index.list_files()
    assert file.file_id
    assert index.wait_for_completion(file_ids=[file.file_id], timeout=60).status == "SUCCESS"


def test_deleting_a_file(index: LlamaCloudIndex, tmp_path: Path) -> None:
    """Ensure a file that is taken out is found no more, and one that is not there raises."""
    (tmp_path / "otter.txt").write_text("Otters hold hands.")
    (tmp_path / "seal.txt").write_text("Seals clap.")
    otter, seal = (index.upload_file(tmp_path / name) for name in ("otter.txt", "seal.txt"))
    index.delete_file(otter)
    assert [file.file_id for file in index.list_files()] == [seal]
    assert not any("Otters" in text for text in texts(index, "hold hands"))
    assert {info.metadata["file_id"] for info in index.ref_doc_info.values()} == {seal}
    with pytest.raises(NotFoundError):
        index.delete_file(otter)


# Several files


def test_several_files_at_once(index: LlamaCloudIndex, tmp_path: Path) -> None:
    """Ensure ids come in the order of the files, each with its own metadata, and progress tells of each."""
    paths = []
    for number in range(12):
        paths.append(tmp_path / f"{number}.txt")
        paths[-1].write_text(f"The number of this file is {number}.")
    ids = index.upload_files(paths, [{"number": number} for number in range(12)])
    listed = {file.file_id: file for file in index.list_files()}
    assert [listed[file_id].name for file_id in ids] == [path.name for path in paths]
    assert [listed[file_id].custom_metadata["number"] for file_id in ids] == list(range(12))
    with pytest.raises(ConfigurationError, match="custom_metadata"):
        index.upload_files(paths, [{}])
    told: list[Progress] = []
    index._progress = told.append
    index.upload_files(paths[:3], {"again": True})
    assert [progress.done for progress in told][-1] == 3


def test_one_bad_file_among_several(
    index: LlamaCloudIndex, data_dir: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Ensure a bad file is named, in its place, and the others are in the index."""
    good, missing = data_dir / LATEX, tmp_path / "missing.pdf"
    with pytest.raises(PartialFailureError) as unsent:
        index.upload_files([good, missing])
    assert [failure.source for failure in unsent.value.failures] == [str(missing)]
    assert unsent.value.results[0] == index.list_files()[0].file_id
    assert unsent.value.results[1] is unsent.value.failures[0]
    with pytest.raises(IngestionError) as unparsed:
        index.upload_files([data_dir / BROKEN, data_dir / TABLES])
    assert [failure.source for failure in unparsed.value.failures] == [BROKEN]
    assert {file.name for file in index.list_files(statuses=["SUCCESS"])} == {LATEX, TABLES}
    with caplog.at_level(logging.WARNING):
        ids = index.upload_files([missing, good], raise_on_error=False)
    assert len(ids) == 1
    assert str(missing) in caplog.text


def test_many_files_are_waited_for_by_their_counts(index: LlamaCloudIndex, data_dir: Path) -> None:
    """Ensure of many files the one that failed is named, too."""
    files: list[Any] = [f"File number {number} of many.".encode() for number in range(12)]
    with pytest.raises(IngestionError) as caught:
        index.upload_files([*files, data_dir / BROKEN])
    assert [failure.source for failure in caught.value.failures] == [BROKEN]


def test_files_of_a_filesystem(index: LlamaCloudIndex) -> None:
    """Ensure paths in an fsspec filesystem are read from it."""
    memory = MemoryFileSystem()
    memory.pipe("/several/a.txt", b"Walruses have tusks.")
    memory.pipe("/several/b.txt", b"Polar bears are white.")
    index.upload_files(["/several/a.txt", "/several/b.txt"], fs=memory)
    assert {file.name for file in index.list_files()} == {"a.txt", "b.txt"}


# URLs


def test_a_file_from_a_url(address: str, web: Web) -> None:
    """Ensure a file behind a URL is fetched with the headers meant for it, and without the API key."""
    LlamaCloudIndex.create_index("files", base_url=address)
    index = LlamaCloudIndex("files", base_url=address, api_key="llx-secret", headers={"x-own": "mine"})
    file_id = index.upload_file_from_url(
        "birds.txt", f"{web.url}/penguins.txt", {"from": "web"}, request_headers={"x-token": "t"}
    )
    (file,) = index.list_files()
    assert (file.file_id, file.name, file.custom_metadata) == (file_id, "birds.txt", {"from": "web"})
    assert any("Penguins" in text for text in texts(index, "penguins on the ice"))
    (headers,) = web.headers
    assert headers["x-token"] == "t"
    assert "authorization" not in headers
    assert "x-own" not in headers
    assert "llx-secret" not in str(headers)


def test_redirects_of_a_url(index: LlamaCloudIndex, web: Web) -> None:
    """Ensure redirects are followed, or raise where that was asked for; an error is no file."""
    index.upload_file_from_url("a.txt", f"{web.url}/moved")
    with pytest.raises(DownloadError):
        index.upload_file_from_url("b.txt", f"{web.url}/moved", follow_redirects=False)
    with pytest.raises(DownloadError):
        index.upload_file_from_url("c.txt", f"{web.url}/missing")
    with pytest.raises(ConfigurationError, match="url"):
        index.upload_file_from_url("d.txt", "ftp://127.0.0.1/d.txt")
    assert [file.name for file in index.list_files()] == ["a.txt"]


def test_urls_among_files(index: LlamaCloudIndex, web: Web) -> None:
    """Ensure a URL may stand wherever a file may, and takes its name from its path."""
    index.upload_file(f"{web.url}/penguins.txt?version=2")
    with pytest.raises(PartialFailureError) as caught:
        index.upload_files([f"{web.url}/missing", b"Crabs walk sideways."])
    assert caught.value.failures[0].source == f"{web.url}/missing"
    assert "penguins.txt" in {file.name for file in index.list_files()}
    assert len(index.list_files()) == 2


async def test_the_asynchronous_twins(index: LlamaCloudIndex, web: Web, tmp_path: Path) -> None:
    """Ensure every asynchronous method does what its twin does."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "c.txt").write_text("Crabs walk sideways.")
    one = await index.aupload_file(b"Otters hold hands.", {"a": 1}, wait_for_ingestion=False)
    await index.await_for_completion(file_ids=[one])
    two = await index.aupload_files([b"Seals clap.", b"Whales sing."])
    three = await index.aupload_file_from_url("web.txt", f"{web.url}/penguins.txt")
    done = await index.arefresh_folder(tmp_path / "folder")
    assert done.added == ["c.txt"]
    assert {file.file_id for file in await index.alist_files()} >= {one, *two, three}
    assert len(await index.alist_files(name_contains="c.txt")) == 1
    await index.adelete_file(one)
    assert one not in {file.file_id for file in await index.alist_files()}


# A folder


def test_a_folder_is_kept_up_to_date(index: LlamaCloudIndex, tmp_path: Path) -> None:
    """Ensure new files go in, changed ones again, gone ones out, unchanged ones cost nothing, and others stay."""
    outside = index.upload_file(b"Not of the folder.")
    folder = tmp_path / "folder"
    (folder / "below").mkdir(parents=True)
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "x.txt").write_text("Secret.")
    (folder / "left-out").mkdir()
    (folder / "left-out" / "x.txt").write_text("Passed over.")
    for name, text in {"a.txt": "Otters hold hands.", "b.txt": "Seals clap.", "below/a.txt": "Whales sing."}.items():
        (folder / name).write_text(text)
    refresh = lambda: index.refresh_folder(folder, leave_out=[folder / "left-out"])  # noqa: E731 - called five times
    first = refresh()
    assert (first.added, first.updated, first.removed, first.unchanged) == (
        ["a.txt", "b.txt", "below/a.txt"],
        [],
        [],
        [],
    )
    kept = {file.custom_metadata.get("folder_path"): file.file_id for file in index.list_files()}
    (folder / "b.txt").write_text("Seals bark.")
    (folder / "below" / "a.txt").unlink()
    (folder / "c.txt").write_text("Crabs walk sideways.")
    second = refresh()
    assert (second.added, second.updated, second.removed) == (["c.txt"], ["b.txt"], ["below/a.txt"])
    assert second.unchanged == ["a.txt"]
    assert second.failures == []
    now = {file.custom_metadata.get("folder_path"): file.file_id for file in index.list_files()}
    assert set(now) == {None, "a.txt", "b.txt", "c.txt"}
    assert now["a.txt"] == kept["a.txt"]
    assert now[None] == outside
    found = texts(index, "seals otters whales crabs")
    assert any("bark" in text for text in found)
    assert not any("clap" in text or "Whales" in text or "Secret" in text for text in found)
    third = refresh()
    assert (third.added, third.updated, third.removed) == ([], [], [])
    assert sorted(third.unchanged) == ["a.txt", "b.txt", "c.txt"]
    with pytest.raises(SourceError, match="no-folder"):
        index.refresh_folder(tmp_path / "no-folder")


def test_a_folder_with_a_broken_file(index: LlamaCloudIndex, data_dir: Path, tmp_path: Path) -> None:
    """Ensure a file that fails is told of by its path, each time, until it is mended; the others go in."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "good.txt").write_text("Otters hold hands.")
    (folder / "bad.pdf").write_bytes((data_dir / BROKEN).read_bytes())
    (folder / "empty.txt").write_bytes(b"")
    for expected in (["good.txt"], []):
        done = index.refresh_folder(folder)
        assert done.added == expected
        assert {failure.source for failure in done.failures} == {"bad.pdf", "empty.txt"}
        assert "PDF_IS_BROKEN" in str([str(failure) for failure in done.failures])
    (folder / "bad.pdf").write_bytes((data_dir / LATEX).read_bytes())
    (folder / "empty.txt").unlink()
    mended = index.refresh_folder(folder)
    assert (mended.updated, mended.unchanged, mended.failures) == (["bad.pdf"], ["good.txt"], [])


def test_a_folder_in_two_processes_at_once(index: LlamaCloudIndex, address: str, tmp_path: Path) -> None:
    """Ensure two refreshes at the same time leave every file in the index once, at the latest after the next one."""
    folder = tmp_path / "folder"
    folder.mkdir()
    for number in range(5):
        (folder / f"{number}.txt").write_text(f"The number is {number}.")

    async def both() -> None:
        other = LlamaCloudIndex("files", base_url=address)
        await asyncio.gather(index.arefresh_folder(folder), other.arefresh_folder(folder))

    asyncio.run(both())
    index.refresh_folder(folder)
    assert sorted(str(file.name) for file in index.list_files()) == [f"{number}.txt" for number in range(5)]
