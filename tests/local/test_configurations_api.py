"""Saved configurations and extraction agents on local LlamaCloud, and parse jobs that use them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.local.clients import PARSE, expanded, finished, local_client, submit, upload_file
from tests.local.extract_calls import CONFIGURATIONS, SCHEMA, places, save

AGENTS = "/api/v1/beta/extraction-agents"
PARAMETERS: dict[str, dict[str, Any]] = {
    "extract_v2": {"data_schema": SCHEMA, "tier": "agentic", "cite_sources": True},
    "parse_v2": {"tier": "fast", "version": "latest", "page_ranges": {"target_pages": "1"}},
    "classify_v2": {"rules": [{"type": "invoice", "description": "has a total"}], "mode": "FAST"},
    "split_v1": {"categories": [{"name": "letter"}], "splitting_strategy": {"allow_uncategorized": "omit"}},
    "spreadsheet_v1": {"sheet_names": ["A"], "tier": "cost_effective", "include_hidden_cells": False},
    "unknown": {"anything": {"goes": [1, None]}},
}


async def test_every_product(tmp_path: Path) -> None:
    """Ensure configurations of all products are kept as they were sent, across restarts."""
    async with local_client(tmp_path) as client:
        saved = [await save(client, f"my {product}", product, **values) for product, values in PARAMETERS.items()]
    async with local_client(tmp_path) as client:
        for configuration, (product, values) in zip(saved, PARAMETERS.items(), strict=True):
            assert configuration["id"].startswith("cfg-")
            assert configuration["parameters"] == {"product_type": product, **values}
            assert configuration["product_type"] == product
            answer = await client.get(f"{CONFIGURATIONS}/{configuration['id']}")
            assert answer.json() == configuration


async def test_saving_again(tmp_path: Path) -> None:
    """Ensure a second save of a name changes that configuration, per product, and its version."""
    async with local_client(tmp_path) as client:
        first = await save(client, "mine", tier="agentic")
        parsing = await save(client, "mine", "parse_v2", tier="fast", version="latest")
        second = await save(client, "mine", tier="cost_effective", system_prompt=None)
        assert parsing["id"] != first["id"] == second["id"]
        assert second["parameters"] == {"product_type": "extract_v2", "data_schema": SCHEMA, "tier": "cost_effective"}
        assert second["created_at"] == first["created_at"]
        assert second["version"] > first["version"]
        assert (await client.get(CONFIGURATIONS)).json()["total_size"] == 2


async def test_changes(tmp_path: Path) -> None:
    """Ensure name and parameters change alone or together, and a name that is taken is refused."""
    async with local_client(tmp_path) as client:
        one, other = await save(client, "one"), await save(client, "other")
        url = f"{CONFIGURATIONS}/{one['id']}"
        renamed = (await client.put(url, json={"name": "first"})).json()
        assert (renamed["name"], renamed["parameters"]) == ("first", one["parameters"])
        parameters = {"product_type": "extract_v2", "data_schema": SCHEMA, "max_pages": 3}
        changed = (await client.put(url, json={"parameters": parameters, "name": None})).json()
        assert (changed["name"], changed["parameters"]) == ("first", parameters)
        assert (await client.put(url, json={"name": other["name"]})).status_code == 409
        assert places(await client.put(url, json={"name": " "})) == [["body", "name"]]
        assert (await client.delete(url)).status_code == 204
        for answer in (await client.get(url), await client.delete(url), await client.put(url, json={"name": "x"})):
            assert (answer.status_code, answer.json()) == (404, {"detail": "Configuration not found"})


async def test_list(tmp_path: Path) -> None:
    """Ensure the list is newest first, pages through, and filters by name and by one or several products."""
    async with local_client(tmp_path) as client:
        saved = [
            await save(client, f"c{number % 2}", product, **PARAMETERS[product])
            for number, product in enumerate(PARAMETERS)
        ]
        ids = [configuration["id"] for configuration in saved]

        async def listed(**query: Any) -> list[str]:
            page = (await client.get(CONFIGURATIONS, params=query)).json()
            assert page["total_size"] == len(page["items"])
            return [configuration["id"] for configuration in page["items"]]

        assert await listed() == await listed(latest_only=True) == ids[::-1]
        assert await listed(name="c1") == ids[5:0:-2]
        assert await listed(product_type="parse_v2") == [ids[1]]
        assert await listed(product_type=["extract_v2", "split_v1"], name="c0") == [ids[0]]
        first = (await client.get(CONFIGURATIONS, params={"page_size": 4})).json()
        query = {"page_size": 4, "page_token": first["next_page_token"]}
        rest = (await client.get(CONFIGURATIONS, params=query)).json()
        assert [configuration["id"] for configuration in first["items"] + rest["items"]] == ids[::-1]
        for query in ({"product_type": "none"}, {"latest_only": "perhaps"}, {"page_size": 0}, {"page_token": "x"}):
            assert (await client.get(CONFIGURATIONS, params=query)).status_code == 422


@pytest.mark.parametrize(
    ("parameters", "loc"),
    [
        (None, []),
        ({}, ["product_type"]),
        ({"product_type": "none"}, ["product_type"]),
        ({"product_type": "extract_v2"}, ["data_schema"]),
        ({"product_type": "extract_v2", "data_schema": SCHEMA, "tier": "best"}, ["tier"]),
        ({"product_type": "extract_v2", "data_schema": {"type": "string"}}, ["data_schema"]),
        ({"product_type": "parse_v2", "version": "latest"}, ["tier"]),
        ({"product_type": "parse_v2", "tier": "fast", "version": "latest", "file_id": "x"}, ["file_id"]),
        ({"product_type": "parse_v2", "tier": "fast", "version": "latest", "tabels": 1}, ["tabels"]),
        ({"product_type": "classify_v2", "rules": []}, ["rules"]),
        ({"product_type": "classify_v2", "rules": [{"type": "a"}]}, ["rules", 0, "description"]),
        ({"product_type": "split_v1"}, ["categories"]),
        ({"product_type": "spreadsheet_v1", "tier": "turbo"}, ["tier"]),
    ],
)
async def test_bad_parameters_are_structured_422s(parameters: Any, loc: list[str | int]) -> None:
    """Ensure what is wrong with a configuration is named with its place, and nothing is saved."""
    async with local_client(None) as client:
        answer = await client.post(CONFIGURATIONS, json={"name": "mine", "parameters": parameters})
        assert places(answer)[0] == ["body", "parameters", *loc]
        assert places(await client.post(CONFIGURATIONS, json={"parameters": {}})) == [["body", "name"]]
        assert places(await client.post(CONFIGURATIONS, json={"name": "mine"})) == [["body", "parameters"]]
        assert (await client.get(CONFIGURATIONS)).json()["items"] == []


async def test_agents_are_the_configurations_of_extract(tmp_path: Path) -> None:
    """Ensure the older list of agents shows what is saved for Extract, in the words of its time."""
    async with local_client(tmp_path) as client:
        for product, values in PARAMETERS.items():
            await save(client, f"my {product}", product, **values)
        saved = await save(client, "rows", tier="cost_effective", extraction_target="per_page", target_pages="2-3")
        agents = (await client.get(AGENTS, params={"include_default": True})).json()
        assert [agent["name"] for agent in agents["items"]] == ["rows", "my extract_v2"]
        rows, cited = agents["items"]
        assert (rows["id"], rows["data_schema"]) == (saved["id"], SCHEMA)
        assert rows["config"]["extraction_mode"] == "BALANCED"
        assert (rows["config"]["extraction_target"], rows["config"]["page_range"]) == ("PER_PAGE", "2-3")
        assert (cited["config"]["extraction_mode"], cited["config"]["cite_sources"]) == ("MULTIMODAL", True)
        page = (await client.get(AGENTS, params={"page_size": 1})).json()
        query = {"page_size": 1, "page_token": page["next_page_token"]}
        assert (await client.get(AGENTS, params=query)).json()["items"] == [cited]


async def test_parsing_with_a_saved_configuration(tmp_path: Path) -> None:
    """Ensure a parse job takes from a saved configuration what its request leaves open, by file and by upload."""
    async with local_client(tmp_path) as client:
        saved = await save(client, "first", "parse_v2", **PARAMETERS["parse_v2"])
        file = await upload_file(client, b"one\ftwo")
        for body in (
            {"configuration_id": saved["id"]},
            {"configuration_id": saved["id"], "tier": "configured", "version": "configured"},
        ):
            job = (await client.post(PARSE, json={"file_id": file["id"], **body})).json()
            assert job["tier"] == "fast"
            assert (await finished(client, job["id"]))["status"] == "COMPLETED"
            metadata = (await expanded(client, job["id"], "job_metadata"))["job_metadata"]
            assert metadata["version"] == "latest"
        job = await submit(client, "x", tier="agentic", version="configured", configuration_id=saved["id"])
        assert job["tier"] == "agentic"
        extraction = await save(client, "other")
        for other in (extraction["id"], "cfg-none"):
            answer = await client.post(PARSE, json={"file_id": file["id"], "configuration_id": other})
            assert (answer.status_code, answer.json()["detail"]) == (403, "Access denied to this parse configuration")
