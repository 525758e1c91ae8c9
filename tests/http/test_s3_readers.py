"""The readers and the transform over files on S3, for real: s3fs against an S3 server on loopback."""

from __future__ import annotations

import functools
import uuid
from typing import Any

import pytest
import s3fs
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.node_parser import SentenceSplitter

from llama_cloud_ext import LlamaParseTransform, PartialFailureError, SourceError
from tests.http.scripted_batches import ScriptedBatches
from tests.http.scripted_service import ScriptedService
from tests.http.test_s3_sources import endpoint, environment, s3  # noqa: F401 - fixtures


@pytest.fixture
def folder(s3: Any) -> str:  # noqa: F811 - the fixture
    """A prefix with two PDFs, one of them deeper, and something else."""
    folder = f"s3://papers/{uuid.uuid4().hex}"
    for name in ("a.pdf", "deep/b.pdf", "notes.txt"):
        s3.pipe_file(f"{folder}/{name}", f"%PDF-1.7 {name}".encode())
    return folder


def test_load_data(folder: str) -> None:
    """Ensure Documents of objects know their URL, and have the same ids in every run."""
    service = ScriptedService()
    urls = [f"{folder}/a.pdf", f"{folder}/deep/b.pdf"]
    documents = service.reader().load_data(urls)
    assert [document.metadata["file_path"] for document in documents] == urls
    assert [document.id_ for document in documents] == [document.id_ for document in service.reader().load_data(urls)]
    sent = b"".join(request.content for request in service.requests)
    assert [sent.count(b"%PDF-1.7 " + name) for name in (b"a.pdf", b"deep/b.pdf")] == [2, 2]


def test_a_missing_object(folder: str) -> None:
    """Ensure an object that is not there is named by its URL, and takes no other along."""
    with pytest.raises(PartialFailureError) as raised:
        ScriptedService().reader().parse([f"{folder}/a.pdf", f"{folder}/none.pdf"])
    (failure,) = raised.value.failures
    assert isinstance(failure.error, SourceError)
    assert f"{folder}/none.pdf" in str(failure.error)
    assert raised.value.results[0].source.path == f"{folder}/a.pdf"


def test_an_object_that_may_not_be_read(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure an object that is listed but may not be read is an error of its own, by its URL."""
    original = s3fs.S3FileSystem._cat_file

    @functools.wraps(original)  # whoever reads ranges looks whether it takes them
    async def refusing(self: Any, path: str, *args: Any, **kwargs: Any) -> Any:
        if path.endswith("b.pdf"):
            raise PermissionError("Access Denied")
        return await original(self, path, *args, **kwargs)

    monkeypatch.setattr(s3fs.S3FileSystem, "_cat_file", refusing)
    s3fs.S3FileSystem.clear_instance_cache()  # those that there are hold on to the method as it was
    reader = ScriptedService().reader(on_error="skip")
    good, bad = reader.parse([f"{folder}/a.pdf", f"{folder}/deep/b.pdf"])
    assert good.source.path == f"{folder}/a.pdf"
    assert isinstance(bad.error, SourceError)
    assert f"{folder}/deep/b.pdf" in str(bad.error)
    assert "may not be read" in str(bad.error)


@pytest.mark.parametrize(("what", "count"), [("", 3), ("/*.pdf", 1), ("/**/*.pdf", 2)])
def test_a_batch(folder: str, what: str, count: int) -> None:
    """Ensure a prefix or pattern on S3 goes through a batch, each result with its object's URL."""
    service = ScriptedBatches()
    results = service.reader().parse(folder + what)
    assert service.steps["upload"] == len(results) == count
    assert all(result.source.path.startswith(folder) for result in results)


def test_a_pipeline(folder: str) -> None:
    """Ensure a pipeline takes files from S3 by a pattern, and the next run takes them from the ledger on S3."""
    service = ScriptedService()
    reader = service.reader(ledger=f"{folder}-ledger", version="2025-01-01")
    pipeline = IngestionPipeline(
        transformations=[LlamaParseTransform(reader=reader), SentenceSplitter()], disable_cache=True
    )
    stubs = LlamaParseTransform.file_documents(f"{folder}/**/*.pdf")
    nodes = pipeline.run(documents=stubs)
    assert [node.metadata["file_path"] for node in nodes] == [f"{folder}/a.pdf", f"{folder}/deep/b.pdf"]
    service.forget()
    assert [node.text for node in pipeline.run(documents=stubs)] == [node.text for node in nodes]
    assert service.requests == []
