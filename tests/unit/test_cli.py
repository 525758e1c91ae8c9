"""The command line's own parts: what its arguments stand for, and where its outputs go."""

from __future__ import annotations

import io
import sys
from pathlib import Path, PurePath
from types import SimpleNamespace

import pytest

from llama_cloud_ext.cli.inputs import expand
from llama_cloud_ext.cli.outputs import distinct
from llama_cloud_ext.errors import SourceError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with files on two levels, hidden ones among them."""
    for name in ("b.pdf", "a.PDF", "notes.txt", "deep/a.PDF", ".hidden.pdf", ".git/config"):
        path = tmp_path / "docs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return tmp_path / "docs"


def test_a_folder_stands_for_its_files(folder: Path) -> None:
    """Ensure a folder gives all visible files below it, with their places below it as the places of outputs."""
    assert [given.output for given in expand([str(folder)])] == [
        PurePath("a.PDF"),
        PurePath("b.pdf"),
        PurePath("deep/a.PDF"),
        PurePath("notes.txt"),
    ]


def test_a_pattern_that_the_shell_left_alone_is_expanded(folder: Path) -> None:
    """Ensure quoted patterns work, `**` included."""
    assert [given.file for given in expand([f"{folder}/**/*.PDF"])] == [folder / "a.PDF", folder / "deep" / "a.PDF"]


def test_a_name_with_brackets_is_a_name_first(tmp_path: Path) -> None:
    """Ensure an existing file is taken as it is, even if its name looks like a pattern."""
    path = tmp_path / "report[1].pdf"
    path.write_bytes(b"x")
    assert [given.file for given in expand([str(path)])] == [path]


def test_each_file_counts_once(folder: Path) -> None:
    """Ensure a file named twice, by itself and by its folder, is parsed once."""
    assert len(expand([str(folder / "b.pdf"), str(folder), f"{folder}/../docs/b.pdf"])) == 4


def test_own_outputs_are_no_inputs(folder: Path) -> None:
    """Ensure a second run over a folder does not parse what the first one wrote into it."""
    (folder / "out").mkdir()
    (folder / "out" / "b.pdf.md").write_text("x")
    assert len(expand([str(folder)], leave_out=[folder / "out"])) == 4


@pytest.mark.parametrize("argument", ["nothing-*.pdf", "empty"])
def test_what_stands_for_nothing_is_refused(argument: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure an empty folder or a pattern without a match is an error that names it, not a success without results."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match=argument.replace("*", r"\*")):
        expand([argument])


def test_a_missing_file_fails_later_beside_the_others() -> None:
    """Ensure a path where nothing is stays an input, so that the others are parsed all the same."""
    assert [given.label for given in expand(["missing.pdf"])] == ["missing.pdf"]


def test_urls_hide_their_secrets() -> None:
    """Ensure neither the label nor the output of a URL shows its query or password."""
    (given,) = expand(["https://me:secret@example.com/a/report.pdf?signature=secret"])
    assert given.file == "https://me:secret@example.com/a/report.pdf?signature=secret"
    assert given.label == "https://example.com/a/report.pdf"
    assert given.output == PurePath("report.pdf")


@pytest.mark.parametrize(
    "url", ["https://example.com/..", "https://example.com/", "s3://bucket/%2e%2e/..", "s3://b/../.."]
)
def test_no_url_leads_out_of_the_output_folder(url: str) -> None:
    """Ensure the output of a URL is one harmless name, whatever its path."""
    (given,) = expand([url])
    assert given.output.parts == (given.output.name,)
    assert given.output.name not in {"", ".", ".."}


def test_standard_input_is_read_as_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure `-` gives the bytes that were piped in."""
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"%PDF-1.7")))
    (given,) = expand(["-"])
    assert given.file == b"%PDF-1.7"


def test_output_names_never_collide() -> None:
    """Ensure equal names from two folders get names of their own, on filesystems that ignore case too."""
    names = [PurePath(name) for name in ("a.pdf", "a.pdf", "A.PDF", "a-2.pdf", "deep/a.pdf")]
    places = distinct(names)
    assert len({str(place).casefold() for place in places}) == 5
    assert places[0] == PurePath("a.pdf")
    assert places[4] == PurePath("deep/a.pdf")
