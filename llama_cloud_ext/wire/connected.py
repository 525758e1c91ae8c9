"""What objects that are no LlamaIndex components talk to LlamaCloud with: connection arguments, checked at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from llama_cloud_ext.errors import ConfigurationError
from llama_cloud_ext.wire.models.strict import explain_unknown_name, invalid_options
from llama_cloud_ext.wire.settings import ConnectionOptions, refuse_clients
from llama_cloud_ext.wire.transport import Connection, connection_for

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from llama_cloud_ext.wire.settings import ConnectionArguments


def connection_options(arguments: Mapping[str, Any], *, known: Collection[str] = ()) -> ConnectionOptions:
    """Settle the connection that keyword arguments ask for; nothing is sent yet.

    Args:
        arguments: Keyword arguments, as the user gave them.
        known: Further names that the caller takes, for the message about an unknown one.

    Returns:
        The options, resolved once, so that wrong ones raise here.

    Raises:
        ConfigurationError: A name is unknown, a value cannot work, or no API key was found.
    """
    refuse_clients(arguments)
    fields = ConnectionOptions.model_fields
    for name in arguments:
        if name not in fields:
            raise ConfigurationError(explain_unknown_name(name, [*fields, *known]), option=name)
    try:
        options = ConnectionOptions(**arguments)
    except ValidationError as error:
        raise invalid_options(ConnectionOptions, error) from error
    options.settings()
    return options


class Connected:
    """The base of classes that have a connection and nothing else: picklable, and open to nothing until it is used.

    Args:
        **connection: Where LlamaCloud is; the fields of `ConnectionOptions`. What is left out comes from the
            environment.

    Raises:
        ConfigurationError: An argument is unknown or cannot work, or no API key was found.
    """

    def __init__(self, **connection: Unpack[ConnectionArguments]) -> None:
        self._options = connection_options(dict(connection))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._options.settings().host!r})"

    def _connection(self) -> Connection:
        """Called on the I/O loop."""
        return connection_for(self._options.settings())
