"""What retrievers of one index share, whatever its kind: how they are made for an index, and what they show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from llama_index.core.base.base_retriever import BaseRetriever

from llama_cloud_ext.index.connection import connection_of

if TYPE_CHECKING:
    from typing_extensions import Self

    from llama_cloud_ext.index.reference import IndexReference


class NamedIndexRetriever(BaseRetriever):
    """A retriever whose index is named by the constructor, and whose settings are a request's body.

    A subclass sets `_reference` and `_body` before it calls the constructor of LlamaIndex's class.
    """

    _ID: ClassVar[str]
    """The constructor's argument for an index's id."""

    _reference: IndexReference
    _body: dict[str, Any]

    @classmethod
    def of(cls, reference: IndexReference, **settings: Any) -> Self:
        """A retriever of an index that was perhaps looked up already, so that it need not be again.

        Args:
            reference: The index.
            **settings: Settings as the constructor takes them, but for those that name an index.

        Raises:
            ConfigurationError: A setting is unknown or has a value that cannot work.
        """
        connection = connection_of(reference, settings)
        named: dict[str, Any] = {"name": reference.name, cls._ID: reference.index_id}
        retriever = cls(**named, **connection, **settings)
        retriever._reference = reference
        return retriever

    @property
    def settings(self) -> dict[str, Any]:
        """What is sent with every query besides it; what is not in here is left to the service."""
        return dict(self._body)

    def __repr__(self) -> str:
        settings = "".join(f", {name}={value!r}" for name, value in self._body.items())
        return f"{type(self).__name__}({self._reference.name or self._reference.index_id!r}{settings})"
