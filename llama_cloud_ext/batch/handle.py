"""Batches that were started, in a form that outlives the process: which they are, and which files they are about."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llama_cloud_ext.errors import ConfigurationError
from llama_cloud_ext.jobs.source_identity import SourceIdentity

_FORMAT = 1


@dataclass(frozen=True)
class BatchFile:
    """A file of a batch.

    Attributes:
        directory_file_id: Its id in the batch's directory.
        source: Which file it is.
        index: Its place among the inputs of the call.
    """

    directory_file_id: str
    source: SourceIdentity
    index: int

    @property
    def label(self) -> str:
        """The name under which messages speak of it."""
        return self.source.path or self.source.name


@dataclass(frozen=True)
class StartedBatch:
    """One batch of the service.

    Attributes:
        batch_id: The batch.
        directory_id: The directory that was made for it.
        product: "parse_v2" or "extract_v2".
        files: What is in the directory.
    """

    batch_id: str
    directory_id: str
    product: str
    files: tuple[BatchFile, ...]


@dataclass(frozen=True)
class BatchHandle:
    """The batches of one call: one for every thousand files. It holds no key, so that it can be written anywhere.

    Attributes:
        batches: The batches.

    Example:
        >>> file = BatchFile("dfl-1", SourceIdentity("a.pdf", "file:/data/a.pdf", path="/data/a.pdf"), 0)
        >>> handle = BatchHandle((StartedBatch("bat-1", "dir-1", "parse_v2", (file,)),))
        >>> BatchHandle.from_json(handle.to_json()) == handle
        True
        >>> handle.batch_ids
        ['bat-1']
    """

    batches: tuple[StartedBatch, ...]

    @property
    def batch_ids(self) -> list[str]:
        """The ids of the batches, with which they can be resumed too, if without the files' paths."""
        return [batch.batch_id for batch in self.batches]

    def to_json(self) -> str:
        """The handle as JSON text."""
        return json.dumps({"format": _FORMAT, "batches": [_written(batch) for batch in self.batches]})

    @classmethod
    def from_json(cls, text: str | bytes) -> BatchHandle:
        """Read what `to_json` wrote.

        Args:
            text: The JSON text.

        Raises:
            ConfigurationError: The text is no handle.
        """
        try:
            return cls(tuple(_read(batch) for batch in json.loads(text)["batches"]))
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ConfigurationError(
                f"this is not a handle as to_json writes it: {type(error).__name__}: {error}",
                hint="Keep the text of BatchHandle.to_json() unchanged.",
            ) from error


def _written(batch: StartedBatch) -> dict[str, Any]:
    files = [
        {"id": file.directory_file_id, "source": file.source.to_dict(), "index": file.index} for file in batch.files
    ]
    return {
        "batch_id": batch.batch_id,
        "directory_id": batch.directory_id,
        "product": batch.product,
        "files": files,
    }


def _read(data: Mapping[str, Any]) -> StartedBatch:
    files = tuple(
        BatchFile(file["id"], SourceIdentity.from_dict(file["source"]), file["index"]) for file in data["files"]
    )
    return StartedBatch(data["batch_id"], data["directory_id"], data["product"], files)
