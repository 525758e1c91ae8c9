"""From a file of a pipeline to the one document that it becomes there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llama_cloud_ext.local.jobs import JobFailure, real_engine
from llama_cloud_ext.local.older_parameters import configuration_of
from llama_cloud_ext.local.pipeline_records import NewDocument, PipelineFileRecord

if TYPE_CHECKING:
    from llama_cloud_ext.local.jobs import Engine

PAGE_GAP = "\n\n"
"""Between the pages of a document. Nothing ever splits on it: `page_positions` say where pages begin."""

PARSED_FILE = "parsed_directory_file_id"
"""Metadata by which an index over a directory knows its files."""

_HIDDEN = ("file_id", "pipeline_file_id", PARSED_FILE)


@dataclass(frozen=True)
class ParsedFile:
    """A file as a document.

    Attributes:
        document: The document; its id is the file's.
        pages: How many pages went in.
    """

    document: NewDocument
    pages: int


def parse_pipeline_file(
    file: PipelineFileRecord,
    path: Path,
    parameters: Mapping[str, Any],
    *,
    engine: Engine | None,
    tessdata: Path | None,
    should_stop: Callable[[], bool],
) -> ParsedFile:
    """Parse a file. Blocking.

    Args:
        file: The file.
        path: Its content.
        parameters: The pipeline's `llama_parse_parameters`.
        engine: What parses it; None for the real one.
        tessdata: Folder of OCR data, or None for no OCR.
        should_stop: Asked now and then.

    Returns:
        The document, with the positions in its text where pages begin.

    Raises:
        JobFailure: It cannot be parsed, or nothing can be read in it; with a code of the service's error reference.
    """
    from llama_cloud_ext.local.engine import EngineError

    if not path.exists():
        raise JobFailure("NO_DATA_FOUND_IN_FILE", "Source file not found in storage")
    try:
        result = (engine or real_engine())(
            path, file.name, configuration_of(parameters), tessdata=tessdata, should_stop=should_stop
        )
    except EngineError as error:
        raise JobFailure(error.code, error.message) from error
    text = ""
    positions: list[int] = []
    for page in result.pages:
        text += PAGE_GAP if text else ""
        # A page that was not asked for, or a hidden slide, is an empty one: the others keep their numbers.
        positions += [len(text)] * (page.number - len(positions))
        text += page.markdown or page.text
    if not text.strip():
        raise JobFailure("NO_DATA_FOUND_IN_FILE", f"there is no text in {file.name}")
    metadata = {"file_name": file.name, "file_id": file.file_id, **(file.custom_metadata or {})}
    document = NewDocument(
        id=file.file_id,
        text=text,
        metadata=metadata,
        excluded_embed_metadata_keys=list(_HIDDEN),
        excluded_llm_metadata_keys=list(_HIDDEN),
        page_positions=positions if len(positions) > 1 or result.pages[0].width else None,
        file_id=file.file_id,
    )
    return ParsedFile(document, len(result.pages))
