"""The JSON schema of a Pydantic class as Pydantic sees it, before it is translated for the service."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from llama_cloud_ext.extract.constraint_words import DECIMAL_PLACES, MAX_DIGITS
from llama_cloud_ext.wire.models.schema_references import inline_references

NOT_DESCRIBABLE = "x-not-describable"
"""Marks a type that JSON schema has no words for; its value names the type."""

UNTITLED = "\0"
"""Begins a title that was made from the name: it tells nothing new, but for the items of a named tuple."""


def model_schema(adapter: TypeAdapter[Any]) -> dict[str, Any]:
    """What the class takes in, with every reference written out. Names are those of the validation aliases.

    Raises:
        InliningError: On a recursive model.

    Example:
        >>> from pydantic import BaseModel
        >>> class Receipt(BaseModel):
        ...     total: float = 0
        >>> model_schema(TypeAdapter(Receipt))["properties"]["total"]["default"]
        0
    """
    return inline_references(adapter.json_schema(mode="validation", schema_generator=_ModelJsonSchema))


class _ModelJsonSchema(GenerateJsonSchema):
    # A default that JSON cannot hold is not sent anyway.
    ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012 - pydantic's own declaration

    def get_title_from_name(self, name: str) -> str:
        return UNTITLED + name

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:
        # A number alone: of a text, nobody could say how it is to be written.
        bounds: dict[str, Any] = {**schema}
        given = {keyword: bounds.get(constraint) for constraint, keyword in _DECIMAL.items()}
        return {"type": "number", **{keyword: float(bound) for keyword, bound in given.items() if bound is not None}}

    def handle_invalid_for_json_schema(self, schema: Any, error_info: str) -> JsonSchemaValue:
        return {NOT_DESCRIBABLE: error_info.removeprefix("core_schema.").partition(" ({")[0]}


_DECIMAL = {
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
    "multiple_of": "multipleOf",
    "max_digits": MAX_DIGITS,
    "decimal_places": DECIMAL_PLACES,
}
