"""Words of a text or a query, as the full-text index sees them."""

from __future__ import annotations

import re
from functools import lru_cache

_WORD = re.compile(r"[^\W_]+")
_UNSPACED = re.compile(
    "([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff])"
)
"""Scripts that put no spaces between words: Thai, Lao, Burmese, Khmer, Japanese, Chinese."""

_STOP_WORDS = """
    a about after all also an and any are as at be because been before being between both but by can could did do does
    doing each either for from get had has have having he her here him his how i if in into is it its itself just may me
    might more most must my no nor not of on one only or other our out over own same she should so some such than that
    the their them then there these they this those through to too under up us was we were what when where which while
    who whom why will with would you your
"""
STOP_WORDS = frozenset(_STOP_WORDS.split())
"""Words that say how a sentence is built and hardly ever what it is about."""


def spaced(text: str) -> str:
    """Text in which every character of a script without spaces stands alone, so that it can be found.

    Example:
        >>> spaced("東京 tower")
        ' 東  京  tower'
    """
    return text if text.isascii() else _UNSPACED.sub(r" \1 ", text)


def words_of(text: str) -> list[str]:
    """The words of a text in their order, in lower case.

    Example:
        >>> words_of("The create_task() of asyncio")
        ['the', 'create', 'task', 'of', 'asyncio']
    """
    return _WORD.findall(spaced(text).lower())


@lru_cache(maxsize=100_000)
def stem(word: str) -> str:
    """A word without its most common English endings: lighter than Porter's, which the full-text index uses.

    Example:
        >>> [stem(word) for word in ("returns", "returned", "returning", "entries", "class")]
        ['return', 'return', 'return', 'entry', 'class']
    """
    if len(word) < 4 or not word.isascii():
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    for ending in ("ing", "ed", "es", "s"):
        root = word[: -len(ending)]
        if word.endswith(ending) and len(root) >= 3 and not word.endswith("ss"):
            if ending == "es" and not root.endswith(("s", "x", "z", "ch", "sh")):
                continue
            if ending in {"ing", "ed"} and root[-1] == root[-2] and root[-1] not in "lsz":
                return root[:-1]
            return root
    return word
