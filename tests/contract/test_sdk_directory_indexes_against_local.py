"""The official SDK, refusing every answer that its models do not describe: directories and indexes over them."""

from __future__ import annotations

import shutil
import subprocess
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.contract.official_sdk import OfficialSdk
from tests.virtualenvs import clean_environment

WOMBATS = "Wombats dig burrows with their claws. Wombats sleep by day."
FILES = {
    "wombats.txt": (WOMBATS, {"year": 2020, "kind": "animal", "wild": True, "tags": ["a", "b"]}),
    "basalt.txt": ("Basalt forms when lava cools quickly.", {"year": 2024, "kind": "rock", "wild": False}),
    "granite.txt": ("Granite cools slowly below ground.", {"year": 2022.5, "kind": "rock", "none": None}),
}


def indexed(client: Any, name: str, files: dict[str, Any], **options: Any) -> dict[str, str]:
    """Make a directory of texts and an index over it, and wait until it is ready; the ids of both."""
    import json
    import time

    directory = client.beta.directories.create(name=name)
    for file_name, (text, metadata) in files.items():
        client.beta.directories.files.upload(
            directory.id, upload_file=(file_name, text.encode()), metadata=json.dumps(metadata)
        )
    index = client.indexes.create(source_directory_id=directory.id, **options)
    assert (index.name, index.source_directory_id) == (name, directory.id)
    while True:
        index = client.indexes.get(index.id, expand=["sync_in_progress"])
        if not index.sync_in_progress:
            assert index.metadata["status"] == "ready", index.metadata
            return {"directory": directory.id, "index": index.id, "export": index.export_config_id}
        time.sleep(0.01)


@pytest.fixture(scope="module")
def ids(sdk: OfficialSdk) -> dict[str, str]:
    """A directory and an index over it."""
    return dict(sdk.run(indexed, name=f"things {uuid.uuid4()}", files=FILES))


def test_a_directory_from_creation_to_deletion(sdk: OfficialSdk) -> None:
    """Ensure that the SDK reads every answer about a directory and its files."""

    def journey(client: Any, name: str) -> None:
        import json

        import llama_cloud

        directories = client.beta.directories
        made = directories.create(name=name, description="A", type="ephemeral", system_metadata={"a": 1})
        assert (made.type, made.description, made.system_metadata) == ("ephemeral", "A", {"a": 1})
        assert [one.id for one in directories.list(name=name, type="ephemeral")] == [made.id]
        assert [one.id for one in directories.list(name=name, types=["user", "index"])] == []
        assert directories.update(made.id, name=name + "!").name == name + "!"
        file = directories.files.upload(
            made.id,
            upload_file=("a.txt", b"x"),
            display_name="A",
            unique_id="u",
            external_file_id="e",
            metadata=json.dumps({"n": 1, "l": ["x"], "none": None, "b": True, "f": 0.5}),
        )
        assert (file.display_name, file.unique_id) == ("A", "u")
        assert file.metadata == {"n": 1, "l": ["x"], "none": None, "b": True, "f": 0.5}
        again = directories.files.add(made.id, file_id=file.file_id, metadata={"m": "x"})
        # As the SDK describes it, the upload's own external id where none is given.
        assert (again.display_name, again.unique_id, again.file_id) == ("a.txt", "e", file.file_id)
        listed = list(directories.files.list(made.id, page_size=1, expand=["download_url"]))
        assert [one.id for one in listed] == [file.id, again.id]
        assert all(one.download_url.url for one in listed)
        assert [one.id for one in directories.files.list(made.id, display_name_contains="A.T")] == [again.id]
        assert [one.id for one in directories.files.list(made.id, unique_id="u")] == [file.id]
        assert list(directories.files.list(made.id, updated_at_on_or_before="2020-01-01T00:00:00Z")) == []
        changed = directories.files.update(file.id, directory_id=made.id, display_name="B", metadata={})
        assert (changed.display_name, changed.metadata) == ("B", {})
        other = directories.create(name=name)
        assert directories.files.update(file.id, directory_id=made.id, target_directory_id=other.id).id == file.id
        assert directories.files.get(file.id, directory_id=other.id, expand=["download_url"]).download_url
        directories.files.delete(file.id, directory_id=other.id)
        assert [one.deleted_at is not None for one in directories.files.list(other.id, include_deleted=True)] == [True]
        for one in (made, other):
            directories.delete(one.id)
            try:
                directories.get(one.id)
                told = ""
            except llama_cloud.NotFoundError as error:
                told = str(error)
            if one.id not in told:
                raise AssertionError(told)
        assert len(list(directories.list(name=name, include_deleted=True))) == 1

    sdk.run(journey, name=f"directory {uuid.uuid4()}")


def test_an_index_is_listed_synced_and_deleted(sdk: OfficialSdk) -> None:
    """Ensure that an index follows its directory at each sync, and that what cannot be is refused with the status."""

    def journey(client: Any, ids: dict[str, str]) -> dict[str, Any]:
        import time

        import llama_cloud

        def synced() -> Any:
            client.indexes.sync(ids["index"])
            while client.indexes.get(ids["index"], expand=["sync_in_progress"]).sync_in_progress:
                time.sleep(0.01)

        (index,) = client.indexes.list(source_directory_id=ids["directory"])
        assert index.sync_in_progress is None
        assert index.last_synced_at
        refused = []
        for call in (
            lambda: client.indexes.cancel_sync(ids["index"]),
            lambda: client.indexes.create(source_directory_id=ids["directory"]),
            lambda: client.indexes.get("idx-0"),
            lambda: client.indexes.create(source_directory_id="dir-0"),
            lambda: client.beta.directories.files.upload(index.output_directory_id, upload_file=("a.txt", b"x")),
            lambda: client.beta.directories.files.upload(ids["directory"], upload_file=("basalt.txt", b"x")),
        ):
            try:
                call()
            except llama_cloud.APIStatusError as error:
                refused.append(error.status_code)
        found = {one.file_name: one.file_id for one in client.retrieval.find(index_id=ids["index"])}
        files = {one.display_name: one.id for one in client.beta.directories.files.list(ids["directory"])}
        outputs = {one.display_name: one.id for one in client.beta.directories.files.list(index.output_directory_id)}
        assert outputs == found
        client.beta.directories.files.delete(files["basalt.txt"], directory_id=ids["directory"])
        # Until the next sync, the index has what it had.
        assert "lava" in client.retrieval.read(index_id=ids["index"], file_id=found["basalt.txt"]).content
        client.beta.directories.files.update(files["wombats.txt"], directory_id=ids["directory"], metadata={"year": 1})
        client.beta.directories.files.upload(ids["directory"], upload_file=("quokka.md", b"# Quokkas\n\nThey smile."))
        synced()
        after = {one.file_name: one.file_id for one in client.retrieval.find(index_id=ids["index"])}
        (first,) = client.retrieval.retrieve(
            index_id=ids["index"], query="wombats", custom_filters={"year": {"operator": "eq", "value": 1}}
        ).results
        client.indexes.delete(ids["index"])
        gone = list(client.indexes.list(source_directory_id=ids["directory"]))
        assert client.beta.directories.get(ids["directory"]).id == ids["directory"]
        return {"refused": refused, "after": after, "found": found, "first": first.metadata, "gone": gone}

    ids = sdk.run(indexed, name=f"followed {uuid.uuid4()}", files=FILES, sync_frequency="manual")
    told = sdk.run(journey, ids=ids)
    assert told["refused"] == [409, 409, 404, 404, 400, 409]
    assert set(told["after"]) == {"wombats.txt", "granite.txt", "quokka.md"}
    assert told["after"]["granite.txt"] == told["found"]["granite.txt"]
    assert (told["first"], told["gone"]) == ({"year": 1}, [])


def search(client: Any, ids: dict[str, str], **settings: Any) -> list[dict[str, Any]]:
    """What an index answers, as JSON."""
    answer = client.retrieval.retrieve(index_id=ids["index"], **settings)
    return [result.to_dict(mode="json") for result in answer.results]


def test_retrieval_tells_where_everything_is_from(sdk: OfficialSdk, ids: dict[str, str]) -> None:
    """Ensure that a result has both scores, the user's metadata alone, and its place in the file."""
    best, *_ = sdk.run(search, ids=ids, query="What do wombats dig?")
    assert best["content"] == WOMBATS
    assert best["metadata"] == FILES["wombats.txt"][1]
    assert 0 < best["rerank_score"] <= 1
    assert best["score"] == 1.0
    static = best["static_fields"]
    assert (static["chunk_index"], static["chunk_start_char"], static["chunk_end_char"]) == (0, 0, len(WOMBATS))
    plain, *_ = sdk.run(search, ids=ids, query="wombats", rerank={"enabled": False})
    assert plain["rerank_score"] is None
    # The SDK's examples search by the id of the export configuration.
    by_export = sdk.run(search, ids={"index": ids["export"]}, query="wombats", top_k=1)
    assert by_export[0]["content"] == WOMBATS


FILTERS: list[tuple[dict[str, Any], set[str]]] = [
    ({"year": {"operator": "eq", "value": 2020}}, {"wombats"}),
    ({"year": {"operator": "ne", "value": 2020}}, {"basalt", "granite"}),
    ({"year": {"operator": "gt", "value": 2022.5}}, {"basalt"}),
    ({"year": {"operator": "gte", "value": 2022.5}}, {"basalt", "granite"}),
    ({"year": {"operator": "lt", "value": 2022.5}}, {"wombats"}),
    ({"year": {"operator": "lte", "value": 2022.5}}, {"wombats", "granite"}),
    ({"kind": {"operator": "in", "value": ["rock", "tree"]}}, {"basalt", "granite"}),
    ({"kind": {"operator": "nin", "value": ["rock"]}}, {"wombats"}),
    ({"wild": {"operator": "eq", "value": True}}, {"wombats"}),
    ({"year": [{"operator": "gt", "value": 2020}, {"operator": "lt", "value": 2024}]}, {"granite"}),
    ({"kind": {"operator": "eq", "value": "rock"}, "year": {"operator": "gt", "value": 2023}}, {"basalt"}),
    ({"kind": None}, {"wombats", "basalt", "granite"}),
]


@pytest.mark.parametrize(("filters", "expected"), FILTERS, ids=[str(filters)[:50] for filters, _ in FILTERS])
def test_custom_filters(sdk: OfficialSdk, ids: dict[str, str], filters: dict[str, Any], expected: set[str]) -> None:
    """Ensure that each operator, ranges, and several fields at once choose the files that they describe."""
    found = sdk.run(search, ids=ids, query="lava, ground and claws", custom_filters=filters)
    assert {result["content"].split()[0].lower() for result in found} == expected


def test_the_numbers_of_a_retrieval(sdk: OfficialSdk, ids: dict[str, str]) -> None:
    """Ensure that numbers of results, the threshold, and the weights of both searches do what they are called."""

    def texts(**settings: Any) -> list[str]:
        found = sdk.run(search, ids=ids, query="lava cools quickly", **settings)
        return [result["content"].split()[0] for result in found]

    assert len(texts()) == len(texts(top_k=9999)) == 3
    assert texts(top_k=1) == texts(rerank={"top_n": 1}) == ["Basalt"]
    assert texts(top_k=2, rerank={"enabled": False}, num_candidates=1)[0] == "Basalt"
    # Words find two of the files, vectors all three.
    words = texts(vector_pipeline_weight=0, full_text_pipeline_weight=1, rerank={"enabled": False})
    assert words == ["Basalt", "Granite"]
    assert len(texts(full_text_pipeline_weight=0, rerank={"enabled": False})) == 3
    assert texts(score_threshold=0.9) == ["Basalt"]
    assert texts(score_threshold=1.1) == []


def test_static_filters(sdk: OfficialSdk, ids: dict[str, str]) -> None:
    """Ensure that a retrieval can be limited to files, or keep away from them."""

    def journey(client: Any, ids: dict[str, str]) -> list[list[str]]:
        (file,) = client.retrieval.find(index_id=ids["index"], file_name="granite.txt")
        told = []
        for operator, value in (("eq", file.file_id), ("in", [file.file_id]), ("ne", file.file_id)):
            static = {"parsed_directory_file_id": {"operator": operator, "value": value}}
            answer = client.retrieval.retrieve(index_id=ids["index"], query="lava", static_filters=static)
            told.append(sorted(result.content.split()[0] for result in answer.results))
        return told

    assert sdk.run(journey, ids=ids) == [["Granite"], ["Granite"], ["Basalt", "Wombats"]]


def test_files_are_found_grepped_and_read(sdk: OfficialSdk, ids: dict[str, str]) -> None:
    """Ensure that names, patterns and places in a text are understood, page by page."""

    def journey(client: Any, ids: dict[str, str]) -> None:
        index_id = ids["index"]
        names = [one.file_name for one in client.retrieval.find(index_id=index_id, page_size=1)]
        assert names == ["wombats.txt", "basalt.txt", "granite.txt"]
        assert client.retrieval.find(index_id=index_id, page_size=5000).next_page_token is None
        assert [one.file_name for one in client.retrieval.find(index_id=index_id, file_name_contains="ANI")] == [
            "granite.txt"
        ]
        assert list(client.retrieval.find(index_id=index_id, file_name="granite")) == []
        (file,) = client.retrieval.find(index_id=index_id, file_name="wombats.txt")
        where = {"index_id": index_id, "file_id": file.file_id}
        matches = list(client.retrieval.grep(**where, pattern="wombats?|(?i:WOMBATS)", context_chars=5, page_size=1))
        assert [(one.start_char, one.end_char, one.content) for one in matches] == [
            (0, 7, "Wombats dig "),
            (38, 45, "aws. Wombats slee"),
        ]
        assert list(client.retrieval.grep(**where, pattern="x*")) == []
        text = client.retrieval.read(**where).content
        assert text.startswith("Wombats dig burrows")
        assert client.retrieval.read(**where, offset=8, max_length=3).content == "dig"
        assert client.retrieval.read(**where, offset=9999).content == ""

    sdk.run(journey, ids=ids)


def test_patterns_that_cannot_be_or_never_end(sdk: OfficialSdk, ids: dict[str, str]) -> None:
    """Ensure that a bad pattern is refused, and that one that backtracks for ever ends after seconds."""

    def journey(client: Any, ids: dict[str, str]) -> list[str]:
        import llama_cloud

        (file,) = client.retrieval.find(index_id=ids["index"], file_name="wombats.txt")
        told = []
        for pattern in ("(", "", "a" * 2000, r"(.|..|...)+[QZ]"):
            try:
                list(client.retrieval.grep(index_id=ids["index"], file_id=file.file_id, pattern=pattern))
            except llama_cloud.UnprocessableEntityError as error:
                told.append(error.body["detail"][0]["msg"])
        return told

    started = time.monotonic()
    assert [message.split()[0:2] for message in sdk.run(journey, ids=ids)] == [
        ["Invalid", "regex"],
        ["Input", "should"],
        ["Pattern", "exceeds"],
        ["Pattern", "took"],
    ]
    assert time.monotonic() - started < 15


def test_attachments_are_listed_and_downloaded(sdk: OfficialSdk, data_dir: Path) -> None:
    """Ensure that page screenshots and items of an index can be had by the ids that results have, and by others."""

    def journey(client: Any, name: str, path: str) -> dict[str, Any]:
        import json
        import time
        from pathlib import Path

        import httpx
        import llama_cloud

        directory = client.beta.directories.create(name=name)
        source = client.beta.directories.files.upload(directory.id, upload_file=Path(path))
        index = client.indexes.create(source_directory_id=directory.id, store_attachments=["screenshots", "items"])
        while client.indexes.get(index.id, expand=["sync_in_progress"]).sync_in_progress:
            time.sleep(0.01)
        (first,) = client.retrieval.retrieve(index_id=index.id, query="table", top_k=1).results
        told: dict[str, Any] = {"contents": {}}
        for one in first.static_fields.attachments:
            url = client.beta.attachments.get(one.attachment_name, source_id=one.source_id).url
            content = httpx.get(url).content
            if one.type == "items":
                assert json.loads(content)["items"]
            told["contents"][one.attachment_name] = len(content)
        told["sizes"] = {
            one.name: one.size
            for one in client.beta.attachments.list(source_id=source.id, page_size=1)
            if one.name in told["contents"]
        }
        told["same"] = [one.name for one in client.beta.attachments.list(source_id=source.file_id)]
        try:
            client.beta.attachments.get("screenshots/page_99.jpg", source_id=source.id)
        except llama_cloud.NotFoundError:
            told["missing"] = True
        return told

    told = sdk.run(journey, name=f"attached {uuid.uuid4()}", path=str(data_dir / "table-and-pictures.pdf"))
    assert told["missing"]
    assert told["contents"] == told["sizes"]
    assert [name.partition("/")[0] for name in told["contents"]] == ["screenshots", "items"]
    assert {"screenshots/page_1.jpg", "items/page_1.json"} <= set(told["same"])


def test_the_example_of_an_index_over_a_directory(
    sdk_python: Path, sdk_source: Path, served_cloud: str, tmp_path: Path
) -> None:
    """Ensure that the published example creates a directory and an index, syncs it and prints what it retrieves."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "cheese.txt").write_text("Blue cheese is made with cultures of a mould.")
    example = shutil.copy(sdk_source / "examples" / "index_v2" / "create_sync_and_retrieve.py", tmp_path)
    environment = clean_environment(
        LLAMA_CLOUD_BASE_URL=served_cloud,
        LLAMA_CLOUD_API_KEY="llx-example",
        DATA_DIR=str(data),
        INDEX_RETRIEVAL_QUERY="What is blue cheese made with?",
    )
    # As published, it defines main() and does not call it.
    command = [str(sdk_python), "-c", f"import runpy; runpy.run_path({str(example)!r})['main']()"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "Blue cheese is made with cultures of a mould." in done.stdout


def test_the_calls_of_the_example_of_an_agent(sdk: OfficialSdk, ids: dict[str, str]) -> None:
    """Ensure that what the published agent's tools ask for, None among their arguments, is answered."""

    async def journey(client: Any, ids: dict[str, str]) -> list[Any]:
        page = await client.indexes.list(page_token=None, project_id=None)
        assert ids["export"] in [index.export_config_id for index in page.items]
        index_id = ids["export"]
        answer = await client.retrieval.retrieve(
            index_id=index_id, query="lava", top_k=None, score_threshold=None, rerank={"enabled": True, "top_n": 1}
        )
        files = await client.retrieval.find(index_id=index_id, file_name=None, file_name_contains=None, page_token=None)
        read = await client.retrieval.read(index_id=index_id, file_id=files.items[0].file_id, offset=0, max_length=None)
        matches = await client.retrieval.grep(
            index_id=index_id,
            file_id=files.items[0].file_id,
            pattern="dig",
            context_chars=None,
            page_size=None,
            page_token=None,
        )
        return [len(answer.results), read.content[:7], [match.content for match in matches.items]]

    assert sdk.run(journey, ids=ids) == [1, "Wombats", ["dig"]]
