"""Schemas that the service checks or makes, on the I/O loop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llama_cloud_ext.errors import ApiError, ConfigurationError
from llama_cloud_ext.extract.data_schema import DataSchema
from llama_cloud_ext.extract.inputs import ExtractFile, ExtractInput
from llama_cloud_ext.extract.pipeline import ExtractPipeline
from llama_cloud_ext.wire import extract
from llama_cloud_ext.wire.job_slots import JobSlots
from llama_cloud_ext.wire.models.tolerant import as_mapping
from llama_cloud_ext.wire.settings import Settings
from llama_cloud_ext.wire.transport import connection_for


async def validate(settings: Settings, data_schema: type[Any] | Mapping[str, Any]) -> dict[str, Any]:
    """The schema as jobs will use it; see `LlamaExtract.validate_schema`."""
    sent = DataSchema.of(data_schema).json_schema
    return await extract.validate_schema(connection_for(settings), sent) or sent


async def generate(
    settings: Settings,
    prompt: str | None,
    file: ExtractFile | None,
    data_schema: type[Any] | Mapping[str, Any] | None,
    fs: Any,
) -> dict[str, Any]:
    """A schema that the service made; see `LlamaExtract.generate_schema`."""
    if not (prompt and prompt.strip()) and file is None and data_schema is None:
        raise ConfigurationError(
            "there is nothing to make a schema of",
            hint="Say what to extract in a prompt, or give a file like those to come.",
        )
    connection = connection_for(settings)
    given = None if data_schema is None else DataSchema.of(data_schema).json_schema
    pipeline = ExtractPipeline(connection, slots=JobSlots(1), job_timeout=None, delete_after=True)
    uploaded: str | None = None
    file_id: str | None = None
    if file is not None:
        source = await ExtractInput(file, 0, None, fs).resolve()
        if source.is_parse_job:
            raise ConfigurationError(
                "a schema is made from a file, not from what a parse job made of one",
                option="file",
                hint="Pass the file itself, or the id of its upload.",
            )
        file_id = source.file_input
        if source.source is not None:
            file_id = uploaded = await pipeline.upload(source.source)
    try:
        answer = await extract.generate_schema(connection, prompt=prompt, file_id=file_id, data_schema=given)
    finally:
        if uploaded is not None:
            # It was uploaded for this alone.
            await pipeline.delete_upload(uploaded)
    schema = as_mapping(as_mapping(answer.get("parameters")).get("data_schema"))
    if not schema:
        raise ApiError(
            "the answer to generating a schema holds none",
            status=200,
            body=answer,
            hint="Say in the prompt which fields there are.",
        )
    return schema
