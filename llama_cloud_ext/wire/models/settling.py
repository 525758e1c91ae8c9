"""What users give for a model of ours, made into one: the model itself, a dict, or an object of the official SDKs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from llama_cloud_ext.errors import ConfigurationError
from llama_cloud_ext.wire.models.strict import StrictModel

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


def as_fields(value: Any, wanted: str) -> dict[str, Any]:
    """The fields of a dict or of a pydantic object of either version, without those that are None.

    Raises:
        ConfigurationError: It is neither.
    """
    if isinstance(value, StrictModel):
        return value.to_body()
    if not isinstance(value, Mapping):
        dump = getattr(value, "model_dump", None)
        if callable(dump):
            # By alias: the SDK's names on the wire differ from those of its attributes here and there.
            value = dump(by_alias=True, exclude_none=True)
        elif callable(dump := getattr(value, "dict", None)):
            value = dump(exclude_none=True)
    if not isinstance(value, Mapping):
        raise ConfigurationError(
            f"a {type(value).__name__} is no {wanted}", hint="Pass a dict in the API's shape, or the model."
        )
    return {str(name): one for name, one in value.items() if one is not None}
