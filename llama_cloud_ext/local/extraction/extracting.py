"""`extract`: pages and a schema in, an object or a list of objects out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from llama_cloud_ext.local.extraction.citations import Citations
from llama_cloud_ext.local.extraction.llm_extraction import LLMExtractor
from llama_cloud_ext.local.extraction.outcomes import MetadataWriter, Tree, data_of, paths_of
from llama_cloud_ext.local.extraction.request import Extraction, ExtractionRequest, SourcePage
from llama_cloud_ext.local.extraction.rule_based import NOTE, extract_by_rules, extract_rows_by_rules
from llama_cloud_ext.local.extraction.schema_fields import Field, fields_of

if TYPE_CHECKING:
    from llama_index.core.llms import LLM

_NOTE_OF_MODELS = (
    "Citations are its quotes, where the document holds them. Confidence says how well a quote supports its value, "
    "and is no probability."
)

_MOST_NAMED = 50
"""Fields that a note names; it is there to be read."""


def extract(pages: Sequence[SourcePage], request: ExtractionRequest, *, llm: LLM | None) -> Extraction:
    """Extract what a schema asks for. Blocks.

    Args:
        pages: The document, in order.
        request: The schema and what is wanted beside the values.
        llm: What reads the document; None for rules.

    Returns:
        Values and what is known of them. With rules every value stands in the text.

    Raises:
        ExtractionFailed: The model fails, or answers nothing that can be used. Rules never fail.

    Example:
        >>> page = SourcePage(1, "Invoice number: RE-17\\nTotal due: 12.50 EUR")
        >>> schema = {"properties": {"invoice_number": {"type": "string"}, "total": {"type": "number"}}}
        >>> extract([page], ExtractionRequest(schema), llm=None).data
        {'invoice_number': 'RE-17', 'total': 12.5}
    """
    root = fields_of(request.schema)
    reader = _Rules(root) if llm is None else _Model(LLMExtractor(llm, root, request.system_prompt))
    trees: list[Tree]
    if request.target == "per_page":
        trees = [reader.object([page]) for page in pages]
    elif request.target == "per_table_row":
        trees = reader.rows(pages)
    else:
        trees = [reader.object(pages)]
    writer = MetadataWriter(Citations(pages) if request.cite_sources else None, request.confidence_scores)
    return Extraction(_data(trees, request), _metadata(trees, request, writer), len(pages), reader.notes(trees))


class _Reader(Protocol):
    def object(self, pages: Sequence[SourcePage]) -> Tree: ...

    def rows(self, pages: Sequence[SourcePage]) -> list[Tree]: ...

    def notes(self, trees: list[Tree]) -> dict[str, Any]: ...


@dataclass(frozen=True)
class _Rules:
    root: Field

    def object(self, pages: Sequence[SourcePage]) -> Tree:
        return extract_by_rules(pages, self.root)

    def rows(self, pages: Sequence[SourcePage]) -> list[Tree]:
        return extract_rows_by_rules(pages, self.root)

    def notes(self, trees: list[Tree]) -> dict[str, Any]:
        found, missing = _found_and_missing(trees)
        note = f"{NOTE} Found: {_named(found)}. Left null: {_named(missing)}."
        return {"extractor": "rule-based", "extractor_note": note, **_fields(found, missing)}


@dataclass(frozen=True)
class _Model:
    extractor: LLMExtractor

    def object(self, pages: Sequence[SourcePage]) -> Tree:
        return self.extractor.object(pages)

    def rows(self, pages: Sequence[SourcePage]) -> list[Tree]:
        return self.extractor.rows(pages)

    def notes(self, trees: list[Tree]) -> dict[str, Any]:
        name, calls = self.extractor.name, self.extractor.calls
        note = f"{name} read this document in {calls} question{'' if calls == 1 else 's'}. {_NOTE_OF_MODELS}"
        return {"extractor": name, "extractor_note": note, "llm_calls": calls, **_fields(*_found_and_missing(trees))}


def _data(trees: list[Tree], request: ExtractionRequest) -> Any:
    return data_of(trees[0]) if request.target == "per_doc" else data_of(trees)


def _metadata(trees: list[Tree], request: ExtractionRequest, writer: MetadataWriter) -> dict[str, Any]:
    if request.target == "per_doc":
        return {"document_metadata": writer.of(trees[0])}
    key = "page_metadata" if request.target == "per_page" else "row_metadata"
    return {key: [writer.of(tree) for tree in trees]}


def _found_and_missing(trees: list[Tree]) -> tuple[list[str], list[str]]:
    found, missing = map(_without_index, paths_of(trees))
    return found, [path for path in missing if path not in found]


def _fields(found: list[str], missing: list[str]) -> dict[str, Any]:
    return {"fields_found": found[:_MOST_NAMED], "fields_left_null": missing[:_MOST_NAMED]}


def _without_index(paths: list[str]) -> list[str]:
    return list(dict.fromkeys(path.removeprefix("[]").removeprefix(".") for path in paths))


def _named(paths: list[str]) -> str:
    if not paths:
        return "nothing"
    more = f" and {len(paths) - _MOST_NAMED} more" if len(paths) > _MOST_NAMED else ""
    return ", ".join(paths[:_MOST_NAMED]) + more
