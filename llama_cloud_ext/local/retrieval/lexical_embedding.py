"""The default embedding: hashed words and character n-grams. It needs no model and no network, and is lexical.

Texts are near each other when they share words, or parts of words; that two words mean the same it cannot know. It
keeps no state that vectors depend on, so that any process computes the same vector for the same text.
"""

from __future__ import annotations

import threading
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import TYPE_CHECKING

from llama_cloud_ext.local.retrieval.words import STOP_WORDS, stem, words_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DIMENSIONS = 512
"""More are better and slower: searching is exact, and reads every vector (the benchmark prints quality and speed)."""

NAME = f"lexical-1-{DIMENSIONS}"
"""Changes whenever the vectors do, so that vectors of another version are never compared."""

_NGRAMS = (3, 4, 5)
_NGRAM_SHARE = 0.7
_STOP_WORD_WEIGHT = 0.25
_BATCH = 256
_REMEMBERED_WORDS = 200_000
"""Features of so many words are kept; text of any length passes in bounded memory."""


class LexicalEmbedding:
    """Hashed words and character n-grams, signed, sublinear in the number of occurrences, of length 1.

    Safe for use from several threads.

    Args:
        dimensions: Length of the vectors.

    Example:
        >>> vectors = LexicalEmbedding().embed(["parsing of tables", "tables are parsed", "an unrelated thing"])
        >>> bool(vectors[0] @ vectors[1] > vectors[0] @ vectors[2])
        True
    """

    def __init__(self, dimensions: int = DIMENSIONS) -> None:
        self.dimensions = dimensions
        self._lock = threading.Lock()
        self._forget()

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts.

        Args:
            texts: Any texts.

        Returns:
            One row a text, of length 1 (of zeros for a text without words).
        """
        import numpy as np

        rows = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        for start in range(0, len(texts), _BATCH):
            batch = texts[start : start + _BATCH]
            rows[start : start + len(batch)] = self._embed_batch(batch)
        return rows

    def _embed_batch(self, texts: Sequence[str]) -> NDArray[np.float32]:
        import numpy as np

        counts = [Counter(words_of(text)) for text in texts]
        occurrences = np.fromiter(chain.from_iterable(count.values() for count in counts), dtype=np.float64)
        text_of_word = np.repeat(np.arange(len(texts)), [len(count) for count in counts])
        with self._lock:
            words = self._numbers(chain.from_iterable(counts))
            starts, lengths = self._starts[words], self._lengths[words]
            places, values = self._places, self._values
        total = int(lengths.sum())
        # The features of all words, one after the other: where each stands in the table of features.
        ends = np.cumsum(lengths)
        positions = np.arange(total) + np.repeat(starts - (ends - lengths), lengths)
        weights = values[positions] * np.repeat(1.0 + np.log(occurrences), lengths)
        cells = np.repeat(text_of_word, lengths) * self.dimensions + places[positions]
        sums = np.bincount(cells, weights, minlength=len(texts) * self.dimensions).reshape(len(texts), -1)
        norms = np.linalg.norm(sums, axis=1, keepdims=True)
        return (sums / np.where(norms > 0, norms, 1.0)).astype(np.float32)

    def _forget(self) -> None:
        import numpy as np

        self._number_of: dict[str, int] = {}
        self._starts = self._lengths = self._places = np.zeros(0, dtype=np.int64)
        self._values = np.zeros(0, dtype=np.float64)

    def _numbers(self, words: Iterable[str]) -> NDArray[np.int64]:
        import numpy as np

        words = list(words)
        number_of = self._number_of
        new = [word for word in dict.fromkeys(words) if word not in number_of]
        if new:
            if len(number_of) + len(new) > _REMEMBERED_WORDS:
                self._forget()
                number_of, new = self._number_of, list(dict.fromkeys(words))
            self._learn(new)
        return np.fromiter(map(number_of.__getitem__, words), dtype=np.int64, count=len(words))

    def _learn(self, words: Sequence[str]) -> None:
        import numpy as np

        features = [_features(word) for word in words]
        lengths = np.array([len(found) for found in features], dtype=np.int64)
        hashes = np.array([value for found in features for value, _ in found], dtype=np.uint64)
        weights = np.array([weight for found in features for _, weight in found], dtype=np.float64)
        # CRC is linear: neighbours stay neighbours. Fibonacci hashing spreads them.
        mixed = hashes * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(32)
        signs = np.where((mixed >> np.uint64(31)) & np.uint64(1), 1.0, -1.0)
        first = len(self._places)
        for word in words:
            self._number_of[word] = len(self._number_of)
        self._starts = np.concatenate([self._starts, first + np.cumsum(lengths) - lengths])
        self._lengths = np.concatenate([self._lengths, lengths])
        places = ((mixed & np.uint64(0x7FFFFFFF)) % np.uint64(self.dimensions)).astype(np.int64)
        self._places = np.concatenate([self._places, places])
        self._values = np.concatenate([self._values, signs * weights])


def _features(word: str) -> list[tuple[int, float]]:
    """Hashes and weights of a word's features: the word without its ending, and the n-grams of its characters."""
    if word in STOP_WORDS:
        return [(_hash(word), _STOP_WORD_WEIGHT)]
    root = stem(word)
    marked = f"<{root}>"
    ngrams = [marked[start : start + size] for size in _NGRAMS for start in range(len(marked) - size + 1)]
    weight = (_NGRAM_SHARE / max(1, len(ngrams))) ** 0.5
    return [(_hash(f"={root}"), (1 - _NGRAM_SHARE) ** 0.5), *((_hash(ngram), weight) for ngram in ngrams)]


def _hash(feature: str) -> int:
    return zlib.crc32(feature.encode("utf-8", "surrogatepass"))
