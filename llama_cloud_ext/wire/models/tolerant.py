"""Reading of answers that never fails: whatever a field holds, it reads as a value of the declared type.

A job that was paid for must not be lost because one field of its answer is missing, null, of another numeric type, a
new enum value or plain junk. So responses are not validated: a `TolerantModel` keeps the decoded JSON as it came
(`.raw`) and each attribute converts its own field on first access. That is also why ten thousand pages cost nothing
until they are looked at.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from typing import Any, Generic, TypeVar, overload

from typing_extensions import Self

T = TypeVar("T")
M = TypeVar("M", bound="TolerantModel")


class TolerantModel:
    """A view on decoded JSON. Never raises, whatever it is given; equal when the JSON is equal; picklable.

    Args:
        raw: Decoded JSON. Anything but an object reads as an empty one.

    Example:
        >>> class Job(TolerantModel):
        ...     id = attribute(as_text)
        ...     pages = attribute(as_integer)
        >>> Job({"id": 7, "pages": 3.0}).id, Job({"pages": "three"}).pages
        ('7', None)
    """

    def __init__(self, raw: Any = None) -> None:
        self.raw: dict[str, Any] = raw if isinstance(raw, dict) else {}
        """The JSON object as it came, unknown fields included."""

    @classmethod
    def model_validate(cls, raw: Any) -> Self:
        """The view on `raw`; the spelling that pydantic users expect."""
        return cls(raw)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and isinstance(other, TolerantModel) and self.raw == other.raw

    __hash__ = None  # type: ignore[assignment]  # the JSON inside can change

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}=…" for name in self.raw)
        return f"{type(self).__name__}({fields})"

    def __reduce__(self) -> tuple[Any, ...]:
        # The converted values are left behind: they are made again from the JSON.
        return type(self), (self.raw,)


class attribute(Generic[T]):  # noqa: N801 - reads as a declaration, like property
    """A field of a `TolerantModel`: converted on first access, then kept.

    Args:
        read: What turns the field's JSON, or None when it is missing, into the value.
        key: The field's name on the wire; the attribute's own by default.
    """

    def __init__(self, read: Callable[[Any], T], key: str | None = None) -> None:
        self._read = read
        self._key = key or ""
        self._name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name
        self._key = self._key or name

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: TolerantModel, owner: type) -> T: ...
    def __get__(self, instance: TolerantModel | None, owner: type) -> Self | T:
        if instance is None:
            return self
        value = self._read(instance.raw.get(self._key))
        # No __set__ is defined, so the instance's own entry wins from now on.
        instance.__dict__[self._name] = value
        return value


def as_text(value: Any) -> str | None:
    """A string; numbers are written out; anything else is None.

    Example:
        >>> as_text("v"), as_text(12), as_text(12.0), as_text(["v"])
        ('v', '12', '12', None)
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    whole = as_integer(value)
    try:
        return str(value if whole is None else whole)
    except ValueError:  # a number with more digits than Python writes out
        return None


def as_text_or_empty(value: Any) -> str:
    """Like `as_text`, with "" for what is not there."""
    return as_text(value) or ""


def as_number(value: Any) -> float | None:
    """A finite number, also when it came as a string.

    Example:
        >>> as_number(1), as_number("0.5"), as_number("many"), as_number(float("nan"))
        (1.0, 0.5, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def as_integer(value: Any) -> int | None:
    """A whole number, also when it came as a float or a string.

    Example:
        >>> as_integer(3), as_integer(3.0), as_integer("3"), as_integer(3.5), as_integer(True)
        (3, 3, 3, None, None)
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    found = as_number(value)
    return int(found) if found is not None and found.is_integer() else None


def as_boolean(value: Any) -> bool | None:
    """A truth value, also when it came as 0, 1 or a word.

    Example:
        >>> as_boolean(False), as_boolean(1), as_boolean("true"), as_boolean("perhaps")
        (False, True, True, None)
    """
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.strip().lower())
    if isinstance(value, int | float):
        return bool(value) if value in (0, 1) else None
    return None


_FRACTION = re.compile(r"\.(\d+)")


def as_moment(value: Any) -> datetime | None:
    """A point in time, from ISO 8601 or seconds since 1970; always with a time zone, UTC when none is given.

    Example:
        >>> as_moment("2026-10-16T08:00:00.5Z").isoformat()
        '2026-10-16T08:00:00.500000+00:00'
    """
    try:
        if isinstance(value, str):
            # Python 3.10 reads neither "Z" nor fractions of other than 3 or 6 digits.
            spelled = _FRACTION.sub(lambda digits: f".{digits[1][:6]:0<6}", value.strip(), count=1)
            found = datetime.fromisoformat(re.sub("[zZ]$", "+00:00", spelled))
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found = datetime.fromtimestamp(value, tz=timezone.utc)
        else:
            return None
    except (ValueError, OverflowError, OSError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=timezone.utc)


def as_mapping(value: Any) -> dict[str, Any]:
    """A JSON object; empty for anything else."""
    return value if isinstance(value, dict) else {}


def as_texts(value: Any) -> dict[str, str]:
    """A JSON object of strings; entries of other types are left out."""
    return {str(name): found for name, item in as_mapping(value).items() if (found := as_text(item)) is not None}


def as_elements(value: Any) -> list[Any]:
    """A JSON array; empty for anything else."""
    return value if isinstance(value, list) else []


def as_objects(value: Any) -> Iterator[dict[str, Any]]:
    """The objects of a JSON array; anything else in it is passed over."""
    return (item for item in as_elements(value) if isinstance(item, dict))


def list_of(read: Callable[[Any], T | None]) -> Callable[[Any], list[T]]:
    """A reader of arrays: each element through `read`, without those that read as None.

    Example:
        >>> list_of(as_integer)([1, 2.0, "junk", None])
        [1, 2]
    """

    def read_all(value: Any) -> list[T]:
        return [found for item in as_elements(value) if (found := read(item)) is not None]

    return read_all


def list_of_models(model: type[M]) -> Callable[[Any], list[M]]:
    """A reader of arrays of objects; anything else in the array is passed over."""

    def read_all(value: Any) -> list[M]:
        return [model(item) for item in as_objects(value)]

    return read_all


def optional_model(model: type[M]) -> Callable[[Any], M | None]:
    """A reader of one object; None when there is none."""

    def read(value: Any) -> M | None:
        return model(value) if isinstance(value, dict) else None

    return read
