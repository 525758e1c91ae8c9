"""The extractor that asks an LLM: page by page where the document is long, with a quote for each value.

The LLM decides the values; the quotes say where they are from. A quote that the document holds becomes the value's
citation. Confidence says how well a value is supported by its quote: `SUPPORTED` where the document holds the quote
and the quote the value, `QUOTED` where it holds the quote alone, `UNSUPPORTED` where it does not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from llama_cloud_ext.local.extraction.answer_model import answer_model
from llama_cloud_ext.local.extraction.citations import Citations
from llama_cloud_ext.local.extraction.llm_answers import Asking
from llama_cloud_ext.local.extraction.numbers import numbers_in
from llama_cloud_ext.local.extraction.outcomes import NOTHING, Outcome, Tree, data_of, empty_tree
from llama_cloud_ext.local.extraction.request import SourcePage
from llama_cloud_ext.local.extraction.schema_fields import Field

if TYPE_CHECKING:
    from llama_index.core.llms import LLM

SUPPORTED, QUOTED, UNSUPPORTED = 0.95, 0.8, 0.4

MOST_CHARACTERS = 40_000
"""Of a document in one question: models read longer ones less carefully."""
FEWEST_CHARACTERS = 2_000
_CHARACTERS_A_TOKEN = 3
_SHORTEST_COPY = 4
"""Characters; shorter values stand in any document by chance."""
_SHARE_OF_THE_WINDOW = 0.5
"""The rest of the context window is for the schema and the answer."""

_INSTRUCTIONS = (
    "You extract data from a document, of which you are given the text. Say only what the document says: answer null "
    "for what it does not say, and an empty list where it lists nothing. Write dates as YYYY-MM-DD and numbers without "
    "currencies or separators of thousands. For every value that is not null, quote the text that says it, letter by "
    "letter."
)
_ROWS = " Answer one object for each row of the document's tables that the schema describes."


@dataclass
class LLMExtractor:
    """Extracts with an LLM.

    Args:
        llm: Any LlamaIndex LLM; one that calls functions is asked by its structured prediction, another for JSON.
        root: The schema's fields.
        system_prompt: What the user wants the LLM to mind.
    """

    llm: LLM
    root: Field
    system_prompt: str | None = None

    def __post_init__(self) -> None:
        self._asking = Asking(self.llm)

    @property
    def name(self) -> str:
        """The model's name."""
        return self._asking.name

    @property
    def calls(self) -> int:
        """Questions that it was asked so far."""
        return self._asking.calls

    def object(self, pages: Sequence[SourcePage]) -> Tree:
        """One object from some pages; what is said on an earlier one counts before what is said later."""
        trees = [self._ask(group, self.root, "") for group in self._groups(pages)]
        return merged(trees) if trees else empty_tree(self.root)

    def rows(self, pages: Sequence[SourcePage]) -> list[Tree]:
        """One object a row of the document's tables."""
        every = Field("", "array", entry=self.root)
        tree = merged([self._ask(group, every, _ROWS) for group in self._groups(pages)] or [[]])
        return tree if isinstance(tree, list) else []

    def _ask(self, pages: Sequence[SourcePage], root: Field, more: str) -> Tree:
        instructions = _INSTRUCTIONS + more
        if self.system_prompt:
            instructions += f"\n\n{self.system_prompt}"
        document = "\n\n".join(f"--- page {page.page_number} ---\n{page.text}" for page in pages)
        answer = self._asking.answer(instructions, document, answer_model(root))
        quotes = {_path(quote["path"]): quote["quote"] for quote in answer["quotes"]}
        return _tree(answer["data"], root, "", quotes, Citations(pages))

    def _groups(self, pages: Sequence[SourcePage]) -> list[list[SourcePage]]:
        """Pages that go into one question, their markdown as the text to read."""
        window = self.llm.metadata.context_window * _CHARACTERS_A_TOKEN * _SHARE_OF_THE_WINDOW
        limit = int(min(MOST_CHARACTERS, max(FEWEST_CHARACTERS, window)))
        groups: list[list[SourcePage]] = []
        length = 0
        for page in pages:
            text = page.markdown or page.text
            for part in _parts(text, limit):
                if not groups or length + len(part) > limit:
                    groups.append([])
                    length = 0
                groups[-1].append(replace(page, text=part))
                length += len(part)
        return groups


def _parts(text: str, limit: int) -> Iterator[str]:
    """A text in pieces, cut at the ends of lines where there are any."""
    while text:
        end = text.rfind("\n", 0, limit) + 1 if len(text) > limit else len(text)
        end = end or limit
        yield text[:end]
        text = text[end:]


def merged(trees: Sequence[Tree]) -> Tree:
    """One tree of several: the first value that is there, lists one after the other without what is there already.

    Example:
        >>> data_of(merged([{"a": NOTHING, "b": [Outcome(1)]}, {"a": Outcome(5), "b": [Outcome(1), Outcome(2)]}]))
        {'a': 5, 'b': [1, 2]}
    """
    first = trees[0]
    for other in trees[1:]:
        if isinstance(first, dict) and isinstance(other, dict):
            first = {name: merged([inner, other[name]]) if name in other else inner for name, inner in first.items()}
        elif isinstance(first, list) and isinstance(other, list):
            known = [data_of(entry) for entry in first]
            first = first + [entry for entry in other if data_of(entry) not in known]
        elif isinstance(first, Outcome) and first.value is None:
            first = other
    return first


def _tree(data: Any, field: Field, path: str, quotes: dict[str, str], citations: Citations) -> Tree:
    if field.kind == "object" and field.properties:
        given = data if isinstance(data, dict) else {}
        return {
            inner.name: _tree(
                given.get(inner.name), inner, f"{path}.{inner.name}" if path else inner.name, quotes, citations
            )
            for inner in field.properties
        }
    if field.kind == "array" and field.entry is not None:
        entries = data if isinstance(data, list) else []
        return [_tree(entry, field.entry, f"{path}[{index}]", quotes, citations) for index, entry in enumerate(entries)]
    return _outcome(data, quotes.get(path), citations)


def _outcome(value: Any, quote: str | None, citations: Citations) -> Outcome:
    if value is None:
        return NOTHING
    place = citations.find(quote) if quote else None
    if quote is None and isinstance(value, str) and len(value) >= _SHORTEST_COPY:
        # A model that forgot the quote may have copied the value.
        place = citations.find(value)
    if place is None:
        reason = "The model gave no quote." if quote is None else "The document does not hold the model's quote."
        return Outcome(value, confidence=UNSUPPORTED, reasoning=reason)
    page, text = place
    holds = _holds(text, value)
    reason = "The document holds the model's quote." if holds else "The model read this in what it quoted."
    return Outcome(value, text, page, confidence=SUPPORTED if holds else QUOTED, reasoning=reason)


def _holds(text: str, value: Any) -> bool:
    if isinstance(value, bool):
        return False
    if isinstance(value, (int, float)):
        return any(number.value == value for number in numbers_in(text))
    return "".join(str(value).lower().split()) in "".join(text.lower().split())


def _path(path: str) -> str:
    """A path as `_tree` writes it: models put "data." or "$." in front, and "lines.0" for "lines[0]"."""
    parts = path.replace("[", ".").replace("]", "").removeprefix("$").strip(".").removeprefix("data.").split(".")
    joined = ""
    for part in parts:
        joined += f"[{part}]" if part.isdigit() else f".{part}" if joined else part
    return joined
