"""LlamaCloudDirectoryIndex on local LlamaCloud: real files in, answers out, changes followed."""

from __future__ import annotations

import asyncio
import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from llama_index.core import Document
from llama_index.core.llms import MockLLM
from llama_index.core.schema import ImageNode
from llama_index.core.vector_stores import MetadataFilter, MetadataFilters

from llama_cloud_ext import (
    ConflictError,
    IngestionError,
    LlamaCloudDirectoryIndex,
    LlamaCloudDirectoryRetriever,
    LlamaCloudIndex,
    NotFoundError,
    UnprocessableError,
    list_indexes,
)

TABLES, BROKEN = "r-datasets-tables.pdf", "truncated.pdf"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A local LlamaCloud."""
    return f"local:{tmp_path_factory.mktemp('directories')}"


@pytest.fixture
def folder(tmp_path: Path, data_dir: Path) -> Path:
    """A folder with a PDF and, in two folders below it, two texts of the same name."""
    made = tmp_path / "folder"
    for place, text in (("australia", "Wombats dig burrows."), ("america", "Armadillos dig burrows.")):
        (made / place).mkdir(parents=True)
        (made / place / "animal.txt").write_text(text)
    shutil.copy(data_dir / TABLES, made)
    return made


def test_a_folder_from_first_upload_to_answers(address: str, folder: Path) -> None:
    """Ensure a folder becomes an index that retrieves with file, page and score, answers, and follows its changes."""
    index = LlamaCloudDirectoryIndex.from_folder(folder, "folder", custom_metadata={"year": 2024}, base_url=address)
    assert sorted(str(file.unique_id) for file in index.list_files()) == [
        "america/animal.txt",
        "australia/animal.txt",
        TABLES,
    ]
    best = index.as_retriever(top_k=3).retrieve("Which table lists car models by miles per gallon?")[0]
    assert best.metadata["file_name"] == TABLES
    assert best.metadata["page_number"] >= 1
    assert best.metadata["year"] == 2024
    assert best.score
    text = index.read_file(best.metadata["file_id"])
    assert text[best.node.start_char_idx : best.node.end_char_idx] == best.text
    answer = index.as_query_engine(llm=MockLLM(), top_k=1).query("What do wombats dig?")
    assert answer.source_nodes[0].text == "Wombats dig burrows."
    ids = {str(file.unique_id): file.id for file in index.list_files()}

    (folder / "australia" / "animal.txt").write_text("Quokkas smile.")
    again = LlamaCloudDirectoryIndex.from_folder(folder, "folder", custom_metadata={"year": 2024}, base_url=address)
    after = {str(file.unique_id): file.id for file in again.list_files()}
    assert {name for name, file_id in after.items() if ids[name] != file_id} == {"australia/animal.txt"}
    assert again.id == index.id
    assert index.as_retriever(top_k=1).retrieve("Who smiles?")[0].text == "Quokkas smile."
    again.delete_file(str(after["america/animal.txt"]))
    assert [file.name for file in index.find_files("ANIMAL")] == ["animal.txt"]


def test_everything_asynchronously(address: str, folder: Path) -> None:
    """Ensure the asynchronous twins do the same, in several event loops one after the other."""

    async def create() -> LlamaCloudDirectoryIndex:
        index = await LlamaCloudDirectoryIndex.afrom_folder(folder, "asynchronous", base_url=address)
        await index.aupload_files([b"Emus cannot walk backwards."])
        await index.ainsert(Document(text="Kiwis have no tails.", id_="kiwi"))
        return index

    async def use(index: LlamaCloudDirectoryIndex) -> None:
        nodes = await index.as_retriever(top_k=2).aretrieve("Which bird cannot walk backwards?")
        assert nodes[0].text == "Emus cannot walk backwards."
        (file,) = await index.afind_files(name="kiwi.txt")
        assert [match.content for match in await index.agrep(file.id, "no t.*s")] == ["no tails"]
        assert await index.aread_file(file.id, offset=6, max_length=4) == "have"
        assert "Kiwis" in str((await index.as_tools()[0].acall(query="tails")).content)
        assert (await index.astatus())["sync_in_progress"] is False
        assert await index.arefresh_ref_docs([Document(text="Kiwis have no tails.", id_="kiwi")]) == [False]
        await index.adelete_ref_doc("kiwi", raise_if_not_found=True)
        with pytest.raises(NotFoundError):
            await index.adelete_ref_doc("kiwi", raise_if_not_found=True)
        await index.adelete(delete_directory=True)

    index = asyncio.run(create())
    asyncio.run(use(index))
    with pytest.raises(NotFoundError):
        LlamaCloudDirectoryIndex("asynchronous", base_url=address).find_files()


def test_files_that_cannot_be_read_are_named(address: str, data_dir: Path) -> None:
    """Ensure a file that fails raises with its reason, the others can be searched, and a later call does not suffer."""
    index = LlamaCloudDirectoryIndex.create_index("failing", base_url=address)
    with pytest.raises(IngestionError, match=r"truncated\.pdf.*PDF_IS_BROKEN"):
        index.upload_files([data_dir / BROKEN, b"Basalt is a rock."])
    assert index.as_retriever().retrieve("rock")[0].text == "Basalt is a rock."
    index.insert(Document(text="Granite is another.", id_="granite"))
    with pytest.raises(IngestionError, match="PDF_IS_BROKEN"):
        index.resync()
    assert index.resync(raise_on_error=False)["metadata"]["status"] == "ready"
    (broken,) = index.list_files(name_contains="truncated")
    index.delete_file(str(broken.id))
    assert index.wait_for_completion()["metadata"]["error_message"] is None


def test_filters_and_settings(address: str) -> None:
    """Ensure LlamaIndex filters, files and numbers choose what they say."""
    documents = [
        Document(text=f"Report {year}.", id_=f"r-{year}", metadata={"year": year}) for year in (2020, 2022, 2024)
    ]
    index = LlamaCloudDirectoryIndex.from_documents(documents, "filtered", base_url=address)

    def years(*filters: MetadataFilter, **settings: Any) -> list[int]:
        given = MetadataFilters(filters=list(filters)) if filters else None
        found = index.as_retriever(filters=given, **settings).retrieve("report")
        return sorted(node.metadata["year"] for node in found)

    since, until = (
        MetadataFilter(key="year", value=2021, operator=">"),
        MetadataFilter(key="year", value=2024, operator="<"),
    )
    assert years(since) == [2022, 2024]
    assert years(since, until) == [2022]
    assert years(MetadataFilter(key="year", value=[2020, 2024], operator="in")) == [2020, 2024]
    (file,) = index.find_files("2020")
    assert years(file_ids=[file.id]) == [2020]
    assert len(years(top_k=2, enable_reranking=False)) == 2
    assert len(years(rerank_top_n=1)) == 1
    assert years(score_threshold=1.1) == []


def test_it_is_apart_from_other_indexes(address: str) -> None:
    """Ensure indexes of both kinds may have one name, and what is behind this kind is in no list of the other."""
    LlamaCloudDirectoryIndex.from_documents([Document(text="New kind.", id_="n")], "both", base_url=address)
    LlamaCloudIndex.from_documents([Document(text="Old kind.", id_="o")], "both", base_url=address)
    new = LlamaCloudDirectoryRetriever("both", base_url=address).retrieve("kind")
    assert [node.text for node in new] == ["New kind."]
    assert [record["name"] for record in list_indexes(base_url=address)] == ["both"]


def test_page_screenshots_and_items(address: str, folder: Path) -> None:
    """Ensure an index that keeps attachments hands out pictures of pages, and items with their boxes."""
    index = LlamaCloudDirectoryIndex.from_folder(
        folder, "attached", store_attachments=["screenshots", "items"], base_url=address
    )
    (file,) = index.find_files("tables")
    names = [one.name for one in index.list_attachments(file.id)]
    assert {"screenshots/page_1.jpg", "items/page_1.json"} <= set(names)
    assert index.read_attachment(file.id, "screenshots/page_1.jpg").startswith(b"\xff\xd8")
    assert json.loads(asyncio.run(index.aread_attachment(file.id, "items/page_1.json")))["items"]
    with pytest.raises(NotFoundError):
        index.read_attachment(file.id, "screenshots/page_999.jpg")
    retriever = index.as_retriever(top_k=2, file_ids=[file.id], retrieve_page_screenshot_nodes=True)
    for nodes in (retriever.retrieve("tables"), asyncio.run(retriever.aretrieve("tables"))):
        pictures = [node for node in nodes if isinstance(node.node, ImageNode)]
        assert 1 <= len(pictures) <= 2
        assert pictures[0].node.resolve_image().read().startswith(b"\xff\xd8")
        assert pictures[0].metadata["page_number"] == nodes[0].metadata["page_number"]
        assert pictures[0].node.image_mimetype == "image/jpeg"
    # Texts have none.
    words = index.as_retriever(retrieve_page_screenshot_nodes=True, top_k=1).retrieve("What do wombats dig?")
    assert len(words) == 1


def test_patterns(address: str) -> None:
    """Ensure a pattern that cannot be read raises, and every match is found however many pages they take."""
    index = LlamaCloudDirectoryIndex.from_documents(
        [Document(text="ab " * 300, id_="many")], "patterns", base_url=address
    )
    (file,) = index.find_files()
    matches = index.grep(file.id, "a(?=b)")
    assert [match.start_char for match in matches] == list(range(0, 900, 3))
    assert len(index.grep(file.id, "b", limit=60)) == 60
    with pytest.raises(UnprocessableError, match="Invalid regex pattern"):
        index.grep(file.id, "(")
    with pytest.raises(NotFoundError):
        index.grep("dfl-0", "a")


def test_copies_and_cancelling(address: str) -> None:
    """Ensure a retriever can be pickled, and cancelling what does not run is an error."""
    index = LlamaCloudDirectoryIndex.from_documents([Document(text="Copied.", id_="c")], "copied", base_url=address)
    copied: LlamaCloudDirectoryRetriever = pickle.loads(pickle.dumps(index.as_retriever(top_k=1)))
    assert copied.retrieve("copied")[0].node_id == index.as_retriever(top_k=1).retrieve("copied")[0].node_id
    calls: list[Callable[[], Any]] = [index.cancel_sync, lambda: asyncio.run(index.acancel_sync())]
    for call in calls:
        with pytest.raises(ConflictError):
            call()
    assert set(index.ref_doc_info) == {"c"}
    assert (index.name, index.project_name, index.record["id"]) == ("copied", "Default", index.id)
