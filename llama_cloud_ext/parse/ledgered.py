"""Parsing by way of a ledger: what was parsed before is taken from it, what runs is waited for, the rest is begun."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from dataclasses import replace
from pathlib import PurePath
from typing import Any

from llama_cloud_ext.errors import ConfigurationError, NotFoundError
from llama_cloud_ext.jobs.configuration_digest import saved_configuration_digest
from llama_cloud_ext.jobs.ledger import Hold, Ledger, LedgerPlace, LedgerWork, entry_key
from llama_cloud_ext.jobs.ledger_records import Intent
from llama_cloud_ext.jobs.pipeline import CreatedJob, Keep
from llama_cloud_ext.parse.pipeline import ParsePipeline, Wanted
from llama_cloud_ext.wire import parse
from llama_cloud_ext.wire.job_slots import Slot
from llama_cloud_ext.wire.models.tolerant import as_mapping, as_text
from llama_cloud_ext.wire.sources import Source

logger = logging.getLogger(__name__)

_VERSIONS_SECONDS = 3600.0


class LedgeredParsing:
    """The ledger's part in one call of a reader.

    Args:
        ledger: The ledger.
        pipeline: Creates and collects jobs.
        body: The request body.
        fingerprint: Canonical JSON of what in it decides the result.
        wanted: What of a result is fetched, and so kept.
    """

    def __init__(
        self, ledger: Ledger, pipeline: ParsePipeline, body: dict[str, Any], fingerprint: str, wanted: Wanted
    ) -> None:
        self._ledger = ledger
        self._pipeline = pipeline
        self._body = body
        self._fingerprint = fingerprint
        self._wanted = wanted
        self._configuration: str | None = None
        self._settling = asyncio.Lock()

    async def response(self, source: Source) -> dict[str, Any]:
        """The service's answer for one file, of this call or of an earlier one, here or elsewhere."""
        return await self._ledger.result(await self._key(source), self._work(source))

    async def job(self, source: Source) -> tuple[CreatedJob, LedgerPlace]:
        """The job for one file, which may have ended already, and where its entry is."""
        key, work = await self._key(source), self._work(source)
        return await self._ledger.job(key, work), LedgerPlace(self._ledger.location, key, work.about)

    async def _key(self, source: Source) -> str:
        if source.url is not None:
            raise ConfigurationError(
                "a ledger knows files by their content, and the service fetches URLs by itself",
                option="ledger",
                hint="Download the file and pass its path, or use a reader without a ledger for it.",
                file=source.label,
            )
        settings = self._pipeline.connection.settings
        async with self._settling:
            if self._configuration is None:
                self._configuration = await self._settled_configuration()
        return entry_key(
            product="parse",
            content=await source.sha256(),
            suffix=PurePath(source.name).suffix.lower(),
            host=settings.host,
            organization=settings.organization_id,
            project=settings.project_id,
            configuration=self._configuration,
        )

    async def _settled_configuration(self) -> str:
        """The configuration as it will hold tomorrow: "latest" by its date, a saved one by what it says now.

        So a ledger never takes what an older version made for what a newer one would make. Dates are asked for once an
        hour.
        """
        connection = self._pipeline.connection
        configuration = as_mapping(json.loads(self._fingerprint))
        if configuration.get("version") == "latest":
            configuration["version"] = await self._latest_version(str(configuration.get("tier")))
        if (saved := configuration.get("configuration_id")) is not None:
            configuration["configuration_id"] = await saved_configuration_digest(connection, str(saved))
        return json.dumps(configuration, sort_keys=True, separators=(",", ":"))

    async def _latest_version(self, tier: str) -> str:
        connection = self._pipeline.connection
        host = hashlib.sha256(connection.settings.host.encode()).hexdigest()

        async def ask() -> dict[str, Any]:
            try:
                return as_mapping((await parse.versions(connection)).get("latest"))
            except NotFoundError:
                logger.info("this deployment does not tell its versions: the ledger takes every latest for the same")
                return {}

        latest = await self._ledger.remembered(f"latest-{host}", ask, seconds=_VERSIONS_SECONDS)
        return as_text(latest.get(tier)) or "latest"

    def _work(self, source: Source) -> LedgerWork:
        pipeline = self._pipeline

        async def create(intent: Intent, slot: Slot, hold: Hold[Intent]) -> CreatedJob:
            async def uploaded(file_id: str) -> None:
                await hold.note(replace(intent, file_id=file_id))

            return await pipeline.create(
                source, self._body, slot=slot, tag=intent.tag, on_upload=uploaded, permit=hold.permit
            )

        async def recover(intent: Intent) -> CreatedJob | None:
            job = await pipeline.recover(intent.tag, intent.begun)
            if pipeline.delete_after and intent.file_id is not None:
                if job is None:
                    await pipeline.delete_upload(intent.file_id)  # the new job gets one of its own
                else:
                    job.file_id = intent.file_id
            return job

        async def collect(job: CreatedJob, keep: Keep) -> dict[str, Any]:
            return await pipeline.collect(job, self._wanted, file=source.label, keep=keep)

        about = {"product": "parse", "file": source.label, "host": pipeline.connection.settings.host}
        return LedgerWork(about, pipeline.slots.acquire, create, recover, collect)
