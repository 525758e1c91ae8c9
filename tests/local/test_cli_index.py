"""`ask`, `index` and `retrieve` against local LlamaCloud: what comes out where, and with which exit code."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from llama_cloud_ext import LlamaCloudIndex
from llama_cloud_ext.cli.app import app

_RUNNER = CliRunner()

_SCRIPTED_LLM = '''
from typing import Any

from llama_index.core.llms import CompletionResponse, CustomLLM, LLMMetadata


class Scripted(CustomLLM):
    """Answers every prompt alike, and shows that it was given the passages."""

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(model_name="scripted")

    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        seen = "Source 1" in prompt and "sixteen hours" in prompt
        return CompletionResponse(text="Sixteen hours [1]." if seen else "I was shown nothing.")

    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
        raise NotImplementedError


class Unwilling:
    def __init__(self) -> None:
        raise RuntimeError("no licence")
'''


@pytest.fixture(autouse=True)
def no_account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the machine's own settings, and a folder to work in."""
    for name in [name for name in os.environ if name.startswith(("LLAMA_CLOUD_", "LLAMA_PARSE_"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def local(tmp_path: Path) -> Path:
    """The folder of a local LlamaCloud."""
    return tmp_path / "cloud"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of three notes, one of them in a folder below."""
    place = tmp_path / "notes"
    (place / "birds").mkdir(parents=True)
    (place / "cats.md").write_text("# Cats\n\nCats sleep sixteen hours a day.\n", encoding="utf-8")
    (place / "dogs.md").write_text("# Dogs\n\nDogs bark at the postman.\n", encoding="utf-8")
    (place / "birds" / "wrens.txt").write_text("Wrens build domed nests.\n", encoding="utf-8")
    return place


@pytest.fixture
def scripted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module with an LLM, as somebody would name it on the command line."""
    (tmp_path / "models_of_this_test.py").write_text(_SCRIPTED_LLM, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "models_of_this_test", raising=False)
    return "models_of_this_test"


def _run(*arguments: object) -> tuple[int, str, str]:
    result = _RUNNER.invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def _records(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


# ask


def test_ask_prints_passages_and_nothing_else(folder: Path) -> None:
    """Ensure passages go to standard output with file and score, best first, progress to standard error."""
    code, out, err = _run("ask", folder, "How long do cats sleep?")
    assert code == 0
    first = out.splitlines()[0]
    assert first.startswith("[1] cats.md")
    assert "(score " in first
    assert "sixteen hours" in out
    assert "files:" not in out
    assert "files: 3 added" in err
    assert (Path.cwd() / ".llamacloud").is_dir()


def test_ask_says_the_page(tmp_path: Path, data_dir: Path, local: Path) -> None:
    """Ensure a passage of a PDF comes with its page."""
    place = tmp_path / "papers"
    place.mkdir()
    (place / "lorem.pdf").write_bytes((data_dir / "latex-lorem.pdf").read_bytes())
    code, out, _ = _run("ask", place, "Is there no information?", "--local", local, "--json", "--top", 1)
    assert code == 0
    (record,) = _records(out)
    assert record["file"] == "lorem.pdf"
    assert record["page"] in (2, 3, 4)
    assert isinstance(record["score"], float)


def test_ask_as_json_is_one_record_a_line(folder: Path, local: Path) -> None:
    """Ensure --json gives JSON lines of file, page, score, id, text and metadata, at most --top of them."""
    code, out, _ = _run("ask", folder, "Who builds nests?", "--local", local, "--json", "--top", 2)
    assert code == 0
    records = _records(out)
    assert 1 <= len(records) <= 2
    assert set(records[0]) == {"file", "page", "score", "id", "text", "metadata"}
    assert records[0]["file"] == "birds/wrens.txt"
    assert [record["score"] for record in records] == sorted((r["score"] for r in records), reverse=True)


def test_asking_twice_indexes_nothing_anew(folder: Path, local: Path) -> None:
    """Ensure the second question finds all files unchanged, gives the same passage, and leaves the same files."""
    _, first, _ = _run("ask", folder, "How long do cats sleep?", "--local", local, "--json", "--index", "pets")
    before = {file.name: file.file_id for file in LlamaCloudIndex("pets", base_url=f"local:{local}").list_files()}
    _, second, err = _run("ask", folder, "How long do cats sleep?", "--local", local, "--json", "--index", "pets")
    after = {file.name: file.file_id for file in LlamaCloudIndex("pets", base_url=f"local:{local}").list_files()}
    assert "files: 3 unchanged" in err
    assert first == second
    assert before == after


def test_a_folder_that_has_changed_is_asked_as_it_is_now(folder: Path, local: Path) -> None:
    """Ensure what was changed is found by its new content, and what was removed is found no more."""
    _run("ask", folder, "cats", "--local", local, "--quiet")
    (folder / "cats.md").write_text("Cats now rule the internet.\n", encoding="utf-8")
    (folder / "dogs.md").unlink()
    (folder / "cows.md").write_text("Cows have four stomachs.\n", encoding="utf-8")
    code, out, err = _run("ask", folder, "Who rules the internet?", "--local", local, "--top", 10)
    assert code == 0
    assert "files: 1 added, 1 updated, 1 removed, 1 unchanged" in err
    assert "rule the internet" in out
    assert "sixteen hours" not in out
    assert "postman" not in _run("ask", folder, "postman dogs bark", "--local", local, "--top", 10)[1]


def test_data_kept_inside_the_folder_is_no_document(folder: Path) -> None:
    """Ensure local LlamaCloud's own files are not indexed when its folder lies in the one that is asked."""
    inside = folder / "llamacloud"
    for _ in range(2):
        code, _, err = _run("ask", folder, "cats", "--local", inside)
        assert code == 0
    assert "files: 3 unchanged" in err


def test_files_that_fail_are_named_and_the_others_answer(folder: Path, data_dir: Path, local: Path) -> None:
    """Ensure a failing file goes to standard error with its reason, every time, and the rest is asked."""
    (folder / "locked.pdf").write_bytes((data_dir / "password-protected.pdf").read_bytes())
    for _ in range(2):
        code, out, err = _run("ask", folder, "How long do cats sleep?", "--local", local, "--quiet")
        assert code == 0
        assert "sixteen hours" in out
        assert "locked.pdf" not in out
        assert "error: locked.pdf:" in err
        assert "password" in err
        assert len(err.splitlines()) == 1


def test_a_folder_of_which_nothing_can_be_read_fails(tmp_path: Path, data_dir: Path, local: Path) -> None:
    """Ensure the exit code is 1 when every file failed."""
    place = tmp_path / "broken"
    place.mkdir()
    (place / "cut.pdf").write_bytes((data_dir / "truncated.pdf").read_bytes())
    code, out, err = _run("ask", place, "anything", "--local", local)
    assert code == 1
    assert out == ""
    assert "error: cut.pdf:" in err


def test_ask_of_an_empty_folder_finds_nothing(tmp_path: Path, local: Path) -> None:
    """Ensure an empty folder is no error, and says so on standard error."""
    (tmp_path / "empty").mkdir()
    code, out, err = _run("ask", tmp_path / "empty", "anything", "--local", local)
    assert (code, out) == (0, "")
    assert "files: none" in err
    assert "nothing found" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("missing", "why?"), "is no folder"),
        (("notes", "  "), "the question is empty"),
        (("notes", "why?", "--top", 0), "--top"),
        (("notes", "why?", "--llm", "no.such.module:LLM"), "no.such.module:LLM cannot be used"),
        (("notes", "why?", "--llm", "models_of_this_test"), "models_of_this_test cannot be used"),
        (("notes", "why?", "--llm", "models_of_this_test:Unwilling"), "no licence"),
        (("notes",), "QUESTION"),
    ],
)
@pytest.mark.usefixtures("folder", "scripted")
def test_wrong_use_of_ask_is_explained(arguments: tuple[object, ...], message: str) -> None:
    """Ensure wrong use exits with 2, with the reason on standard error alone."""
    code, out, err = _run("ask", *arguments)
    assert (code, out) == (2, "")
    assert message in err


def test_an_llm_answers_from_the_passages(folder: Path, local: Path, scripted: str) -> None:
    """Ensure --llm prints an answer with its citations before the passages, as text and as JSON."""
    question = ("ask", folder, "How long do cats sleep?", "--local", local, "--llm", f"{scripted}:Scripted")
    code, out, _ = _run(*question)
    assert code == 0
    assert out.startswith("Sixteen hours [1].\n")
    assert "[1] cats.md" in out
    records = _records(_run(*question, "--json")[1])
    assert records[0] == {"answer": "Sixteen hours [1]."}
    assert records[1]["file"] == "cats.md"


def test_the_environment_may_name_the_llm(
    folder: Path, local: Path, scripted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ensure LLAMA_CLOUD_EXT_LLM is as good as --llm."""
    monkeypatch.setenv("LLAMA_CLOUD_EXT_LLM", f"{scripted}:Scripted")
    assert _run("ask", folder, "How long do cats sleep?", "--local", local)[1].startswith("Sixteen hours")


def test_ask_needs_an_account_for_the_cloud(folder: Path) -> None:
    """Ensure --cloud without a key uploads nothing and says what to set."""
    code, out, err = _run("ask", folder, "cats", "--cloud")
    assert (code, out) == (2, "")
    assert "LLAMA_CLOUD_API_KEY" in err


# index


def test_the_life_of_an_index(folder: Path, local: Path) -> None:
    """Ensure create, add, list, status, retrieve and delete work one after the other, and print what scripts need."""
    code, out, _ = _run("index", "create", "pets", "--chunk-size", 128, "--chunk-overlap", 16, "--local", local)
    assert code == 0
    (index_id,) = out.split()
    code, out, err = _run("index", "add", "pets", folder, "--local", local, "--quiet")
    assert (code, err) == (0, "")
    ids = out.split()
    assert len(ids) == 3
    code, out, _ = _run("index", "list", "--local", local, "--json")
    assert code == 0
    assert [(record["id"], record["name"]) for record in _records(out)] == [(index_id, "pets")]
    plain = _run("index", "list", "--local", local)[1]
    assert plain.split()[0] == index_id
    assert plain.split()[-1] == "pets"
    code, out, _ = _run("index", "status", "pets", "--local", local)
    first, *files = out.splitlines()
    assert first.split() == ["pets", index_id, "SUCCESS"]
    assert {tuple(line.split()) for line in files} == {
        ("SUCCESS", file_id, name) for file_id, name in zip(ids, ("wrens.txt", "cats.md", "dogs.md"), strict=True)
    }
    (record,) = _records(_run("index", "status", "pets", "--local", local, "--json")[1])
    assert record["status"] == "SUCCESS"
    assert len(record["files"]) == 3
    assert "postman" in _run("retrieve", "pets", "Who barks?", "--top", 1, "--local", local)[1]
    assert _run("index", "delete", "pets", "--yes", "--local", local)[:2] == (0, "")
    assert _run("index", "list", "--local", local)[:2] == (0, "")


def test_creating_an_index_again_changes_it(local: Path) -> None:
    """Ensure create with a name that exists keeps the id and takes the new settings."""
    first = _run("index", "create", "pets", "--local", local)[1]
    second = _run("index", "create", "pets", "--chunk-size", 64, "--chunk-overlap", 8, "--local", local)[1]
    assert first == second
    (record,) = _records(_run("index", "list", "--json", "--local", local)[1])
    assert record["transform_config"]["chunk_size"] == 64


def test_adding_names_what_failed_and_prints_the_rest(folder: Path, local: Path, data_dir: Path) -> None:
    """Ensure a file that is missing or cannot be parsed fails the command, and the others' ids are still printed."""
    _run("index", "create", "pets", "--local", local)
    code, out, err = _run("index", "add", "pets", folder / "cats.md", "missing.pdf", "--local", local, "--quiet")
    assert code == 1
    assert len(out.split()) == 1
    assert "missing.pdf" in err
    locked = data_dir / "password-protected.pdf"
    code, out, err = _run("index", "add", "pets", locked, folder / "dogs.md", "--local", local, "--quiet")
    assert code == 1
    assert "password-protected.pdf" in err
    status = _run("index", "status", "pets", "--local", local)[1]
    assert [line.split()[0] for line in status.splitlines() if "password" in line] == ["ERROR"]
    assert "postman" in _run("retrieve", "pets", "Who barks?", "--local", local)[1]


def test_adding_twice_costs_once(folder: Path, local: Path) -> None:
    """Ensure files that were added before are recognised by their content, and only what is new goes up."""
    _run("index", "create", "pets", "--local", local)
    first = _run("index", "add", "pets", folder, "--local", local, "--quiet")[1].split()
    (folder / "cats.md").write_text("Cats like fish.")
    second = _run("index", "add", "pets", folder, "--local", local, "--quiet")[1].split()
    assert len(first) == len(second) == 3
    assert len(set(first) & set(second)) == 2
    assert len(_run("index", "status", "pets", "--local", local)[1].splitlines()) == 1 + 4


def test_adding_without_waiting(folder: Path, local: Path) -> None:
    """Ensure --no-wait prints the ids at once, and the files arrive all the same."""
    _run("index", "create", "pets", "--local", local)
    code, out, _ = _run("index", "add", "pets", folder, "--no-wait", "--local", local, "--quiet")
    assert code == 0
    assert len(out.split()) == 3
    status = LlamaCloudIndex("pets", base_url=f"local:{local}").wait_for_completion(timeout=60)
    assert status.status == "SUCCESS"


@pytest.mark.parametrize(
    "arguments",
    [
        ("index", "status", "nobody"),
        ("index", "delete", "nobody", "--yes"),
        ("index", "add", "nobody", "notes/cats.md"),
        ("retrieve", "nobody", "why?"),
    ],
    ids=lambda arguments: arguments[1] if arguments[0] == "index" else arguments[0],
)
@pytest.mark.usefixtures("folder")
def test_an_index_that_is_not_there(arguments: tuple[str, ...], local: Path) -> None:
    """Ensure an unknown index exits with 1 and is named, on standard error alone."""
    code, out, err = _run(*arguments, "--local", local)
    assert (code, out) == (1, "")
    assert "nobody" in err


def test_deletion_asks_first(local: Path) -> None:
    """Ensure nothing is deleted without a yes, and that the question is not on standard output."""
    _run("index", "create", "pets", "--local", local)
    result = _RUNNER.invoke(app, ["index", "delete", "pets", "--local", str(local)], input="n\n")
    assert result.exit_code == 1
    assert "Delete index pets" in result.stderr
    assert _run("index", "list", "--local", local)[1]
    result = _RUNNER.invoke(app, ["index", "delete", "pets", "--local", str(local)], input="y\n")
    assert result.exit_code == 0
    assert _run("index", "list", "--local", local)[1] == ""


def test_commands_without_an_account_say_what_to_do() -> None:
    """Ensure whoever has neither a key nor --local is told of both."""
    for arguments in (("index", "list"), ("index", "create", "pets"), ("retrieve", "pets", "why?")):
        code, out, err = _run(*arguments)
        assert (code, out) == (2, "")
        assert "LLAMA_CLOUD_API_KEY" in err
        assert "--local" in err


# retrieve


@pytest.fixture
def planets(local: Path) -> Path:
    """An index of planets with metadata of several types."""
    from llama_index.core import Document

    facts: list[tuple[str, dict[str, Any]]] = [
        ("Earth", {"number": 3, "kind": "rock", "density": 5.5, "note": "a=b", "water": True}),
        ("Mars", {"number": 4, "kind": "rock", "density": 3.9, "note": "4"}),
        ("Jupiter", {"number": 5, "kind": "gas", "density": 1.3, "note": "big"}),
    ]
    documents = [Document(id_=name, text=f"{name} is a planet.", metadata=known) for name, known in facts]
    LlamaCloudIndex.from_documents(documents, "planets", base_url=f"local:{local}")
    return local


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ([], {"Earth", "Mars", "Jupiter"}),
        (["kind=rock"], {"Earth", "Mars"}),
        (["number=4"], {"Mars"}),
        (["density=1.3"], {"Jupiter"}),
        (["note=a=b"], {"Earth"}),
        (["note=4"], set()),
        (['note="4"'], {"Mars"}),
        (["water=true"], {"Earth"}),
        (["note=NaN"], set()),
        (["note=[1]"], set()),
        (["kind=rock", "number=3"], {"Earth"}),
        (["kind=gas", "number=3"], set()),
    ],
    ids=lambda given: " ".join(given) or "none" if isinstance(given, list) else "",
)
def test_filters_of_the_command_line(planets: Path, filters: list[str], expected: set[str]) -> None:
    """Ensure KEY=VALUE filters by text, number and truth, quotes make text of it, and several must all hold."""
    options = [word for one in filters for word in ("--filter", one)]
    code, out, _ = _run("retrieve", "planets", "planet", "--top", 9, *options, "--json", "--local", planets)
    assert code == 0
    assert {record["text"].split()[0] for record in _records(out)} == expected


def test_settings_of_retrieve_reach_the_search(planets: Path) -> None:
    """Ensure --top, --alpha, --rerank, --rerank-top and --mode do what they say."""
    ask = ("retrieve", "planets", "Mars planet", "--json", "--local", planets)
    assert len(_records(_run(*ask, "--top", 2, "--alpha", 1, "--no-rerank")[1])) == 2
    assert [r["text"] for r in _records(_run(*ask, "--top", 3, "--rerank", "--rerank-top", 1)[1])] == [
        "Mars is a planet."
    ]
    files = _records(_run(*ask, "--mode", "files_via_content")[1])
    assert {record["metadata"]["retrieval_mode"] for record in files} == {"files_via_content"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--filter", "kind"), "'kind' is not KEY=VALUE"),
        (("--filter", "=rock"), "'=rock' is not KEY=VALUE"),
        (("--mode", "everything"), "everything"),
        (("--alpha", "2"), "--alpha"),
        (("--top", "0"), "--top"),
    ],
)
def test_wrong_use_of_retrieve_is_explained(planets: Path, options: tuple[str, ...], message: str) -> None:
    """Ensure a setting that cannot work exits with 2 and says which."""
    code, out, err = _run("retrieve", "planets", "planet", *options, "--local", planets)
    assert (code, out) == (2, "")
    assert message in err


def test_nothing_found_is_no_error(planets: Path) -> None:
    """Ensure a search without results prints nothing, exits with 0, and tells a person so."""
    ask = ("retrieve", "planets", "planet", "--filter", "kind=cheese", "--local", planets)
    assert _run(*ask) == (0, "", "nothing found\n")
    assert _run(*ask, "--json") == (0, "", "")
