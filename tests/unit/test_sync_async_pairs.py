"""Each asynchronous method and its synchronous twin: one signature, one description."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from llama_cloud_ext import (
    ExtractionAgent,
    ExtractJob,
    LlamaBatchProcessing,
    LlamaBatchReader,
    LlamaCloudBatches,
    LlamaCloudCompositeRetriever,
    LlamaCloudDirectories,
    LlamaCloudDirectoryIndex,
    LlamaCloudDirectoryRetriever,
    LlamaCloudIndex,
    LlamaCloudRetriever,
    LlamaExtract,
    LlamaParseReader,
    ParseJob,
    ParseResult,
    alist_indexes,
    list_indexes,
)

CLASSES = (
    ExtractionAgent,
    ExtractJob,
    LlamaBatchProcessing,
    LlamaBatchReader,
    LlamaCloudBatches,
    LlamaCloudCompositeRetriever,
    LlamaCloudDirectories,
    LlamaCloudDirectoryIndex,
    LlamaCloudDirectoryRetriever,
    LlamaCloudIndex,
    LlamaCloudRetriever,
    LlamaExtract,
    LlamaParseReader,
    ParseJob,
    ParseResult,
)
# As the existing class spells the twin of `add_index`, beside the regular spelling.
SECOND_SPELLINGS = {"async_add_index"}
# Asynchronous under a name without an `a`, and alone, as in the existing classes.
WITHOUT_A_TWIN = {"queue_extraction"}
UNPAIRED = SECOND_SPELLINGS | WITHOUT_A_TWIN


def methods(owner: type) -> dict[str, Any]:
    """The public methods, class methods and properties that this package gives a class, as plain functions."""
    found = {}
    for kind in reversed(owner.__mro__):
        for name, member in list(vars(kind).items()):
            function = getattr(member, "fget", None) or getattr(member, "__func__", None) or member
            ours = str(getattr(function, "__module__", "")).startswith("llama_cloud_ext.")
            if ours and inspect.isroutine(function) and not name.startswith("_") and name not in UNPAIRED:
                found[name] = function
    return found


def is_asynchronous(method: Any) -> bool:
    """Whether a method is a coroutine function or an asynchronous generator."""
    inner = inspect.unwrap(method)
    return inspect.iscoroutinefunction(inner) or inspect.isasyncgenfunction(inner)


PAIRS = [
    (owner, name.removeprefix("a"))
    for owner in CLASSES
    for name, method in methods(owner).items()
    if is_asynchronous(method)
]
NAMES = [f"{owner.__name__}.{name}" for owner, name in PAIRS]


def test_every_class_has_pairs() -> None:
    """Ensure the pairs below are all that do I/O, so that a new method without a twin is noticed."""
    assert sorted(NAMES) == [
        "ExtractJob.cancel",
        "ExtractJob.delete",
        "ExtractJob.info",
        "ExtractJob.record",
        "ExtractJob.result",
        "ExtractJob.status",
        "ExtractionAgent.delete_extraction_run",
        "ExtractionAgent.extract",
        "ExtractionAgent.get_extraction_job",
        "ExtractionAgent.get_extraction_run_for_job",
        "ExtractionAgent.list_extraction_runs",
        "ExtractionAgent.save",
        "LlamaBatchProcessing.cancel",
        "LlamaBatchProcessing.create",
        "LlamaBatchProcessing.items",
        "LlamaBatchProcessing.list_batches",
        "LlamaBatchProcessing.load_data",
        "LlamaBatchProcessing.processing_results",
        "LlamaBatchProcessing.results",
        "LlamaBatchProcessing.status",
        "LlamaBatchProcessing.wait_for_completion",
        "LlamaBatchReader.cancel",
        "LlamaBatchReader.enumerate",
        "LlamaBatchReader.extract",
        "LlamaBatchReader.lazy_load_data",
        "LlamaBatchReader.load_data",
        "LlamaBatchReader.parse",
        "LlamaBatchReader.resume",
        "LlamaBatchReader.statuses",
        "LlamaBatchReader.stream",
        "LlamaBatchReader.submit",
        "LlamaCloudBatches.cancel",
        "LlamaCloudBatches.create",
        "LlamaCloudBatches.get",
        "LlamaCloudBatches.list_batches",
        "LlamaCloudBatches.wait_for_completion",
        "LlamaCloudCompositeRetriever.add_index",
        "LlamaCloudCompositeRetriever.delete",
        "LlamaCloudCompositeRetriever.remove_index",
        "LlamaCloudCompositeRetriever.retriever",
        "LlamaCloudCompositeRetriever.retriever_pipelines",
        "LlamaCloudCompositeRetriever.update_retriever_pipelines",
        "LlamaCloudDirectories.add_file",
        "LlamaCloudDirectories.create",
        "LlamaCloudDirectories.delete",
        "LlamaCloudDirectories.delete_file",
        "LlamaCloudDirectories.download_file",
        "LlamaCloudDirectories.get",
        "LlamaCloudDirectories.get_file",
        "LlamaCloudDirectories.list_directories",
        "LlamaCloudDirectories.list_files",
        "LlamaCloudDirectories.update",
        "LlamaCloudDirectories.update_file",
        "LlamaCloudDirectories.upload_file",
        "LlamaCloudDirectories.upload_files",
        "LlamaCloudDirectoryIndex.cancel_sync",
        "LlamaCloudDirectoryIndex.create_index",
        "LlamaCloudDirectoryIndex.delete",
        "LlamaCloudDirectoryIndex.delete_file",
        "LlamaCloudDirectoryIndex.delete_ref_doc",
        "LlamaCloudDirectoryIndex.directory_id",
        "LlamaCloudDirectoryIndex.find_files",
        "LlamaCloudDirectoryIndex.from_documents",
        "LlamaCloudDirectoryIndex.from_folder",
        "LlamaCloudDirectoryIndex.grep",
        "LlamaCloudDirectoryIndex.id",
        "LlamaCloudDirectoryIndex.insert",
        "LlamaCloudDirectoryIndex.list_attachments",
        "LlamaCloudDirectoryIndex.list_files",
        "LlamaCloudDirectoryIndex.project",
        "LlamaCloudDirectoryIndex.read_attachment",
        "LlamaCloudDirectoryIndex.read_file",
        "LlamaCloudDirectoryIndex.record",
        "LlamaCloudDirectoryIndex.ref_doc_info",
        "LlamaCloudDirectoryIndex.refresh_ref_docs",
        "LlamaCloudDirectoryIndex.resync",
        "LlamaCloudDirectoryIndex.start_sync",
        "LlamaCloudDirectoryIndex.status",
        "LlamaCloudDirectoryIndex.update_ref_doc",
        "LlamaCloudDirectoryIndex.upload_file",
        "LlamaCloudDirectoryIndex.upload_files",
        "LlamaCloudDirectoryIndex.wait_for_completion",
        "LlamaCloudIndex.create_index",
        "LlamaCloudIndex.delete",
        "LlamaCloudIndex.delete_file",
        "LlamaCloudIndex.delete_nodes",
        "LlamaCloudIndex.delete_ref_doc",
        "LlamaCloudIndex.documents",
        "LlamaCloudIndex.from_documents",
        "LlamaCloudIndex.id",
        "LlamaCloudIndex.insert",
        "LlamaCloudIndex.insert_nodes",
        "LlamaCloudIndex.list_files",
        "LlamaCloudIndex.pipeline",
        "LlamaCloudIndex.project",
        "LlamaCloudIndex.ref_doc_info",
        "LlamaCloudIndex.refresh_folder",
        "LlamaCloudIndex.refresh_ref_docs",
        "LlamaCloudIndex.status",
        "LlamaCloudIndex.update_ref_doc",
        "LlamaCloudIndex.upload_file",
        "LlamaCloudIndex.upload_file_from_url",
        "LlamaCloudIndex.upload_files",
        "LlamaCloudIndex.wait_for_completion",
        "LlamaExtract.cancel",
        "LlamaExtract.create_agent",
        "LlamaExtract.delete",
        "LlamaExtract.delete_agent",
        "LlamaExtract.extract",
        "LlamaExtract.generate_schema",
        "LlamaExtract.get_agent",
        "LlamaExtract.get_result",
        "LlamaExtract.list_agents",
        "LlamaExtract.list_jobs",
        "LlamaExtract.stream",
        "LlamaExtract.validate_schema",
        "LlamaParseReader.get_result",
        "LlamaParseReader.job",
        "LlamaParseReader.lazy_load_data",
        "LlamaParseReader.list_jobs",
        "LlamaParseReader.load_data",
        "LlamaParseReader.parse",
        "LlamaParseReader.prefetch",
        "LlamaParseReader.stream",
        "LlamaParseReader.submit",
        "LlamaParseReader.versions",
        "ParseJob.cancel",
        "ParseJob.delete",
        "ParseJob.record",
        "ParseJob.result",
        "ParseJob.status",
        "ParseResult.image_documents",
        "ParseResult.load",
        "ParseResult.nodes",
        "ParseResult.output_pdf",
        "ParseResult.save_images",
        "ParseResult.save_output_pdf",
        "ParseResult.save_xlsx",
    ]


@pytest.mark.parametrize("owner", CLASSES)
def test_a_leading_a_means_asynchronous(owner: type) -> None:
    """Ensure every asynchronous method is called `a` and its twin's name, and no twin is asynchronous itself."""
    own = methods(owner)
    for name, method in own.items():
        if is_asynchronous(method):
            assert name.startswith("a"), name
            assert not is_asynchronous(own[name[1:]]), name


@pytest.mark.parametrize(("owner", "name"), PAIRS, ids=NAMES)
def test_twins_agree(owner: type, name: str) -> None:
    """Ensure twins take the same arguments with the same defaults and types, and give the same."""
    one, other = (inspect.signature(inspect.unwrap(methods(owner)[twin])) for twin in (name, f"a{name}"))
    assert list(one.parameters.values()) == list(other.parameters.values())
    # LlamaIndex has it so: an iterator here, an awaited iterable there.
    if name == "lazy_load_data":
        assert (one.return_annotation, other.return_annotation) == ("Iterator[Document]", "Iterable[Document]")
    else:
        assert other.return_annotation.removeprefix("Async") == one.return_annotation


@pytest.mark.parametrize(("owner", "name"), PAIRS, ids=NAMES)
def test_twins_have_one_description(owner: type, name: str) -> None:
    """Ensure the synchronous twin says everything, and the asynchronous one that it does the same."""
    own = methods(owner)
    full, short = inspect.getdoc(own[name]) or "", inspect.getdoc(own[f"a{name}"]) or ""
    assert len(full.splitlines()[0]) > 20
    assert f"`{name}`" in short.splitlines()[0] or name == "lazy_load_data"
    assert "asynchronous" in short.splitlines()[0] or name == "lazy_load_data"
    # Arguments and errors stand in one place, where they cannot come to differ.
    assert not any(section in short for section in ("Args:", "Raises:"))
    arguments = [p for p in inspect.signature(inspect.unwrap(own[name])).parameters if p not in ("self", "cls")]
    if arguments:
        assert all(f"{argument}:" in full for argument in arguments)


def test_the_twins_that_are_functions() -> None:
    """Ensure the same of functions of the package."""
    one, other = inspect.signature(list_indexes), inspect.signature(alist_indexes)
    assert one == other
    assert inspect.iscoroutinefunction(alist_indexes)
    assert "`list_indexes`" in (alist_indexes.__doc__ or "")


def test_what_has_no_twin() -> None:
    """Ensure the methods that are exempt are asynchronous, and on both classes that have them."""
    for owner in (LlamaExtract, ExtractionAgent):
        for name in WITHOUT_A_TWIN:
            assert is_asynchronous(getattr(owner, name))


def test_the_second_spellings() -> None:
    """Ensure the older spelling of a twin is the twin itself."""
    assert LlamaCloudCompositeRetriever.async_add_index is LlamaCloudCompositeRetriever.aadd_index
