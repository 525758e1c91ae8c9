"""A pipeline's chunks as a whole: whose vectors they have, and how often they have changed."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from llama_cloud_ext.local.retrieval.embedder import Embedder


class EmbedderMismatchError(ValueError):
    """A pipeline's vectors were computed by another embedding model than the one that is used now."""


class Collection(NamedTuple):
    """A pipeline's chunks as a whole.

    Args:
        number: Its number in the tables.
        embedder: Who computed its vectors.
        dimensions: Length of the vectors.
        revision: Grows with every change.
        deletions: Grows with every change that takes chunks away.
    """

    number: int
    embedder: str
    dimensions: int
    revision: int
    deletions: int


def collection_of(connection: sqlite3.Connection, pipeline_id: str) -> Collection | None:
    """A pipeline's collection; None before its first chunk."""
    row = connection.execute(
        "SELECT number, embedder, dimensions, revision, deletions FROM chunk_collections WHERE pipeline_id = ?",
        (pipeline_id,),
    ).fetchone()
    return None if row is None else Collection(*row)


def embedded_otherwise(connection: sqlite3.Connection, pipeline_id: str, embedder: Embedder) -> bool:
    """Whether a pipeline holds vectors of another model than this one, as far as its dimensions are known.

    Args:
        connection: Any connection to the database.
        pipeline_id: The pipeline.
        embedder: The model.
    """
    collection = collection_of(connection, pipeline_id)
    if collection is None:
        return False
    return collection.embedder != embedder.name or embedder.dimensions not in (None, collection.dimensions)


def mismatch(collection: Collection, embedder: str, dimensions: int) -> str:
    """What to say when an embedding model meets another one's vectors."""
    return (
        f"this pipeline holds vectors of {collection.embedder} ({collection.dimensions} dimensions), and the embedding "
        f"model in use is {embedder} ({dimensions}): sync the pipeline, which embeds it anew, or start with the former "
        "model"
    )
