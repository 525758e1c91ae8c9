"""Extracting by way of a ledger: what was extracted before is taken from it, the rest is begun."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import PurePath
from typing import Any

from llama_cloud_ext.extract.inputs import ExtractSource
from llama_cloud_ext.extract.pipeline import ExtractPipeline
from llama_cloud_ext.jobs.configuration_digest import saved_configuration_digest
from llama_cloud_ext.jobs.ledger import Hold, Ledger, LedgerPlace, LedgerWork, entry_key
from llama_cloud_ext.jobs.ledger_records import Intent
from llama_cloud_ext.jobs.pipeline import CreatedJob, Keep
from llama_cloud_ext.wire.job_slots import Slot
from llama_cloud_ext.wire.models.tolerant import as_mapping


class LedgeredExtraction:
    """The ledger's part in one call of an extractor.

    Args:
        ledger: The ledger.
        pipeline: Creates and collects jobs.
        body: The create's body without its input.
    """

    def __init__(self, ledger: Ledger, pipeline: ExtractPipeline, body: dict[str, Any]) -> None:
        self._ledger = ledger
        self._pipeline = pipeline
        self._body = body
        self._configuration: str | None = None
        self._settling = asyncio.Lock()

    async def record(self, source: ExtractSource) -> dict[str, Any]:
        """The record of a finished job on one input, of this call or of an earlier one, here or elsewhere."""
        source = await self._fetched(source)
        return await self._ledger.result(await self._key(source), self._work(source))

    async def job(self, source: ExtractSource) -> tuple[CreatedJob, LedgerPlace]:
        """The job on one input, which may have ended already, and where its entry is."""
        source = await self._fetched(source)
        key, work = await self._key(source), self._work(source)
        return await self._ledger.job(key, work), LedgerPlace(self._ledger.location, key, work.about)

    async def _fetched(self, source: ExtractSource) -> ExtractSource:
        """The input with its content, which is what a ledger knows it by."""
        if source.source is None or source.source.url is None:
            return source
        return replace(source, source=await self._pipeline.fetched(source.source))

    async def _key(self, source: ExtractSource) -> str:
        settings = self._pipeline.connection.settings
        async with self._settling:
            if self._configuration is None:
                self._configuration = await self._settled_configuration()
        uploaded = source.source
        return entry_key(
            product="extract",
            content=f"input {source.file_input}" if uploaded is None else await uploaded.sha256(),
            suffix="" if uploaded is None else PurePath(uploaded.name).suffix.lower(),
            host=settings.host,
            organization=settings.organization_id,
            project=settings.project_id,
            configuration=self._configuration,
        )

    async def _settled_configuration(self) -> str:
        """What is extracted, and how: a saved configuration by what it says now."""
        connection = self._pipeline.connection
        saved = self._body.get("configuration_id")
        if saved is not None:
            return await saved_configuration_digest(connection, str(saved))
        configuration = as_mapping(self._body.get("configuration"))
        if (saved := configuration.get("parse_config_id")) is not None:
            configuration = {**configuration, "parse_config_id": await saved_configuration_digest(connection, saved)}
        return json.dumps(configuration, sort_keys=True, separators=(",", ":"))

    def _work(self, source: ExtractSource) -> LedgerWork:
        pipeline = self._pipeline

        async def turn() -> Slot:
            return await pipeline.turn(source)

        async def create(intent: Intent, slot: Slot, hold: Hold[Intent]) -> CreatedJob:
            async def uploaded(file_id: str) -> None:
                await hold.note(replace(intent, file_id=file_id))

            return await pipeline.create(source, self._body, slot=slot, on_upload=uploaded, permit=hold.permit)

        async def recover(intent: Intent) -> CreatedJob | None:
            job = await pipeline.recover(source, self._body, intent.file_id, intent.begun)
            if job is None and intent.file_id is not None and pipeline.delete_after:
                await pipeline.delete_upload(intent.file_id)  # the new job gets one of its own
            return job

        async def collect(job: CreatedJob, keep: Keep) -> dict[str, Any]:
            return await pipeline.collect(job, file=source.label, keep=keep)

        about = {"product": "extract", "file": source.label, "host": pipeline.connection.settings.host}
        return LedgerWork(about, turn, create, recover, collect)
