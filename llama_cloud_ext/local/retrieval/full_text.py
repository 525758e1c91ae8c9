"""Searching by words: BM25 of SQLite's full-text index.

BM25 has to score every chunk that holds any word of the query. Words that thousands of chunks hold say little about
any of them, so that a query is searched by its rarest words, as many as stay within a bound of chunks to score. A query
of nothing but common words is searched for chunks that hold all of them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from heapq import nsmallest
from typing import TYPE_CHECKING, NamedTuple

from llama_cloud_ext.local.retrieval.filter_sql import SqlFilter
from llama_cloud_ext.local.retrieval.schema import full_text_table
from llama_cloud_ext.local.retrieval.words import STOP_WORDS, words_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SCORED_CHUNKS = 6_000
"""Chunks that one search may score, as a sum over its words: about 10 ms."""

_COMMON_WORDS = 6
"""So many words of a query that has common ones only are searched together."""

_MOST_WORDS = 32
"""Of a query; the longest ones of a longer query are searched, because long words are rare ones."""

_NAMES_WEIGHT = 0.5
"""Of a word in a chunk's metadata, a word in its text weighing 1."""


class WordCount(NamedTuple):
    """A word of a query and the number of chunks that hold it, counted up to `_SCORED_CHUNKS`."""

    word: str
    chunks: int


def query_words(query: str) -> list[str]:
    """The distinct words of a query that are worth searching.

    Args:
        query: Any text; nothing in it is syntax.

    Returns:
        Its words without stop words, unless it has no others; the longest of them if there are very many.

    Example:
        >>> query_words('What is the "BM25" of (AND)?')
        ['bm25']
        >>> query_words("to be or not to be")
        ['to', 'be', 'or', 'not']
    """
    distinct = list(dict.fromkeys(words_of(query)))
    telling = [word for word in distinct if word not in STOP_WORDS] or distinct
    if len(telling) > _MOST_WORDS:
        longest = set(sorted(telling, key=lambda word: (-len(word), word))[:_MOST_WORDS])
        telling = [word for word in telling if word in longest]
    return telling


def count_words(connection: sqlite3.Connection, collection: int, words: Iterable[str]) -> list[WordCount]:
    """In how many chunks words occur, the rarest first; words that occur nowhere are left out.

    Args:
        connection: Any connection to the database.
        collection: Number of the pipeline's collection.
        words: From `query_words`.
    """
    statement = f"""SELECT count(*) FROM (
        SELECT 1 FROM {full_text_table(collection)} WHERE {full_text_table(collection)} MATCH ? LIMIT {_SCORED_CHUNKS}
    )"""  # noqa: S608  # two numbers
    counts = [WordCount(word, connection.execute(statement, (_quoted(word),)).fetchone()[0]) for word in words]
    return sorted((count for count in counts if count.chunks), key=lambda count: count.chunks)


def search_words(
    connection: sqlite3.Connection,
    collection: int,
    counts: Sequence[WordCount],
    top_k: int,
    sql_filter: SqlFilter,
    fulfilling: NDArray[np.int64] | None,
) -> list[tuple[int, float]]:
    """The chunks with the best BM25 for the rarest words of a query.

    Args:
        connection: Any connection to the database.
        collection: Number of the pipeline's collection.
        counts: From `count_words`.
        top_k: How many chunks.
        sql_filter: What their metadata has to fulfil.
        fulfilling: Sequences of the chunks that fulfil it, ascending; None without a filter.

    Returns:
        Sequence and BM25 (above 0, without upper bound) of each, the best first.
    """
    if not counts or top_k < 1:
        return []
    search = _Search(connection, collection, top_k, sql_filter)
    if counts[0].chunks < _SCORED_CHUNKS:
        match = " OR ".join(map(_quoted, _rarest(counts)))
        return search.ranked(match) if fulfilling is None else search.ranked_among(match, fulfilling)
    # All words are common: first the chunks that hold all of them, then those that hold the first.
    words = [_quoted(word) for word, _ in counts[:_COMMON_WORDS]]
    found = search.ranked(" AND ".join(words))
    if len(found) < top_k:
        known = {sequence for sequence, _ in found}
        others = [(sequence, bm25) for sequence, bm25 in search.ranked(words[0]) if sequence not in known]
        found = sorted([*found, *others], key=lambda pair: (-pair[1], pair[0]))[:top_k]
    return found


def _rarest(counts: Iterable[WordCount]) -> list[str]:
    """As many of the rarest words as may be scored."""
    words: list[str] = []
    scored = 0
    for word, chunks in counts:
        scored += chunks
        if words and scored > _SCORED_CHUNKS:
            break
        words.append(word)
    return words


class _Search(NamedTuple):
    connection: sqlite3.Connection
    collection: int
    top_k: int
    sql_filter: SqlFilter

    def ranked(self, match: str) -> list[tuple[int, float]]:
        """The best of the first `_SCORED_CHUNKS` chunks that a full-text query and the filter let through."""
        table = full_text_table(self.collection)
        condition = self.sql_filter.condition
        join = f"JOIN chunks c ON c.sequence = {table}.rowid" if condition else ""
        rows = self.connection.execute(
            f"""SELECT sequence, score FROM (
                SELECT {table}.rowid AS sequence, -bm25({table}, 1.0, {_NAMES_WEIGHT}) AS score FROM {table} {join}
                WHERE {table} MATCH ? {f"AND {condition}" if condition else ""} LIMIT {_SCORED_CHUNKS}
            ) ORDER BY score DESC, sequence LIMIT ?""",  # noqa: S608  # numbers, and see SqlFilter
            (match, *self.sql_filter.parameters, self.top_k),
        )
        return [(row[0], row[1]) for row in rows]

    def ranked_among(self, match: str, fulfilling: NDArray[np.int64]) -> list[tuple[int, float]]:
        """The best of the chunks that a full-text query lets through and that are among some.

        Comparing numbers is faster than looking into the metadata of thousands of chunks.
        """
        import numpy as np

        table = full_text_table(self.collection)
        rows = self.connection.execute(
            f"SELECT rowid, -bm25({table}, 1.0, {_NAMES_WEIGHT}) FROM {table} WHERE {table} MATCH ?",  # noqa: S608  # numbers
            (match,),
        ).fetchall()
        found = np.array([row[0] for row in rows], dtype=np.int64)
        # One past the last stands for "none": no chunk has the sequence 0.
        places = np.searchsorted(fulfilling, found)
        scored = [rows[row] for row in np.flatnonzero(np.append(fulfilling, 0)[places] == found)]
        return nsmallest(self.top_k, scored, key=lambda pair: (-pair[1], pair[0]))


def _quoted(word: str) -> str:
    """A word as a phrase of the full-text query language, in which it is nothing but a word."""
    return '"' + word.replace('"', '""') + '"'
