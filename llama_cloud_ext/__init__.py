"""The LlamaIndex integration for LlamaCloud: readers, indexes, retrievers, and a LlamaCloud for your own machine.

Names are imported on first use, so that importing the package itself costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llama_cloud_ext.batch.batches import LlamaCloudBatches
    from llama_cloud_ext.batch.directories import LlamaCloudDirectories
    from llama_cloud_ext.batch.handle import BatchHandle
    from llama_cloud_ext.batch.processing import LlamaBatchProcessing
    from llama_cloud_ext.batch.reader import LlamaBatchReader
    from llama_cloud_ext.connections import aclose_connections, close_connections
    from llama_cloud_ext.errors import (
        ApiError,
        AuthenticationError,
        BadRequestError,
        ConfigurationError,
        ConflictError,
        DownloadError,
        EmptyResultError,
        ExtractValidationError,
        FailedItem,
        IngestionError,
        JobCancelledError,
        JobDeadlineError,
        JobError,
        JobFailedError,
        LedgerError,
        LlamaCloudError,
        NotFoundError,
        PartialFailureError,
        PayloadTooLargeError,
        PermissionDeniedError,
        PlanLimitError,
        QuotaError,
        RateLimitError,
        RequestTimeoutError,
        ServerError,
        SourceError,
        TransportError,
        UnprocessableError,
    )
    from llama_cloud_ext.extract.agents import ExtractionAgent
    from llama_cloud_ext.extract.config import ExtractConfig
    from llama_cloud_ext.extract.extractor import LlamaExtract
    from llama_cloud_ext.extract.fields import Citation, ExtractField
    from llama_cloud_ext.extract.inputs import SourceText
    from llama_cloud_ext.extract.job import ExtractJob
    from llama_cloud_ext.extract.job_info import ExtractJobInfo
    from llama_cloud_ext.extract.legacy_config import ChunkMode, ExtractMode, ExtractTarget
    from llama_cloud_ext.extract.node_metadata import LlamaExtractMetadata
    from llama_cloud_ext.extract.result import ExtractResult
    from llama_cloud_ext.extract.tools import LlamaExtractToolSpec
    from llama_cloud_ext.index.composite_retriever import LlamaCloudCompositeRetriever
    from llama_cloud_ext.index.directory_answers import FileAttachment, FoundFile, GrepMatch
    from llama_cloud_ext.index.directory_index import LlamaCloudDirectoryIndex
    from llama_cloud_ext.index.directory_retriever import LlamaCloudDirectoryRetriever
    from llama_cloud_ext.index.files import IndexFile
    from llama_cloud_ext.index.folder_refresh import FolderRefresh
    from llama_cloud_ext.index.index import LlamaCloudIndex
    from llama_cloud_ext.index.listing import alist_indexes, list_indexes
    from llama_cloud_ext.index.retriever import LlamaCloudRetriever
    from llama_cloud_ext.jobs.ledger_entries import LedgerEntries, LedgerEntry
    from llama_cloud_ext.parse.images import ParseImage
    from llama_cloud_ext.parse.job import ParseJob
    from llama_cloud_ext.parse.job_info import ParseJobInfo
    from llama_cloud_ext.parse.pages import ParsePage
    from llama_cloud_ext.parse.reader import LlamaParseReader
    from llama_cloud_ext.parse.result import ParseResult
    from llama_cloud_ext.parse.tables import Table
    from llama_cloud_ext.parse.transform import LlamaParseTransform
    from llama_cloud_ext.progress import Progress
    from llama_cloud_ext.wire.models.batch import Batch, BatchFileResult
    from llama_cloud_ext.wire.models.batch_processing import (
        BatchProcessingCancellation,
        BatchProcessingItem,
        BatchProcessingJob,
        BatchProcessingResult,
    )
    from llama_cloud_ext.wire.models.directory import Directory, DirectoryFile
    from llama_cloud_ext.wire.models.parse_configuration import ProcessingControl, ProcessingOptions
    from llama_cloud_ext.wire.models.parse_groups import (
        AgenticOptions,
        CropBox,
        InputOptions,
        OutputOptions,
        PageRanges,
    )
    from llama_cloud_ext.wire.models.retrieval import PresetRetrievalParams, ReRankConfig, RetrieverPipeline
    from llama_cloud_ext.wire.models.webhooks import WebhookConfiguration

__version__ = "0.1.0"

_HOME = {
    "aclose_connections": "connections",
    "close_connections": "connections",
    "BatchHandle": "batch.handle",
    "BatchProcessingCancellation": "wire.models.batch_processing",
    "BatchProcessingItem": "wire.models.batch_processing",
    "BatchProcessingJob": "wire.models.batch_processing",
    "BatchProcessingResult": "wire.models.batch_processing",
    "Batch": "wire.models.batch",
    "BatchFileResult": "wire.models.batch",
    "Directory": "wire.models.directory",
    "LlamaCloudBatches": "batch.batches",
    "LlamaCloudDirectories": "batch.directories",
    "LlamaBatchProcessing": "batch.processing",
    "LlamaBatchReader": "batch.reader",
    "RetrieverPipeline": "wire.models.retrieval",
    "ReRankConfig": "wire.models.retrieval",
    "PresetRetrievalParams": "wire.models.retrieval",
    "LlamaCloudRetriever": "index.retriever",
    "list_indexes": "index.listing",
    "alist_indexes": "index.listing",
    "LlamaCloudIndex": "index.index",
    "FolderRefresh": "index.folder_refresh",
    "IndexFile": "index.files",
    "DirectoryFile": "wire.models.directory",
    "FileAttachment": "index.directory_answers",
    "FoundFile": "index.directory_answers",
    "GrepMatch": "index.directory_answers",
    "LlamaCloudDirectoryIndex": "index.directory_index",
    "LlamaCloudDirectoryRetriever": "index.directory_retriever",
    "LlamaCloudCompositeRetriever": "index.composite_retriever",
    "ChunkMode": "extract.legacy_config",
    "Citation": "extract.fields",
    "ExtractConfig": "extract.config",
    "ExtractField": "extract.fields",
    "ExtractJob": "extract.job",
    "ExtractJobInfo": "extract.job_info",
    "ExtractMode": "extract.legacy_config",
    "ExtractResult": "extract.result",
    "ExtractTarget": "extract.legacy_config",
    "ExtractionAgent": "extract.agents",
    "LedgerEntries": "jobs.ledger_entries",
    "LedgerEntry": "jobs.ledger_entries",
    "LlamaExtract": "extract.extractor",
    "LlamaExtractMetadata": "extract.node_metadata",
    "LlamaExtractToolSpec": "extract.tools",
    "SourceText": "extract.inputs",
    "AgenticOptions": "wire.models.parse_groups",
    "CropBox": "wire.models.parse_groups",
    "InputOptions": "wire.models.parse_groups",
    "LlamaParseReader": "parse.reader",
    "LlamaParseTransform": "parse.transform",
    "OutputOptions": "wire.models.parse_groups",
    "PageRanges": "wire.models.parse_groups",
    "ParseImage": "parse.images",
    "ParseJob": "parse.job",
    "ParseJobInfo": "parse.job_info",
    "ParsePage": "parse.pages",
    "ParseResult": "parse.result",
    "ProcessingControl": "wire.models.parse_configuration",
    "ProcessingOptions": "wire.models.parse_configuration",
    "Progress": "progress",
    "Table": "parse.tables",
    "WebhookConfiguration": "wire.models.webhooks",
}

__all__ = [
    "AgenticOptions",
    "ApiError",
    "AuthenticationError",
    "BadRequestError",
    "Batch",
    "BatchFileResult",
    "BatchHandle",
    "BatchProcessingCancellation",
    "BatchProcessingItem",
    "BatchProcessingJob",
    "BatchProcessingResult",
    "ChunkMode",
    "Citation",
    "ConfigurationError",
    "ConflictError",
    "CropBox",
    "Directory",
    "DirectoryFile",
    "DownloadError",
    "EmptyResultError",
    "ExtractConfig",
    "ExtractField",
    "ExtractJob",
    "ExtractJobInfo",
    "ExtractMode",
    "ExtractResult",
    "ExtractTarget",
    "ExtractValidationError",
    "ExtractionAgent",
    "FailedItem",
    "FileAttachment",
    "FolderRefresh",
    "FoundFile",
    "GrepMatch",
    "IndexFile",
    "IngestionError",
    "InputOptions",
    "JobCancelledError",
    "JobDeadlineError",
    "JobError",
    "JobFailedError",
    "LedgerEntries",
    "LedgerEntry",
    "LedgerError",
    "LlamaBatchProcessing",
    "LlamaBatchReader",
    "LlamaCloudBatches",
    "LlamaCloudCompositeRetriever",
    "LlamaCloudDirectories",
    "LlamaCloudDirectoryIndex",
    "LlamaCloudDirectoryRetriever",
    "LlamaCloudError",
    "LlamaCloudIndex",
    "LlamaCloudRetriever",
    "LlamaExtract",
    "LlamaExtractMetadata",
    "LlamaExtractToolSpec",
    "LlamaParseReader",
    "LlamaParseTransform",
    "NotFoundError",
    "OutputOptions",
    "PageRanges",
    "ParseImage",
    "ParseJob",
    "ParseJobInfo",
    "ParsePage",
    "ParseResult",
    "PartialFailureError",
    "PayloadTooLargeError",
    "PermissionDeniedError",
    "PlanLimitError",
    "PresetRetrievalParams",
    "ProcessingControl",
    "ProcessingOptions",
    "Progress",
    "QuotaError",
    "RateLimitError",
    "ReRankConfig",
    "RequestTimeoutError",
    "RetrieverPipeline",
    "ServerError",
    "SourceError",
    "SourceText",
    "Table",
    "TransportError",
    "UnprocessableError",
    "WebhookConfiguration",
    "aclose_connections",
    "alist_indexes",
    "close_connections",
    "list_indexes",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME.get(name, 'errors')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
