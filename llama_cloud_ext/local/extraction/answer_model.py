"""The Pydantic model of what an LLM is to answer, made of the schema's fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Optional

from llama_cloud_ext.local.extraction.schema_fields import Field

if TYPE_CHECKING:
    from pydantic import BaseModel

_PLAIN: dict[str, Any] = {"string": str, "number": float, "integer": int, "boolean": bool, "unknown": Any}


def answer_model(root: Field) -> type[BaseModel]:
    """A model with the data and a quote for each value.

    Args:
        root: An object, or an array of objects.

    Returns:
        A class with `data`, in which every value may be null, and `quotes`: entries with `path` and `quote`.

    Example:
        >>> model = answer_model(Field("", "object", properties=(Field("total due", "number"),)))
        >>> answer = model.model_validate({"data": {"total due": "12.5"}, "quotes": []})
        >>> answer.model_dump(by_alias=True)["data"]
        {'total due': 12.5}
    """
    from pydantic import BaseModel, create_model
    from pydantic import Field as ModelField

    class Quote(BaseModel):
        """Where a value stands."""

        path: str = ModelField(description='Of the value in the data: "seller.name", "lines[0].amount".')
        quote: str = ModelField(description="The text of the document that says the value, letter by letter.")

    data = ModelField(description="What the document says; null for what it does not say.")
    quotes: Any = ModelField(default_factory=list, description="One for each value that is not null.")
    return create_model("Extraction", data=(_type(root, "Data"), data), quotes=(list[Quote], quotes))


def _type(field: Field, name: str) -> Any:
    if field.kind == "object":
        return _object(field, name) if field.properties else dict[str, Any]
    if field.kind == "array":
        return list[_entry(field, name)]  # type: ignore[misc]  # a type made at run time
    if field.choices and all(isinstance(choice, (str, int, bool)) for choice in field.choices):
        return Literal[field.choices]
    return _PLAIN[field.kind]


def _entry(field: Field, name: str) -> Any:
    return Any if field.entry is None else _type(field.entry, f"{name}Entry")


def _object(field: Field, name: str) -> type[BaseModel]:
    from pydantic import BaseModel, ConfigDict, create_model
    from pydantic import Field as ModelField

    class Base(BaseModel):
        model_config = ConfigDict(populate_by_name=True, coerce_numbers_to_str=True, allow_inf_nan=False)

    # Names of schemas may be any text, or those of Pydantic's own methods: they become aliases.
    # Null is taken for an empty list: models answer it for what a document does not list, whatever they are told.
    definitions: dict[str, Any] = {}
    for index, inner in enumerate(field.properties):
        kind = _type(inner, f"{name}{index}")
        default: Any = ModelField(
            **({"default_factory": list} if inner.kind == "array" else {"default": None}),
            alias=inner.name,
            description=inner.description or None,
        )
        definitions[f"field_{index}"] = (Optional[kind], default)  # noqa: UP045 - at run time
    return create_model(name, __base__=Base, **definitions)
