"""`extract`: pages and a schema in, an object or a list of objects out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from llama_cloud_ext.local.extraction.citations import Citations
from llama_cloud_ext.local.extraction.outcomes import MetadataWriter, Tree, data_of, paths_of
from llama_cloud_ext.local.extraction.request import Extraction, ExtractionRequest, SourcePage
from llama_cloud_ext.local.extraction.rule_based import NOTE, extract_by_rules, extract_rows_by_rules
from llama_cloud_ext.local.extraction.schema_fields import Field, fields_of

if TYPE_CHECKING:
    from llama_index.core.llms import LLM

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
    one, rows, notes = _by_rules(root)
    trees: list[Tree]
    if request.target == "per_page":
        trees = [one([page]) for page in pages]
    elif request.target == "per_table_row":
        trees = rows(pages)
    else:
        trees = [one(pages)]
    writer = MetadataWriter(Citations(pages) if request.cite_sources else None, request.confidence_scores)
    return Extraction(_data(trees, request), _metadata(trees, request, writer), len(pages), notes(trees))


def _by_rules(
    root: Field,
) -> tuple[
    Callable[[Sequence[SourcePage]], Tree],
    Callable[[Sequence[SourcePage]], list[Tree]],
    Callable[[list[Tree]], dict[str, Any]],
]:
    return (
        lambda pages: extract_by_rules(pages, root),
        lambda pages: extract_rows_by_rules(pages, root),
        _note_of_rules,
    )


def _data(trees: list[Tree], request: ExtractionRequest) -> Any:
    return data_of(trees[0]) if request.target == "per_doc" else data_of(trees)


def _metadata(trees: list[Tree], request: ExtractionRequest, writer: MetadataWriter) -> dict[str, Any]:
    if request.target == "per_doc":
        return {"document_metadata": writer.of(trees[0])}
    key = "page_metadata" if request.target == "per_page" else "row_metadata"
    return {key: [writer.of(tree) for tree in trees]}


def _note_of_rules(trees: list[Tree]) -> dict[str, Any]:
    found, missing = paths_of(trees)
    found, missing = _without_index(found), _without_index(missing)
    missing = [path for path in missing if path not in found]
    return {
        "extractor": "rule-based",
        "extractor_note": f"{NOTE} Found: {_named(found)}. Left null: {_named(missing)}.",
        "fields_found": found[:_MOST_NAMED],
        "fields_left_null": missing[:_MOST_NAMED],
    }


def _without_index(paths: list[str]) -> list[str]:
    return list(dict.fromkeys(path.removeprefix("[]").removeprefix(".") for path in paths))


def _named(paths: list[str]) -> str:
    if not paths:
        return "nothing"
    more = f" and {len(paths) - _MOST_NAMED} more" if len(paths) > _MOST_NAMED else ""
    return ", ".join(paths[:_MOST_NAMED]) + more
