"""The arguments that an index and its retrievers have in common: where LlamaCloud is, and which index is meant."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from typing import Any

from pydantic import ValidationError

from llama_cloud_ext.errors import ConfigurationError
from llama_cloud_ext.index.reference import PIPELINES, IndexKind, IndexReference
from llama_cloud_ext.wire.models.strict import explain_unknown_name, invalid_options
from llama_cloud_ext.wire.settings import ConnectionOptions, refuse_clients

logger = logging.getLogger(__name__)

# Where a person looks at an index.
DEFAULT_APP_URL = "https://cloud.llamaindex.ai"


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


def index_reference(
    options: ConnectionOptions,
    *,
    name: str | None,
    ids: Mapping[str, str | None],
    project_name: str | None,
    kind: IndexKind = PIPELINES,
) -> IndexReference:
    """The index that a name or one of several id arguments names.

    Args:
        options: Where LlamaCloud is.
        name: The name, or None.
        ids: The id arguments by their names; they mean the same.
        project_name: The project's name, or None.
        kind: Which kind of index it is.

    Raises:
        ConfigurationError: Not exactly one of them is given.
    """
    given = {option: value for option, value in {"name": name, **ids}.items() if value}
    if len(given) > 1:
        raise ConfigurationError(
            f"{' and '.join(given)} both say which index is meant", option=next(iter(given)), hint="Give one of them."
        )
    identifier = next((value for value in ids.values() if value), None)
    return IndexReference(options, kind=kind, name=name, index_id=identifier, project_name=project_name)


def connection_of(reference: IndexReference, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The connection arguments of an index, for a retriever of it.

    Args:
        reference: The index.
        settings: What the retriever is given besides.

    Raises:
        ConfigurationError: Something of the connection is among them.
    """
    given = reference.options
    connection = {name: getattr(given, name) for name in type(given).model_fields}
    for name in settings:
        if name in connection:
            raise ConfigurationError("belongs to the index, which has it already", option=name)
    return connection
