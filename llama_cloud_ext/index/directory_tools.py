"""What an agent can do with an index over a directory, as LlamaIndex tools: search, list, grep and read its files."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from inspect import getdoc
from typing import TYPE_CHECKING, Any, TypeVar

from llama_cloud_ext.errors import BadRequestError, ConfigurationError, NotFoundError, UnprocessableError

if TYPE_CHECKING:
    from llama_index.core.schema import NodeWithScore
    from llama_index.core.tools import FunctionTool

    from llama_cloud_ext.index.directory_answers import FoundFile, GrepMatch
    from llama_cloud_ext.index.directory_index import LlamaCloudDirectoryIndex

T = TypeVar("T")

LONGEST_ANSWER = 20_000
"""Characters of one answer: more of it would only push the rest out of a model's context."""

MOST_FILES, MOST_MATCHES = 200, 50
_PREFIX = re.compile(r"[A-Za-z0-9_-]{0,40}")
_LINE = "\n"
_ABOUT_THE_QUESTION = (BadRequestError, ConfigurationError, NotFoundError, UnprocessableError)


def tools_of(index: LlamaCloudDirectoryIndex, name_prefix: str, settings: dict[str, Any]) -> list[FunctionTool]:
    """The tools; see `LlamaCloudDirectoryIndex.as_tools`."""
    from llama_index.core.tools import FunctionTool

    if not _PREFIX.fullmatch(name_prefix):
        raise ConfigurationError(
            f"{name_prefix!r} cannot begin the name of a tool",
            option="name_prefix",
            hint="Use up to 40 letters, digits, _ and -.",
        )
    made = (_retrieve(index, settings), _find_files(index), _grep_file(index), _read_file(index))
    return [
        FunctionTool.from_defaults(
            fn=synchronous,
            async_fn=asynchronous,
            name=f"{name_prefix}{synchronous.__name__}",
            description=getdoc(synchronous),
        )
        for synchronous, asynchronous in made
    ]


_Pair = tuple[Callable[..., str], Callable[..., Awaitable[str]]]


def _retrieve(index: LlamaCloudDirectoryIndex, settings: dict[str, Any]) -> _Pair:
    retriever = index.as_retriever(**settings)

    def retrieve(query: str) -> str:
        """Search the documents by meaning and by words.

        Returns the passages that fit a question best, each with its file, file id, page and score.
        """
        return _told(lambda: retriever.retrieve(query), _passages)

    async def aretrieve(query: str) -> str:
        return await _atold(retriever.aretrieve(query), _passages)

    return retrieve, aretrieve


def _find_files(index: LlamaCloudDirectoryIndex) -> _Pair:
    def find_files(name_contains: str = "") -> str:
        """List the files, or those whose names contain a text, whatever the case. Returns names and file ids."""
        return _told(lambda: index.find_files(name_contains or None, limit=MOST_FILES + 1), _names)

    async def afind_files(name_contains: str = "") -> str:
        return await _atold(index.afind_files(name_contains or None, limit=MOST_FILES + 1), _names)

    return find_files, afind_files


def _grep_file(index: LlamaCloudDirectoryIndex) -> _Pair:
    def grep_file(file_id: str, pattern: str, context_chars: int = 100) -> str:
        """Find every place in one file where a regular expression matches.

        Returns the matches with the text around them and their character positions, which read_file takes as offset.
        """
        return _told(
            lambda: index.grep(file_id, pattern, context_chars=context_chars, limit=MOST_MATCHES + 1), _matches
        )

    async def agrep_file(file_id: str, pattern: str, context_chars: int = 100) -> str:
        return await _atold(
            index.agrep(file_id, pattern, context_chars=context_chars, limit=MOST_MATCHES + 1), _matches
        )

    return grep_file, agrep_file


def _read_file(index: LlamaCloudDirectoryIndex) -> _Pair:
    def read_file(file_id: str, offset: int = 0, max_length: int = 8000) -> str:
        """Read the text of one file, from a character position on."""
        return _told(lambda: index.read_file(file_id, offset=offset, max_length=max_length), _text)

    async def aread_file(file_id: str, offset: int = 0, max_length: int = 8000) -> str:
        return await _atold(index.aread_file(file_id, offset=offset, max_length=max_length), _text)

    return read_file, aread_file


# What a model gets to read. What was wrong with its question is an answer as well, from which it can go on.


def _told(call: Callable[[], T], show: Callable[[T], str]) -> str:
    try:
        return _bounded(show(call()))
    except _ABOUT_THE_QUESTION as error:
        return f"Not possible: {str(error).partition(_LINE)[0]}"


async def _atold(call: Awaitable[T], show: Callable[[T], str]) -> str:
    try:
        return _bounded(show(await call))
    except _ABOUT_THE_QUESTION as error:
        return f"Not possible: {str(error).partition(_LINE)[0]}"


def _bounded(answer: str) -> str:
    if len(answer) <= LONGEST_ANSWER:
        return answer
    return f"{answer[:LONGEST_ANSWER]}\n[cut off after {LONGEST_ANSWER} characters]"


def _passages(nodes: Sequence[NodeWithScore]) -> str:
    passages = []
    for place, found in enumerate(nodes, start=1):
        metadata = found.node.metadata
        page = f", page {metadata['page_number']}" if "page_number" in metadata else ""
        score = f", score {found.score:.3f}" if found.score is not None else ""
        where = f"{metadata.get('file_name') or 'unnamed file'} (file id {metadata.get('file_id')})"
        passages.append(f"[{place}] {where}{page}{score}\n{found.node.get_content()}")
    return "\n\n".join(passages) or "Nothing fits."


def _names(files: Sequence[FoundFile]) -> str:
    return _list((f"{file.name} (file id {file.id})" for file in files), MOST_FILES) or "No such file."


def _matches(matches: Sequence[GrepMatch]) -> str:
    lines = (f"{match.start_char}-{match.end_char}: {match.content}" for match in matches)
    return _list(lines, MOST_MATCHES) or "No match."


def _list(lines: Any, most: int) -> str:
    listed = list(lines)
    return "\n".join([*listed[:most], *([f"[and more; {most} are shown]"] if len(listed) > most else [])])


def _text(text: str) -> str:
    return text or "There is nothing from there on."
