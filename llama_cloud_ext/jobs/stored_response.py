"""A service's answer with the file it belongs to, on its way to disk and to other processes."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from typing_extensions import Self

from llama_cloud_ext.errors import ConfigurationError
from llama_cloud_ext.jobs.source_identity import SourceIdentity

_FORMAT = 1


class StoredResponse(ABC):
    """What a result is made of. Nothing of it is a secret.

    Args:
        response: The JSON as the service sent it.
        source: The file it was made from.

    Attributes:
        raw: The JSON as the service sent it.
        source: The file it was made from.
    """

    def __init__(self, response: dict[str, Any], *, source: SourceIdentity) -> None:
        self.raw: dict[str, Any] = response if isinstance(response, dict) else {}
        self.source = source

    def to_dict(self) -> dict[str, Any]:
        """Give everything but the connection, as JSON-able data that `from_dict` reads."""
        return {"format": _FORMAT, "source": self.source.to_dict(), "response": self.raw}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what `to_dict` wrote.

        Args:
            data: The dictionary.

        Returns:
            An equal result.

        Raises:
            ConfigurationError: When it is no stored result.
        """
        try:
            return cls._restored(data, data["response"], SourceIdentity.from_dict(data["source"]))
        except (KeyError, TypeError, AttributeError) as error:
            raise ConfigurationError(
                f"this is no stored {cls.__name__}", hint="It is what `to_dict()` gives."
            ) from error

    def to_json(self) -> str:
        """Give `to_dict` as JSON text."""
        return json.dumps(self.to_dict(), ensure_ascii=True)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read what `to_json` wrote.

        Args:
            text: The JSON.

        Returns:
            An equal result.

        Raises:
            ConfigurationError: When it is no stored result.
        """
        try:
            data = json.loads(text)
        except ValueError as error:
            raise ConfigurationError(f"this is no JSON: {error}") from error
        return cls.from_dict(data)

    @classmethod
    @abstractmethod
    def _restored(cls, data: Mapping[str, Any], response: dict[str, Any], source: SourceIdentity) -> Self:
        """Make the result of what `to_dict` wrote."""

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, StoredResponse):
            return NotImplemented
        return (self.raw, self.source) == (other.raw, other.source)

    __hash__ = None  # type: ignore[assignment]  # the response inside can grow
