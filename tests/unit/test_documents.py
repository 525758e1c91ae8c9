"""Documents: pages, metadata, flags and speed."""

from __future__ import annotations

import gc
import logging
import statistics
import time
from pathlib import Path
from typing import Any

import pytest
from llama_index.core import SimpleDirectoryReader
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.schema import Document, MetadataMode

from llama_cloud_ext.jobs.source_identity import SourceIdentity
from llama_cloud_ext.parse.result import ParseResult
from llama_cloud_ext.wire.sources import resolve_source
from tests.unit.parse_samples import SOURCE, heading, response, text

PAGES = [[heading(1, "One"), text("first\n---\npage")], [text("")], [text("third page " * 300)]]


def make(source: SourceIdentity = SOURCE, **more: Any) -> ParseResult:
    return ParseResult(response(PAGES, **more), source=source)


def test_one_document_a_page() -> None:
    """Ensure pages come from the page list, so that a page containing a separator stays one Document."""
    documents = make().documents()
    assert len(documents) == 3
    assert documents[0].text == "# One\n\nfirst\n---\npage"
    assert documents[0].metadata == {
        "team": "finance",
        "file_name": "report.pdf",
        "file_path": "/data/report.pdf",
        "page_number": 1,
        "page_count": 3,
        "page_label": "A-1",
    }


def test_text_and_markdown() -> None:
    """Ensure the kind chooses the text, and markdown is the default where it was fetched."""
    result = make()
    assert result.documents(kind="text")[0].text == "One\n\nfirst\n---\npage"
    assert result.documents()[0].text.startswith("# One")
    assert make(markdown=None).documents()[0].text.startswith("One")


def test_whole_document() -> None:
    """Ensure one Document for the file has the same metadata, but for the page, and an id of its own."""
    (document,) = make().documents(split_by_page=False)
    assert document.text == make().markdown
    assert "page_number" not in document.metadata
    assert document.metadata["page_count"] == 3
    assert document.id_ not in {page.id_ for page in make().documents()}


def test_blank_and_failed_pages_are_kept_flagged_and_counted_once(caplog: pytest.LogCaptureFixture) -> None:
    """Ensure missing content is visible: in its place, in the metadata, and in one warning."""
    raw = response(PAGES)
    raw["markdown"]["pages"][2] = {"page_number": 3, "success": False, "error": "model refused"}
    with caplog.at_level(logging.WARNING):
        documents = ParseResult(raw, source=SOURCE).documents()
    assert [document.text for document in documents[1:]] == ["", ""]
    assert documents[1].metadata["page_blank"] is True
    assert "page_error" not in documents[1].metadata
    assert documents[2].metadata["page_error"] == "model refused"
    (record,) = caplog.records
    message = record.getMessage()
    assert all(part in message for part in ("report.pdf", "pjb-1", "1 blank (2)", "1 failed (3: model refused)"))
    (whole,) = ParseResult(raw, source=SOURCE).documents(split_by_page=False)
    assert whole.metadata["failed_pages"] == "3"


def test_complete_result_logs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Ensure there is no warning when there is nothing to warn about."""
    ParseResult(response([[text("a")]]), source=SOURCE).documents()
    assert not caplog.records


def test_extra_info_is_merged_and_not_changed() -> None:
    """Ensure the caller's metadata wins over file name and path, stays flat, and is left alone."""
    extra = {"file_path": "docs/report.pdf", "tags": ["a", "b"], "page_number": 99}
    document = make(SourceIdentity("report.pdf", "file:/x", path="/x", extra_info=extra)).documents()[0]
    assert document.metadata["file_path"] == "docs/report.pdf"
    assert document.metadata["tags"] == '["a", "b"]'
    assert document.metadata["page_number"] == 1
    assert extra == {"file_path": "docs/report.pdf", "tags": ["a", "b"], "page_number": 99}


def test_nothing_that_changes_from_run_to_run() -> None:
    """Ensure another job for the same file gives equal Documents, hash included."""
    first, second = make(), make(job={"id": "pjb-2", "usage": {"credits": 1}}, job_metadata={"x": 1})
    assert first.documents() == second.documents()
    assert [d.hash for d in first.documents()] == [d.hash for d in second.documents()]


def test_identity_comes_from_the_source(tmp_path: Path) -> None:
    """Ensure a file keeps its ids when parsed again, and its namesake in another folder has others."""
    ids = []
    for folder in ("a", "a", "b"):
        path = tmp_path / folder / "report.pdf"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"%PDF-1.7")
        extra = {"owner": "me"}
        source = SourceIdentity.of(resolve_source(str(path), extra_info=extra))
        document = make(source).documents()[0]
        assert document.metadata["file_name"] == "report.pdf"
        assert document.metadata["file_path"] == str(path)
        assert document.metadata["owner"] == "me"
        assert extra == {"owner": "me"}
        ids.append(document.id_)
    assert ids[0] == ids[1] != ids[2]


def test_simple_directory_reader_can_extend_each_document() -> None:
    """Ensure what SimpleDirectoryReader does to documents afterwards stays with each of them."""
    documents = SimpleDirectoryReader(input_files=[__file__])._exclude_metadata(make().documents())
    assert len({len(document.excluded_llm_metadata_keys) for document in documents}) == 1
    assert documents[0].get_metadata_str(MetadataMode.EMBED) == "team: finance\nfile_path: /data/report.pdf"


def test_excluded_keys_are_not_shared() -> None:
    """Ensure extending one document's lists, as SimpleDirectoryReader does, leaves the others alone."""
    documents = make().documents()
    documents[0].excluded_embed_metadata_keys.append("mine")
    documents[0].excluded_llm_metadata_keys.append("mine")
    assert "mine" not in documents[1].excluded_embed_metadata_keys
    assert "mine" not in documents[0].model_copy().excluded_llm_metadata_keys[:-1]
    assert "mine" not in documents[1].excluded_llm_metadata_keys


def test_models_see_the_path_and_llms_the_page() -> None:
    """Ensure texts for models carry what SimpleDirectoryReader leaves in, and the page only where it helps to cite."""
    document = make().documents()[0]
    embed, llm = (document.get_metadata_str(mode) for mode in (MetadataMode.EMBED, MetadataMode.LLM))
    assert embed == "team: finance\nfile_path: /data/report.pdf"
    assert llm == "team: finance\nfile_path: /data/report.pdf\npage_number: 1\npage_label: A-1"
    nameless = make(SourceIdentity("upload.pdf", "sha256:1")).documents()[0]
    assert "file_name: upload.pdf" in nameless.get_metadata_str(MetadataMode.EMBED)


def test_metadata_survives_a_splitter() -> None:
    """Ensure chunks of 256 tokens keep file and page, even when path and page error are very long."""
    raw = response(PAGES)
    raw["markdown"]["pages"][1] = {"page_number": 2, "success": False, "error": "word " * 5000}
    long = "/very/long" * 100 + "/report.pdf"
    documents = ParseResult(raw, source=SourceIdentity("report.pdf", "file:x", path=long)).documents()
    nodes = IngestionPipeline(transformations=[SentenceSplitter(chunk_size=256)]).run(documents=documents)
    assert len(nodes) > 5
    assert {node.metadata["page_number"] for node in nodes} >= {1, 3}
    assert all(node.metadata["file_path"] == long for node in nodes)
    assert all(node.ref_doc_id in {document.id_ for document in documents} for node in nodes)


def test_broken_unicode_is_no_obstacle() -> None:
    """Ensure lone surrogates in text or names do not make Documents impossible."""
    raw = {"text": {"pages": [{"text": "a\ud800b", "page_number": 1}]}}
    (document,) = ParseResult(raw, source=SourceIdentity("r\udc80.pdf", "file:r\udc80.pdf")).documents()
    assert document.text == "a\\ud800b"
    assert document.hash


def test_ten_thousand_pages_at_half_the_speed_of_bare_documents() -> None:
    """Ensure the conversion costs at most as much again as making the Document objects themselves."""
    numbers = range(1, 10_001)
    raw = {
        "job": {"id": "pjb-1"},
        "markdown": {"pages": [{"page_number": n, "success": True, "markdown": "words " * 200} for n in numbers]},
        "metadata": {"pages": [{"page_number": n, "printed_page_number": str(n)} for n in numbers]},
    }
    contents = [(d.text, d.metadata) for d in ParseResult(raw, source=SOURCE).documents()]

    def bare() -> list[Document]:
        return [Document(text=words, metadata=dict(metadata)) for words, metadata in contents]

    def ours() -> list[Document]:
        return ParseResult(raw, source=SOURCE).documents()

    def seconds(make: Any) -> float:
        gc.collect()
        gc.disable()  # a collection of the whole heap would be charged to whoever happens to trigger it
        try:
            started = time.process_time()
            made = make()
            elapsed = time.process_time() - started
        finally:
            gc.enable()
        assert len(made) == 10_000
        return elapsed

    ratio = statistics.median(seconds(bare) / seconds(ours) for _ in range(5))
    print(f"documents() runs at {ratio:.2f} of the speed of bare Documents")
    assert ratio >= 0.5
