"""`/api/v2/extract/schema` on local LlamaCloud."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llama_cloud_ext.local import extraction
from tests.local.clients import PARSE, upload_file
from tests.local.extract_calls import EXTRACT, SCHEMA, ended, extract, extract_client, places

VALIDATION, GENERATION = f"{EXTRACT}/schema/validation", f"{EXTRACT}/schema/generate"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What is asked of a stand-in for the generation of schemas."""
    calls: list[dict[str, Any]] = []

    def generate(**asked: Any) -> dict[str, Any]:
        calls.append(asked)
        if asked["prompt"] == "fail":
            raise extraction.ExtractionFailed("NO_DATA_FOUND_IN_FILE", "nothing to go by")
        return {"title": "Invoice", **SCHEMA}

    monkeypatch.setattr(extraction, "generate_schema", generate)
    return calls


async def test_validation(tmp_path: Path) -> None:
    """Ensure a good schema comes back as it is, and of a bad one every problem with its path."""
    async with extract_client(tmp_path) as client:
        answer = await client.post(VALIDATION, json={"data_schema": SCHEMA})
        assert (answer.status_code, answer.json()) == (200, {"data_schema": SCHEMA})
        line = {"type": "object", "properties": {"amount": {"type": "money"}}}
        lines = {"type": "array", "items": line}
        bad = {"type": "object", "properties": {"lines": lines, "date": {"type": "string", "default": "today"}}}
        answer = await client.post(VALIDATION, json={"data_schema": bad})
        assert sorted(places(answer)) == [
            ["body", "data_schema", "date"],
            ["body", "data_schema", "lines[].amount"],
        ]
        messages = [problem["msg"] for problem in answer.json()["detail"]]
        assert any(message.startswith("lines[].amount: ") for message in messages)
        assert places(await client.post(VALIDATION, json={"data_schema": {"type": "string"}})) == [
            ["body", "data_schema"]
        ]
        assert places(await client.post(VALIDATION, json={"data_schema": [1]})) == [["body", "data_schema"]]
        assert places(await client.post(VALIDATION, json={})) == [["body", "data_schema"]]


async def test_generation(tmp_path: Path, asked: list[dict[str, Any]]) -> None:
    """Ensure a schema is generated from prompt, file and schema, as a configuration that can be saved."""
    async with extract_client(tmp_path) as client:
        answer = (await client.post(GENERATION, json={"prompt": "Invoices.", "data_schema": SCHEMA})).json()
        parameters = {"product_type": "extract_v2", "data_schema": {"title": "Invoice", **SCHEMA}}
        assert answer == {"name": "Invoice", "parameters": parameters}
        assert (asked[0]["prompt"], asked[0]["data_schema"], asked[0]["pages"]) == ("Invoices.", SCHEMA, None)
        file = await upload_file(client, b"one\ftwo", "bill 7.txt")
        answer = (await client.post(GENERATION, json={"file_id": file["id"]})).json()
        assert answer["name"] == "bill 7"
        assert [page.text for page in asked[1]["pages"]] == ["one", "two"]
        assert (await client.post(GENERATION, json={"file_id": file["id"], "name": "N"})).json()["name"] == "N"
        answer = await client.post("/api/v1/beta/configurations", json=answer)
        assert answer.status_code == 200


async def test_generation_parses_as_extraction_does(tmp_path: Path, asked: list[dict[str, Any]]) -> None:
    """Ensure a file is parsed once for its schemas and its extraction."""
    async with extract_client(tmp_path) as client:
        file = await upload_file(client, b"one")
        for _ in range(2):
            assert (await client.post(GENERATION, json={"file_id": file["id"]})).status_code == 200
        await ended(client, (await extract(client, file["id"]))["id"])
        assert (await client.get(PARSE)).json()["total_size"] == 1
        assert len(asked) == 2


async def test_what_cannot_be_generated(tmp_path: Path, asked: list[dict[str, Any]]) -> None:
    """Ensure files that are not there or cannot be parsed, and what the generation refuses, are told apart."""
    async with extract_client(tmp_path) as client:
        broken = await upload_file(client, b"FAIL PDF_IS_BROKEN")
        for body, status, detail in (
            ({"file_id": "dfl-none"}, 404, "file_input: there is no file and no parse job dfl-none"),
            ({"file_id": broken["id"]}, 400, "The file could not be parsed: PDF_IS_BROKEN"),
            ({"prompt": "fail"}, 400, "NO_DATA_FOUND_IN_FILE: nothing to go by"),
        ):
            answer = await client.post(GENERATION, json=body)
            assert (answer.status_code, answer.json()["detail"][: len(detail)]) == (status, detail)
        assert places(await client.post(GENERATION, json={})) == [["body"]]
        assert places(await client.post(GENERATION, json={"prompt": 1})) == [["body", "prompt"]]
        bad = {"data_schema": {"type": "array"}}
        assert places(await client.post(GENERATION, json=bad)) == [["body", "data_schema"]]
        assert len(asked) == 1
