"""The names of uploads: which one the service is told, and how a file or URL is named to a person.

Nothing here reads files; nothing that comes out of here carries a password, a signature or a path to the service.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

MAX_NAME_LENGTH = 255
"""Characters. The service refuses longer names ("File name exceeds the maximum length") without documenting its
limit; this is what file systems allow, so that every real file's name passes."""

# A suffix has a letter and no white space: "1706.03762" and "Dr. Smith" end in something else.
_SUFFIX = re.compile(r"[^.]\.[^\s.]*[^\W\d_][^\s.]*$")
_URL_USER = re.compile(r"(?<=://)[^/@\s]*@|(?<=://)[^/@:\s]*:(?!\d+/)[^@\s]*@")
_URL_QUERY = re.compile(r"(://[^\s?#]*)[?#][^\s'\"]*")
_BIDI_CONTROLS = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_LONGEST_LABEL = 300


def clean_name(raw: str) -> str:
    """`raw` without its directories and without characters that could hide or break a name; maybe empty.

    Example:
        >>> clean_name("../../C:\\\\reports\\\\q3\\n.pdf")
        'q3.pdf'
    """
    last = raw.replace("\\", "/").rstrip("/").rpartition("/")[2]
    name = "".join(map(_printable, last)).strip()
    return "" if name in {".", ".."} else name


def _printable(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cs":  # a byte of the file's name that is no UTF-8: it cannot be sent
        return "_"
    return "" if category in {"Cc", "Zl", "Zp"} or character in _BIDI_CONTROLS else character


def choose_name(candidates: Iterable[Any], sniff: Callable[[], str | None]) -> str | None:
    """The first candidate with a suffix; else the first one, or "upload", completed by what the content tells.

    Args:
        candidates: Names in order of preference; anything that is not a usable string is passed over.
        sniff: Looks at the content; called only when no candidate has a suffix.

    Returns:
        The name, or None when there is no candidate and the content does not tell its kind.

    Example:
        >>> choose_name(["tmpa1b2", "report.pdf"], lambda: None)
        'report.pdf'
        >>> choose_name(["scan"], lambda: ".png")
        'scan.png'
    """
    names = [name for name in (clean_name(each) for each in candidates if isinstance(each, str)) if name]
    for name in names:
        if _SUFFIX.search(name):
            return name
    suffix = sniff()
    if suffix is None:
        return names[0] if names else None
    return (names[0].rstrip(".") if names else "upload") + suffix


def url_name(url: str) -> str:
    """The file name in an http(s) URL's path; the host where the path has none."""
    parts = urlsplit(url)
    return clean_name(unquote(parts.path)) or clean_name(parts.hostname or "") or "document"


def url_without_secrets(url: str) -> str | None:
    """An http(s) URL without user, password, query and fragment, its scheme and host in lower case; None if invalid."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    host = parts.netloc.rpartition("@")[2].lower()
    return urlunsplit((parts.scheme.lower(), host, parts.path, "", "")) if parts.hostname else None


def redact(text: str) -> str:
    """`text` with the passwords and queries of all URLs in it removed; for error messages."""
    return _URL_QUERY.sub(r"\1", _URL_USER.sub("", text))


def label(file: Any) -> str:
    """What an error message calls an input. Never shows content: a long or odd string may be the file itself."""
    if isinstance(file, str):
        if len(file) > _LONGEST_LABEL or file.startswith("data:") or any(map(_is_control, file)):
            return f"a string of {len(file):,} characters"
        return repr(redact(file))
    if isinstance(file, (bytes, bytearray, memoryview)):
        return f"{type(file).__name__} object ({memoryview(file).nbytes:,} bytes)"
    if isinstance(file, os.PathLike):
        return label(os.fsdecode(file))
    name = getattr(file, "name", None)
    kind = type(file).__name__
    return f"{kind} {label(name)}" if isinstance(name, str) and name else kind


def _is_control(character: str) -> bool:
    return unicodedata.category(character) == "Cc"
