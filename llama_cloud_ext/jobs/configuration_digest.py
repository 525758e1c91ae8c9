"""What a saved configuration says, as a hash: a ledger must not take what an older state of it has made."""

from __future__ import annotations

import hashlib
import json

from llama_cloud_ext.wire import configurations
from llama_cloud_ext.wire.transport import Connection


async def saved_configuration_digest(connection: Connection, configuration_id: str) -> str:
    """The SHA-256 of a saved configuration's parameters, in hexadecimal.

    Args:
        connection: Where to ask.
        configuration_id: The configuration.

    Raises:
        NotFoundError: There is none.
    """
    record = await configurations.get(connection, configuration_id)
    said = json.dumps(record.get("parameters"), sort_keys=True, default=str)
    return hashlib.sha256(said.encode()).hexdigest()
