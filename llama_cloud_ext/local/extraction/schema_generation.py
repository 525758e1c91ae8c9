"""`generate_schema`: a JSON schema from a prompt, from a document, or both."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from llama_cloud_ext.local.extraction.llm_answers import Asking
from llama_cloud_ext.local.extraction.request import ExtractionFailed, SourcePage
from llama_cloud_ext.local.extraction.schema_words import fields_in_document, fields_in_prompt, object_schema
from llama_cloud_ext.wire.models.extract_schema import schema_problems

if TYPE_CHECKING:
    from llama_index.core.llms import LLM
    from pydantic import BaseModel

_MOST_CHARACTERS = 12_000
"""Of a document that an LLM sees: a schema needs what kinds of fields there are, not all of them."""

_INSTRUCTIONS = (
    "You write JSON schemas for the extraction of data from documents. The root is an object. Give every field a type "
    'and a short description; write a field that may be missing as {"anyOf": [{…}, {"type": "null"}]}; use arrays of '
    "objects for what repeats; no defaults, no references, no more than seven levels. Use snake_case names."
)


def generate_schema(
    *,
    prompt: str | None,
    pages: Sequence[SourcePage] | None,
    data_schema: Mapping[str, Any] | None,
    llm: LLM | None,
) -> dict[str, Any]:
    """Make a schema to extract with. Blocks.

    Args:
        prompt: What is wanted. Without a model it has to name the fields.
        pages: A document to extract from; None for none.
        data_schema: A schema to extend: its fields stay, and others are added.
        llm: What writes the schema; None for rules, which take the fields' names from the prompt, or the labels that
            the document shows.

    Returns:
        A schema within the service's limits.

    Raises:
        ExtractionFailed: NO_SCHEMA if there is nothing to make one of; LLM_FAILED and LLM_ANSWER_INVALID as for
            `extract`.

    Example:
        >>> schema = generate_schema(prompt="vendor name and total amount", pages=None, data_schema=None, llm=None)
        >>> schema["properties"]["total_amount"]
        {'anyOf': [{'type': 'number'}, {'type': 'null'}]}
    """
    if not (prompt and prompt.strip()) and not pages and not data_schema:
        raise ExtractionFailed("NO_SCHEMA", "There is nothing to make a schema of: give a prompt, a file, or both.")
    if llm is not None:
        return _by_llm(prompt, pages or (), data_schema, llm)
    named = fields_in_prompt(prompt) if prompt else {}
    if not named and pages:
        named = fields_in_document(pages)
    given = dict(data_schema) if data_schema else object_schema({})
    properties = given.get("properties")
    known = dict(properties) if isinstance(properties, Mapping) else {}
    added = {name: node for name, node in named.items() if name not in known}
    if not known and not added:
        raise ExtractionFailed(
            "NO_SCHEMA",
            "No model is set, and no field can be seen: name the fields in the prompt, such as "
            '"vendor name, invoice date, total amount (number)", give a file that labels its values, or serve with '
            "llm=.",
        )
    required = given.get("required")
    kept = list(required) if isinstance(required, list) else list(known)
    return {**given, "type": "object", "properties": {**known, **added}, "required": [*kept, *added]}


def _by_llm(
    prompt: str | None, pages: Sequence[SourcePage], data_schema: Mapping[str, Any] | None, llm: LLM
) -> dict[str, Any]:
    parts = [f"What is wanted: {prompt}"] if prompt else []
    if data_schema:
        parts.append(f"Keep the fields of this schema and extend it:\n{json.dumps(data_schema, ensure_ascii=False)}")
    if pages:
        text = "\n\n".join(page.markdown or page.text for page in pages)
        parts.append(f"A document of the kind:\n{text[:_MOST_CHARACTERS]}")
    answer = Asking(llm).json_answer(_INSTRUCTIONS, "\n\n".join(parts), _generated())
    schema: dict[str, Any] = answer["data_schema"]
    return schema


def _generated() -> type[BaseModel]:
    from pydantic import BaseModel, field_validator
    from pydantic import Field as ModelField

    class Generated(BaseModel):
        """A JSON schema for extraction."""

        data_schema: dict[str, Any] = ModelField(description="The JSON schema.")

        @field_validator("data_schema")
        @classmethod
        def is_within_limits(cls, schema: dict[str, Any]) -> dict[str, Any]:
            problems = schema_problems(schema)
            if problems:
                raise ValueError(
                    "; ".join(f"{one.path or 'the root'}: {one.message} {one.hint}" for one in problems[:10])
                )
            return schema

    return Generated
