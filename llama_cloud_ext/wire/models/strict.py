"""The base of every request model: names are checked at any depth, and `to_body()` gives what is sent."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from llama_cloud_ext.errors import ConfigurationError

Ratio = Annotated[float, Field(ge=0, le=1)]
"""A share from 0 to 1."""

_Model = TypeVar("_Model", bound=BaseModel)

if TYPE_CHECKING:
    Given: TypeAlias = _Model | dict[str, Any]
else:

    class Given:
        """`Given[Model]`: a field that holds the model and takes what makes one: a dict, or an object of the SDKs."""

        def __class_getitem__(cls, model: Any) -> Any:
            return Annotated[model, BeforeValidator(fields_of)]


def fields_of(value: Any) -> Any:
    """The fields of a pydantic object of either version that is no model of ours; anything else as it is.

    Example:
        >>> class TheirCropBox(BaseModel):
        ...     top: float
        ...     left: float | None = None
        >>> fields_of(TheirCropBox(top=0.1)), fields_of("something else")
        ({'top': 0.1}, 'something else')
    """
    if isinstance(value, type | StrictModel | Mapping):
        return value
    if callable(dump := getattr(value, "model_dump", None)):
        # By alias: the SDK's names on the wire differ from those of its attributes here and there.
        return dump(by_alias=True, exclude_none=True)
    if callable(dump := getattr(value, "dict", None)):
        return dump(by_alias=True, exclude_none=True)
    return value


class StrictModel(BaseModel):
    """A group of options. An unknown name or a wrong value raises `ConfigurationError` that names the option.

    Every field is optional unless said otherwise; None means "not sent".

    Raises:
        ConfigurationError: On an unknown name, at any depth, and on a value that is not allowed.

    Example:
        >>> from llama_cloud_ext.wire.models.parse_configuration import CropBox
        >>> CropBox(top=0.1).to_body()
        {'top': 0.1}
    """

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, protected_namespaces=(), defer_build=True)

    if not TYPE_CHECKING:  # type checkers keep the signature that the fields make

        def __init__(self, **data: Any) -> None:
            try:
                super().__init__(**data)
            except ValidationError as error:
                raise invalid_options(type(self), error) from error

    def to_body(self) -> dict[str, Any]:
        """What goes over the wire: None left out; False, 0 and empty lists kept; secrets in clear."""
        values = ((name, getattr(self, name)) for name in type(self).model_fields)
        return {name: _plain(value) for name, value in values if value is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, StrictModel):
        return value.to_body()
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def nearest(name: str, known: Collection[str]) -> str | None:
    """The known name that `name` was probably meant to be, or None.

    Example:
        >>> nearest("tabels", ["tables", "annotate_links"])
        'tables'
    """
    spellings: dict[str, str] = {}
    for candidate in known:
        # `prompt` is plainly `custom_prompt`, so single words count too; whole names go first.
        for word in candidate.casefold().split("_"):
            spellings.setdefault(word, candidate)
    spellings |= {candidate.casefold(): candidate for candidate in known}
    found = difflib.get_close_matches(name.casefold(), spellings, n=1, cutoff=0.6)
    return spellings[found[0]] if found else None


def explain_unknown_name(name: str, known: Iterable[str]) -> str:
    """The sentence for a name that a group does not have, with the nearest one that it has.

    Example:
        >>> explain_unknown_name("table", ["tables"])
        "unknown option; did you mean 'tables'?"
    """
    names = sorted(known)
    meant = nearest(name, names)
    return f"unknown option; did you mean {meant!r}?" if meant else f"unknown option; known here: {', '.join(names)}"


def invalid_options(
    model: type[BaseModel],
    error: ValidationError,
    explain_name: Callable[[str, Iterable[str]], str] = explain_unknown_name,
) -> ConfigurationError:
    """Turn pydantic's report into one `ConfigurationError` with each option's dotted path and the way out.

    Args:
        model: The class whose construction failed.
        error: What pydantic raised.
        explain_name: What to say of a name that `model` itself does not have, given it and the known ones.
    """
    problems = list(_problems(model, error, explain_name))
    hints = dict.fromkeys(problem.hint for problem in problems if problem.hint)
    return ConfigurationError("; ".join(map(str, problems)), hint=" ".join(hints) or None)


@dataclass(frozen=True)
class _Problem:
    location: tuple[int | str, ...]
    text: str
    hint: str | None = None

    def __str__(self) -> str:
        path = ""
        for step in self.location:
            path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else step
        return self.text if self.text.startswith(path) else f"{path}: {self.text}"


def _problems(
    model: type[BaseModel], error: ValidationError, explain_name: Callable[[str, Iterable[str]], str]
) -> Iterator[_Problem]:
    for problem in error.errors(include_url=False):
        location, context = problem["loc"], problem.get("ctx", {})
        inner = context.get("error")
        if isinstance(inner, ConfigurationError) and isinstance(inner.__cause__, ValidationError):
            for nested in _problems(_model_named(inner.__cause__.title), inner.__cause__, explain_unknown_name):
                yield replace(nested, location=location + nested.location)
        elif isinstance(inner, ConfigurationError):
            yield _Problem(location, inner.message, inner.hint)
        elif problem["type"] == "extra_forbidden":
            yield _Problem(location, explain_name(str(location[-1]), model.model_fields))
        elif problem["type"] == "literal_error":
            yield _Problem(location, _explain_choice(problem["input"], context["expected"]))
        elif problem["type"] == "list_type" and isinstance(problem["input"], str):
            yield _Problem(location, f"is a list: write [{problem['input']!r}]")
        else:
            yield _Problem(location, problem["msg"].removeprefix("Value error, "))


def _explain_choice(value: object, expected: str) -> str:
    choices = [choice.strip(" '") for choice in expected.replace(" or ", ", ").split(",")]
    meant = nearest(value, choices) if isinstance(value, str) else None
    return f"{value!r} is not one of {', '.join(choices)}" + (f"; did you mean {meant!r}?" if meant else "")


def _model_named(name: str) -> type[BaseModel]:
    # A group's own error knows its class by name only; names of groups are unique, as the API spells them.
    return next((model for model in _descendants(StrictModel) if model.__name__ == name), StrictModel)


def _descendants(model: type[_Model]) -> Iterator[type[_Model]]:
    for child in model.__subclasses__():
        yield child
        yield from _descendants(child)
