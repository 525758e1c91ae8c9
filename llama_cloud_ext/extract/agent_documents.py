"""Which documents an agent may read: those below some folders, or those that were handed over by name."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from llama_cloud_ext.errors import ConfigurationError, SourceError
from llama_cloud_ext.extract.inputs import ExtractFile
from llama_cloud_ext.extract.rooted_files import RootedFile

# What a file system takes; longer ones are no names, whatever a model says.
_LONGEST_NAME = 4096
_SHOWN_CHARACTERS = 80
_LISTING_HINT = "list_documents gives the names."


class AgentDocuments:
    """Turns the names that a model gives into documents, and refuses everything else.

    Files are found only inside the roots: absolute paths, `..` and symbolic links are followed first, and what they
    lead to must be a plain file inside. Hidden files, such as `.env`, are none, and URLs are refused unless they are
    allowed.

    Args:
        roots: Folders whose files may be read.
        documents: Documents by name: anything that can be extracted from.
        allow_urls: Whether http(s) URLs are documents, too.

    Raises:
        ConfigurationError: A root is no folder, or there is nothing that could be read.
    """

    def __init__(
        self,
        roots: Sequence[str | os.PathLike[str]] | str | os.PathLike[str] | None,
        documents: Mapping[str, ExtractFile] | None,
        *,
        allow_urls: bool,
    ) -> None:
        given = [roots] if isinstance(roots, (str, os.PathLike)) else list(roots or ())
        self._roots = _named([_folder(root) for root in given])
        self._documents = dict(documents or {})
        self._allow_urls = allow_urls
        if not self._roots and not self._documents and not allow_urls:
            raise ConfigurationError(
                "there is nothing that the tools may read",
                option="roots",
                hint='Pass roots=["./data"], or documents={"invoice": "data/invoice.pdf"}.',
            )

    @property
    def fixed_names(self) -> list[str] | None:
        """All names, where they cannot change; None where folders or URLs may bring new ones."""
        return list(self._documents) if not self._roots and not self._allow_urls else None

    def names(self) -> Iterator[str]:
        """The names of all documents: those handed over, then the files below the roots, hidden ones left out."""
        yield from self._documents
        for label, root in self._roots.items():
            for path in sorted(_files_below(root)):
                relative = path.relative_to(root).as_posix()
                yield f"{label}/{relative}" if len(self._roots) > 1 else relative

    def find(self, name: Any) -> ExtractFile | RootedFile:
        """The document that a name means.

        Args:
            name: What the model says.

        Returns:
            What was handed over under this name, a file inside a root, or an allowed URL.

        Raises:
            SourceError: There is no such document, or it may not be read; says what to do instead.
        """
        if not isinstance(name, str) or not name.strip():
            raise SourceError(f"{name!r} is no name of a document", hint=_LISTING_HINT)
        if name in self._documents:
            return self._documents[name]
        name = name.strip()
        if "\0" in name or len(name) > _LONGEST_NAME:
            raise SourceError(f"{_shown(name)} cannot be the name of a file", hint=_LISTING_HINT)
        if "://" in name:
            return self._web_address(name)
        return self._file(name)

    def _web_address(self, url: str) -> str:
        address = urlsplit(url)
        if address.scheme not in ("http", "https") or not address.hostname:
            raise SourceError(f"{_shown(url)}: only files and http(s) URLs can be read", hint=_LISTING_HINT)
        if not self._allow_urls:
            raise SourceError("URLs may not be read", hint=f"Use a document that is there. {_LISTING_HINT}")
        return url

    def _file(self, name: str) -> RootedFile:
        outside = False
        for candidate in self._candidates(name):
            try:
                path = candidate.resolve()
                root = next((root for root in self._roots.values() if path.is_relative_to(root)), None)
                if root is None:
                    # Whether there is such a file outside is nobody's business.
                    outside = True
                elif path.is_file() and not self._is_hidden(candidate, path):
                    return RootedFile(path, root)
            except (OSError, RuntimeError, ValueError):  # a loop of links, a name that the file system refuses
                continue
        if outside and not self._known_inside(name):
            raise SourceError(f"{_shown(name)} is outside of what may be read", hint=_LISTING_HINT)
        close = difflib.get_close_matches(name, list(self.names()), n=3, cutoff=0.5)
        meant = f"Did you mean {' or '.join(map(repr, close))}? " if close else ""
        raise SourceError(f"there is no document {_shown(name)}", hint=meant + _LISTING_HINT)

    def _candidates(self, name: str) -> Iterator[Path]:
        label, _, rest = name.partition("/")
        if rest and label in self._roots:
            yield self._roots[label] / rest
        for root in self._roots.values():
            yield root / name

    def _is_hidden(self, candidate: Path, path: Path) -> bool:
        """Whether a name is one that no list has: by its own words, as a listed link may lead to a hidden file."""
        asked = Path(os.path.normpath(candidate))
        return any(
            _has_hidden_part(one, root)
            for root in self._roots.values()
            for one in [asked if asked.is_relative_to(root) else path]
            if one.is_relative_to(root)
        )

    def _known_inside(self, name: str) -> bool:
        """Whether the name, taken by its words alone, stays inside."""
        return not Path(name).is_absolute() and ".." not in Path(name).parts


def _folder(root: str | os.PathLike[str]) -> Path:
    path = Path(root).expanduser()
    if not path.is_dir():
        raise ConfigurationError(f"{path} is no folder", option="roots", hint="Name a folder that exists.")
    return path.resolve()


def _named(roots: list[Path]) -> dict[str, Path]:
    """The roots by names that tell them apart."""
    named: dict[str, Path] = {}
    for root in dict.fromkeys(roots):
        name, number = root.name or "root", 1
        while name in named:
            number += 1
            name = f"{root.name}-{number}"
        named[name] = root
    return named


def _files_below(root: Path) -> Iterator[Path]:
    # What vanishes meanwhile is passed over, and what hidden folders hold is never looked at.
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for path in (Path(folder, name) for name in files if not name.startswith(".")):
            if path.is_file() and path.resolve().is_relative_to(root):
                yield path


def _has_hidden_part(path: Path, root: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(root).parts)


def _shown(name: str) -> str:
    return repr(name if len(name) <= _SHOWN_CHARACTERS else name[:_SHOWN_CHARACTERS] + "…")
