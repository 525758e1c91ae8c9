"""What users give for a model of ours, made into one: the model itself, a dict, or an object of the official SDKs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, get_args

from llama_cloud_ext.errors import ConfigurationError
from llama_cloud_ext.wire.models.strict import StrictModel, fields_of

_Model = TypeVar("_Model", bound=StrictModel)


def settle(model: type[_Model], value: Any) -> _Model | None:
    """Make a model of what was given.

    Args:
        model: The model.
        value: An instance of it, a dict in the API's shape, any pydantic object with the same fields, or None.

    Returns:
        The model; None for None.

    Raises:
        ConfigurationError: A field is unknown or has a value that cannot work, or this is no such thing at all.

    Example:
        >>> from llama_cloud_ext.wire.models.retrieval import ReRankConfig
        >>> settle(ReRankConfig, {"top_n": 3}).to_body()
        {'top_n': 3}
    """
    if value is None or isinstance(value, model):
        return value
    return model(**as_fields(value, model.__name__))


def settle_variant(
    value: Any, base: tuple[type[StrictModel], ...], variant_of: Callable[[Mapping[str, Any]], type[StrictModel]]
) -> StrictModel:
    """Make the variant of a model that the given value means.

    Args:
        value: An instance of a variant, or what `settle` takes.
        base: The variants.
        variant_of: Tells which variant some fields mean.

    Raises:
        ConfigurationError: As for `settle`.
    """
    if isinstance(value, base):
        return value
    fields = as_fields(value, " or ".join(variant.__name__ for variant in base))
    return variant_of(fields)(**fields)


def answered(model: type[_Model], record: Mapping[str, Any]) -> _Model:
    """Make a model of what the service itself answered, as it stands there.

    Nothing is checked: fields and values that a newer service knows must not keep anybody from using an older record.
    Unknown fields are left out, as they are not ours to send back.

    Args:
        model: The model.
        record: The object of the answer.

    Example:
        >>> from llama_cloud_ext.wire.models.retrieval import ReRankConfig
        >>> answered(ReRankConfig, {"top_n": 3, "type": "shiny", "added": True}).to_body()
        {'type': 'shiny', 'top_n': 3}
    """
    values: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        value = record.get(name)
        inner = _model_in(field.annotation)
        values[name] = answered(inner, value) if inner is not None and isinstance(value, Mapping) else value
    return model.model_construct(**values)


def _model_in(annotation: Any) -> type[StrictModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, StrictModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part)) is not None), None)


def as_fields(value: Any, wanted: str) -> dict[str, Any]:
    """The fields of a dict or of a pydantic object of either version, without those that are None.

    Raises:
        ConfigurationError: It is neither.
    """
    fields = value.to_body() if isinstance(value, StrictModel) else fields_of(value)
    if not isinstance(fields, Mapping):
        raise ConfigurationError(
            f"{type(value).__name__} is no {wanted}", hint="Pass a dict in the API's shape, or the model."
        )
    return {str(name): one for name, one in fields.items() if one is not None}
