"""LlamaParseTransform in LlamaIndex's ingestion pipeline, on real files."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest
from llama_index.core import Document, MockEmbedding
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.ingestion.pipeline import get_transformation_hash
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.schema import TextNode
from llama_index.core.storage.docstore import SimpleDocumentStore
from llama_index.core.vector_stores import SimpleVectorStore

from llama_cloud_ext import ConfigurationError, LlamaParseReader, LlamaParseTransform, PartialFailureError, SourceError


@pytest.fixture
def folder(tmp_path: Path, data_dir: Path) -> Path:
    """A folder of two files, one of them deeper."""
    files = tmp_path / "files"
    (files / "deep").mkdir(parents=True)
    shutil.copy(data_dir / "latex-lorem.pdf", files)
    shutil.copy(data_dir / "table-and-pictures.pdf", files / "deep")
    return files


def reader_at(tmp_path: Path, **options: Any) -> LlamaParseReader:
    """A reader with a service of its own."""
    return LlamaParseReader(base_url=f"local:{tmp_path / 'cloud'}", **options)


def test_files_become_documents(folder: Path, tmp_path: Path) -> None:
    """Ensure files are parsed as the reader would, with what stood for them as source, and its metadata and order."""
    reader = reader_at(tmp_path)
    stubs = LlamaParseTransform.file_documents(folder)
    assert [stub.id_ for stub in stubs] == [stub.id_ for stub in LlamaParseTransform.file_documents(folder)]
    stubs[0].metadata["owner"] = "me"
    documents = LlamaParseTransform(reader=reader)(stubs)
    own = reader.load_data([folder / "deep" / "table-and-pictures.pdf", folder / "latex-lorem.pdf"])
    assert [document.get_content() for document in documents] == [document.text for document in own]
    assert documents[0].metadata["owner"] == "me"
    assert [document.ref_doc_id for document in documents] == [stubs[0].id_] + [stubs[1].id_] * 4
    assert "last_modified" not in documents[0].get_content(metadata_mode="llm")  # type: ignore[arg-type]  # a str enum


async def test_the_same_asynchronously(folder: Path, tmp_path: Path) -> None:
    """Ensure `acall` gives what calling it gives."""
    transform = LlamaParseTransform(reader=reader_at(tmp_path))
    stubs = LlamaParseTransform.file_documents(folder)
    awaited = await transform.acall(stubs)
    assert [one.get_content() for one in awaited] == [one.get_content() for one in transform(stubs)]


def test_what_stands_for_a_file(folder: Path, tmp_path: Path) -> None:
    """Ensure a file of several nodes is parsed once, other keys are found, and nodes without one raise or stay."""
    reader = reader_at(tmp_path)
    path = str(folder / "latex-lorem.pdf")
    pages = [TextNode(text="", metadata={"file_path": path}) for _ in range(3)]
    other = TextNode(text="as it is")
    mixed = LlamaParseTransform(reader=reader, without_location="keep")([other, *pages])
    assert mixed[0].node_id == other.node_id
    assert len(mixed) == 5
    assert len(reader.list_jobs()) == 1
    named = LlamaParseTransform(reader=reader, location_key="where")
    assert len(named([Document(text="", metadata={"where": path})])) == 4
    with pytest.raises(ConfigurationError, match="which file it stands for"):
        named(pages)


async def test_failures(folder: Path, tmp_path: Path, data_dir: Path) -> None:
    """Ensure one bad file raises with the others' results, or is passed over and named."""
    shutil.copy(data_dir / "truncated.pdf", folder)
    stubs = LlamaParseTransform.file_documents(folder)
    with pytest.raises(PartialFailureError, match="truncated"):
        LlamaParseTransform(reader=reader_at(tmp_path))(stubs)
    lenient = LlamaParseTransform(reader=reader_at(tmp_path, on_error="skip"))
    assert len(lenient(stubs)) == 5
    assert [failure.source for failure in lenient.reader.failures] == [str(folder / "truncated.pdf")]
    (folder / "truncated.pdf").unlink()
    # A pipeline's batch may happen to hold nothing else.
    bad = [stub for stub in stubs if stub.metadata["file_path"].endswith("truncated.pdf")]
    assert LlamaParseTransform(reader=lenient.reader)(bad) == []
    (kept,) = await LlamaParseTransform(reader=lenient.reader, failed_files="keep").acall(bad)
    assert (kept.node_id, kept.metadata["file_path"]) == (bad[0].id_, bad[0].metadata["file_path"])
    assert "does not exist" in kept.metadata["parse_error"]
    assert "parse_error" not in bad[0].metadata
    with pytest.raises(SourceError):
        LlamaParseTransform.file_documents(tmp_path / "nowhere" / "*.pdf")
    with pytest.raises(ConfigurationError, match="no file that another process could find"):
        LlamaParseTransform.file_documents(b"%PDF")


def test_an_empty_file(folder: Path, tmp_path: Path) -> None:
    """Ensure a file that cannot be sent stands in the list as any other, with the same id, and fails by itself."""
    ids = {stub.metadata["file_path"]: stub.id_ for stub in LlamaParseTransform.file_documents(folder)}
    empty = folder / "latex-lorem.pdf"
    empty.write_bytes(b"")
    stubs = LlamaParseTransform.file_documents(folder)
    assert {stub.metadata["file_path"]: stub.id_ for stub in stubs} == ids
    lenient = LlamaParseTransform(reader=reader_at(tmp_path, on_error="skip"), failed_files="keep")
    errors = {node.metadata["file_path"]: node.metadata.get("parse_error", "") for node in lenient(stubs)}
    assert "is empty" in errors.pop(str(empty))
    assert list(errors.values()) == [""]


def test_failures_are_not_cached(folder: Path, tmp_path: Path) -> None:
    """Ensure a file that failed for a reason that has passed is there in the next run of the same pipeline."""
    transform = LlamaParseTransform(reader=reader_at(tmp_path, on_error="skip", ledger=tmp_path / "ledger"))
    pipeline = IngestionPipeline(transformations=[transform])
    stubs = LlamaParseTransform.file_documents(folder)
    hidden = (folder / "latex-lorem.pdf").rename(tmp_path / "hidden.pdf")
    assert len(pipeline.run(documents=stubs)) == 1
    hidden.rename(folder / "latex-lorem.pdf")
    assert len(pipeline.run(documents=stubs)) == 5
    assert len(transform.reader.list_jobs()) == 2
    assert LlamaParseTransform.from_dict(transform.to_dict()).reader.on_error == "skip"


def test_what_is_no_files_fault(folder: Path) -> None:
    """Ensure lenient transforms raise what every file would fail of, such as a service that cannot be reached."""
    reader = LlamaParseReader(base_url="http://127.0.0.1:9", api_key="llx-test", on_error="skip", retry_budget=0.1)
    with pytest.raises(PartialFailureError, match=r"127\.0\.0\.1:9"):
        LlamaParseTransform(reader=reader, failed_files="keep")(LlamaParseTransform.file_documents(folder))


def test_a_pipeline_replaces_what_changed(folder: Path, tmp_path: Path) -> None:
    """Ensure a run over changed files parses these alone, and their old chunks leave the vector store."""
    reader = reader_at(tmp_path)
    store = SimpleVectorStore()
    pipeline = IngestionPipeline(
        transformations=[
            LlamaParseTransform(reader=reader),
            SentenceSplitter(chunk_size=200, chunk_overlap=0),
            MockEmbedding(embed_dim=2),
        ],
        docstore=SimpleDocumentStore(),
        vector_store=store,
    )
    (folder / "note.md").write_text("first state " * 5)
    first = pipeline.run(documents=LlamaParseTransform.file_documents(folder))
    (folder / "note.md").write_text("second and longer state " * 5)
    second = pipeline.run(documents=LlamaParseTransform.file_documents(folder))
    assert {node.metadata["file_name"] for node in second} == {"note.md"}
    assert len(reader.list_jobs()) == 4
    gone = {node.node_id for node in first if node.metadata["file_name"] == "note.md"}
    assert not gone & set(store.data.embedding_dict)
    assert {node.node_id for node in second} <= set(store.data.embedding_dict)


def test_a_cache_never_takes_one_file_for_another(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Ensure unchanged files come from a pipeline's cache, and documents without text are not mixed up by it."""
    reader = reader_at(tmp_path)
    pipeline = IngestionPipeline(transformations=[LlamaParseTransform(reader=reader)])
    first = pipeline.run(documents=LlamaParseTransform.file_documents(folder))
    assert [one.get_content() for one in pipeline.run(documents=LlamaParseTransform.file_documents(folder))] == [
        one.get_content() for one in first
    ]
    assert len(reader.list_jobs()) == 2
    assert not caplog.records
    for path in (folder / "latex-lorem.pdf", folder / "deep" / "table-and-pictures.pdf"):
        (stub,) = [Document(text="", metadata={"file_path": str(path)})]
        assert {one.metadata["file_name"] for one in pipeline.run(documents=[stub])} == {path.name}
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_worker_processes_share_a_ledger(folder: Path, tmp_path: Path) -> None:
    """Ensure a pipeline's worker processes give what one process gives, and parse each file once."""
    reader = reader_at(tmp_path, ledger=tmp_path / "ledger")
    stubs = LlamaParseTransform.file_documents(folder)
    pipeline = IngestionPipeline(transformations=[LlamaParseTransform(reader=reader)], disable_cache=True)
    spread = pipeline.run(documents=stubs, num_workers=2)
    assert len(reader.list_jobs()) == 2
    assert [node.get_content() for node in spread] == [node.get_content() for node in pipeline.run(documents=stubs)]
    assert len(reader.list_jobs()) == 2


def test_it_is_written_down_without_its_key(folder: Path) -> None:
    """Ensure serialised forms and cache keys know the options and not the key, and pickles work."""
    transform = LlamaParseTransform(reader=LlamaParseReader(api_key="llx-secret-of-mine", tier="fast"))
    other = LlamaParseTransform(reader=LlamaParseReader(api_key="llx-another", tier="fast"))
    slower = LlamaParseTransform(reader=LlamaParseReader(api_key="llx-another", tier="agentic"))
    assert "secret" not in transform.to_json() + repr(transform)
    stubs = LlamaParseTransform.file_documents(folder)
    keys = [get_transformation_hash(stubs, one) for one in (transform, other, slower)]
    assert keys[0] == keys[1] != keys[2]
    assert pickle.loads(pickle.dumps(transform)).reader.tier == "fast"
