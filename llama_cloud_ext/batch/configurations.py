"""By what the files of a batch are worked on: a preset, a saved configuration, or a schema that is saved for it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from llama_cloud_ext.extract.config import ExtractConfig
from llama_cloud_ext.extract.data_schema import DataSchema
from llama_cloud_ext.extract.saved_configurations import configuration_id_of, saved_parameters
from llama_cloud_ext.jobs.configuration_digest import saved_configuration_digest
from llama_cloud_ext.wire import configurations
from llama_cloud_ext.wire.models.batch import BatchProduct
from llama_cloud_ext.wire.transport import Connection

_PRESET = "cfg-PARSE_"


class BatchConfiguration(Protocol):
    """What a batch is created with, not looked up yet."""

    async def configuration_id(self, connection: Connection) -> str:
        """Its id, which a create names."""

    async def digest(self, connection: Connection) -> str:
        """What it says, as text that changes with it, for a ledger."""


@dataclass(frozen=True)
class Named:
    """A preset, or a configuration that was saved before.

    Attributes:
        name_or_id: Its id; of one that extracts its name does as well.
        product: What it is for.
    """

    name_or_id: str
    product: BatchProduct

    async def configuration_id(self, connection: Connection) -> str:
        """Its id; a name is looked up."""
        if self.product == "parse_v2":
            return self.name_or_id
        return await configuration_id_of(connection, self.name_or_id)

    async def digest(self, connection: Connection) -> str:
        """A preset is what its name says; of others it is asked for."""
        if self.name_or_id.startswith(_PRESET):
            return self.name_or_id
        return await saved_configuration_digest(connection, await self.configuration_id(connection))


@dataclass(frozen=True)
class OfSchema:
    """A schema with its settings, for which a configuration is saved unless there is one of the same content.

    It stays: its name is made of what is in it, so that other calls for the same come upon it.

    Attributes:
        parameters: What is saved.
    """

    parameters: Mapping[str, Any]

    @classmethod
    def of(cls, schema: DataSchema, config: ExtractConfig) -> OfSchema:
        """Take together what is saved of a schema with its settings."""
        return cls(saved_parameters(schema, config))

    async def configuration_id(self, connection: Connection) -> str:
        """Its id; it is saved where there is none of this content."""
        name = f"llama-cloud-ext batch {(await self.digest(connection))[:20]}"
        record = await configurations.upsert(connection, name, dict(self.parameters))
        return str(record["id"])

    async def digest(self, connection: Connection) -> str:
        """A hash of what is saved; nothing is asked."""
        return hashlib.sha256(json.dumps(self.parameters, sort_keys=True).encode()).hexdigest()
