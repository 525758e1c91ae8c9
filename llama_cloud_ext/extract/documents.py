"""Extracted objects as LlamaIndex Documents: text that a model reads well, and metadata that can be filtered by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from llama_cloud_ext.ids import stable_id
from llama_cloud_ext.jobs.source_identity import SourceIdentity
from llama_cloud_ext.parse.metadata import MAX_VISIBLE_BYTES, clean_text, excluded_keys, shorten_path

if TYPE_CHECKING:
    from llama_index.core.schema import Document


def object_documents(
    objects: Sequence[Mapping[str, Any]], pages: Sequence[int | None], source: SourceIdentity, *, schema: str
) -> list[Document]:
    """Make one Document an object.

    Args:
        objects: The extracted data, one mapping an object.
        pages: The page of each object, where it belongs to one.
        source: The file.
        schema: The name of the schema.

    Returns:
        Documents whose ids stay the same from run to run. Their text has a line for each field; the plain ones are in
        the metadata too, hidden from embedding and LLM texts, which have them already.
    """
    from llama_index.core.schema import Document

    documents = []
    for index, (data, page) in enumerate(zip(objects, pages, strict=True)):
        metadata = source.metadata()
        if page is not None:
            metadata["page_number"] = page
        metadata["schema"] = shorten_path([schema])
        embed, llm = excluded_keys(metadata)
        plain = {clean_text(str(name)): _cleaned(value) for name, value in data.items() if _is_plain(value)}
        fields = {name: value for name, value in plain.items() if name not in metadata}
        documents.append(
            Document(
                id_=stable_id(f"{source.identity}\nextract {schema}\nobject {index}"),
                text=clean_text("\n".join(_lines(data))),
                metadata={**metadata, **fields},
                excluded_embed_metadata_keys=[*embed, *fields],
                excluded_llm_metadata_keys=[*llm, *fields],
            )
        )
    return documents


def _is_plain(value: Any) -> bool:
    """Whether metadata can carry it: a scalar, and short enough for a splitter to leave room for text."""
    if isinstance(value, str):
        return len(clean_text(value).encode()) <= MAX_VISIBLE_BYTES
    return isinstance(value, (bool, int, float))


def _cleaned(value: Any) -> Any:
    return clean_text(value) if isinstance(value, str) else value


def _lines(value: Any, indent: str = "") -> Iterator[str]:
    """A mapping or list in lines, as YAML has it; null fields are left out."""
    entries = value.items() if isinstance(value, Mapping) else enumerate(value, start=1)
    for name, item in entries:
        label = str(name).replace("_", " ") if isinstance(value, Mapping) else f"{name}."
        colon = ":" if isinstance(value, Mapping) else ""
        if item is None or item in ({}, []):
            continue
        if isinstance(item, Mapping) or (
            isinstance(item, list) and any(isinstance(one, (Mapping, list)) for one in item)
        ):
            yield f"{indent}{label}{colon}"
            yield from _lines(item, f"{indent}  ")
        else:
            shown = ", ".join(_shown(one) for one in item) if isinstance(item, list) else _shown(item)
            yield f"{indent}{label}{colon} {shown}"


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)
