"""The official SDK, refusing every answer that its models do not describe, extracts with local LlamaCloud."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.contract.official_sdk import OfficialSdk
from tests.contract.test_sdk_against_local import refusal

SCHEMA = {
    "type": "object",
    "properties": {
        "vendor": {"type": "string", "description": "Vendor"},
        "total": {"type": "number", "description": "Total amount"},
        "paid_on": {"anyOf": [{"type": "string"}, {"type": "null"}], "description": "Date of payment", "default": None},
    },
}
INVOICE = "# Invoice\n\nVendor: Acme Ltd.\n\nTotal: 1234.50\n"


@pytest.fixture(scope="module")
def file_id(sdk: OfficialSdk) -> str:
    """An uploaded invoice."""
    return str(sdk.run(upload, name="invoice.md", text=INVOICE))


def upload(client: Any, name: str, text: str) -> str:
    """Upload a text; its file's id."""
    return client.files.create(file=(name, text.encode()), purpose="extract").id


def extract(client: Any, file_input: str, **options: Any) -> dict[str, Any]:
    """Extract to the end; the job as JSON."""
    job = client.extract.run(file_input=file_input, polling_interval=0.05, polling_timeout=30, **options)
    return job.to_dict(mode="json")


def test_run(sdk: OfficialSdk, file_id: str) -> None:
    """Ensure that an extraction by one call of the SDK gives the data, and its metadata when it is asked for."""
    plain = sdk.run(extract, file_input=file_id, configuration={"data_schema": SCHEMA})
    assert plain["extract_result"] == {"vendor": "Acme Ltd.", "total": 1234.5, "paid_on": None}
    assert (plain["status"], plain["extract_metadata"]) == ("COMPLETED", None)
    configuration = {"data_schema": SCHEMA, "cite_sources": True, "confidence_scores": True, "tier": "agentic"}
    cited = sdk.run(extract, file_input=file_id, configuration=configuration)
    metadata = cited["extract_metadata"]["field_metadata"]["document_metadata"]
    assert metadata["vendor"]["citation"][0]["page"] == 1
    assert "Acme Ltd." in metadata["vendor"]["citation"][0]["matching_text"]
    assert 0 < metadata["total"]["confidence"] <= 1
    assert cited["metadata"]["usage"]["num_pages_extracted"] == 1


def test_a_job_from_beginning_to_end(sdk: OfficialSdk, file_id: str) -> None:
    """Ensure that the SDK creates, awaits, expands, lists, pages through and deletes jobs."""

    def journey(client: Any, file_id: str, schema: dict[str, Any]) -> dict[str, Any]:
        configuration = {"data_schema": schema, "system_prompt": "begin to end"}
        created = client.extract.create(
            file_input=file_id,
            configuration=configuration,
            webhook_configurations=[{"webhook_url": "https://example.com/hook", "webhook_events": ["extract.success"]}],
        )
        client.extract.wait_for_completion(created.id, polling_interval=0.05, timeout=30)
        whole = client.extract.get(created.id, expand=["configuration", "extract_metadata", "usage"])
        parsed = client.parsing.get(whole.extract_metadata.parse_job_id, expand=["text"])
        again = client.extract.run(
            file_input=whole.extract_metadata.parse_job_id, configuration=configuration, polling_interval=0.05
        )
        expand = ["configuration", "extract_metadata"]
        listed = [job.id for job in client.extract.list(job_ids=[created.id, again.id], page_size=1, expand=expand)]
        by_file = client.extract.list(file_input=file_id, document_input_type="file_id", status="COMPLETED").items
        since = client.extract.list(created_at_on_or_after=again.created_at, job_ids=[created.id, again.id]).items
        deleted = client.extract.delete(again.id)
        return {
            "created": created.to_dict(mode="json"),
            "whole": whole.to_dict(mode="json"),
            "parsed": parsed.text.pages[0].text,
            "listed": listed == [again.id, created.id],
            "by_file": created.id in [job.id for job in by_file],
            "since": [job.id for job in since] == [again.id],
            "deleted": deleted,
            "left": [job.id for job in client.extract.list(job_ids=[created.id, again.id]).items] == [created.id],
        }

    answer = sdk.run(journey, file_id=file_id, schema=SCHEMA)
    assert (answer["created"]["status"], answer["created"]["file_input"]) == ("PENDING", file_id)
    assert answer["whole"]["configuration"]["system_prompt"] == "begin to end"
    assert answer["whole"]["usage"] == {"credits": 0.0, "extract_credits": 0.0, "parse_credits": 0.0}
    assert answer["whole"]["metadata"]["options_not_applied"] == ["webhook_configurations"]
    assert "Acme Ltd." in answer["parsed"]
    assert [answer[name] for name in ("listed", "by_file", "since", "left")] == [True] * 4
    assert answer["deleted"] == {}


def test_the_async_client(sdk: OfficialSdk, file_id: str) -> None:
    """Ensure that everything works awaited: a saved configuration, a job by its id, and what it leaves behind."""

    async def journey(client: Any, file_id: str, schema: dict[str, Any]) -> dict[str, Any]:
        parameters = {"product_type": "extract_v2", "data_schema": schema, "extraction_target": "per_doc"}
        saved = await client.configurations.create(name="invoices, awaited", parameters=parameters)
        job = await client.extract.run(
            file_input=file_id, configuration_id=saved.id, polling_interval=0.05, polling_timeout=30
        )
        listed = [found.id async for found in client.extract.list(configuration_id=saved.id)]
        agents = [agent.id async for agent in client.extraction_agents.list(include_default=True, page_size=1)]
        validated = await client.extract.validate_schema(data_schema=schema)
        generated = await client.extract.generate_schema(data_schema=schema, name="invoices, generated")
        return {
            "job": job.to_dict(mode="json"),
            "saved": saved.id,
            "listed": listed == [job.id],
            "agents": saved.id in agents,
            "validated": validated.data_schema,
            "generated": generated.to_dict(mode="json"),
        }

    answer = sdk.run(journey, file_id=file_id, schema=SCHEMA)
    assert answer["job"]["extract_result"]["vendor"] == "Acme Ltd."
    assert (answer["job"]["configuration_id"], answer["listed"], answer["agents"]) == (answer["saved"], True, True)
    assert answer["validated"] == SCHEMA
    assert answer["generated"]["name"] == "invoices, generated"
    assert answer["generated"]["parameters"]["product_type"] == "extract_v2"
    assert SCHEMA["properties"].keys() <= answer["generated"]["parameters"]["data_schema"]["properties"].keys()


def test_generating_a_schema_from_a_file(sdk: OfficialSdk, file_id: str) -> None:
    """Ensure that what is generated from a file can be saved, and extracts from that file."""

    def journey(client: Any, file_id: str) -> dict[str, Any]:
        generated = client.extract.generate_schema(file_id=file_id, prompt="The vendor and the total of an invoice.")
        values = generated.to_dict()
        saved = client.configurations.create(**values)
        job = client.extract.run(file_input=file_id, configuration_id=saved.id, polling_interval=0.05)
        return {"schema": values["parameters"]["data_schema"], "result": job.extract_result}

    answer = sdk.run(journey, file_id=file_id)
    assert answer["schema"]["type"] == "object"
    assert answer["schema"]["properties"]
    assert answer["result"].keys() <= answer["schema"]["properties"].keys()


@pytest.mark.parametrize("target", ["per_page", "per_table_row"])
def test_lists_of_objects(sdk: OfficialSdk, data_dir: Path, target: str) -> None:
    """Ensure that one object a page, or a table row, loads as a list, with metadata for each."""

    def journey(client: Any, path: str, target: str, schema: dict[str, Any]) -> dict[str, Any]:
        from pathlib import Path

        file = client.files.create(file=Path(path), purpose="extract")
        configuration = {"data_schema": schema, "extraction_target": target, "version": "2.0", "cite_sources": True}
        job = client.extract.run(file_input=file.id, configuration=configuration, polling_interval=0.05)
        return job.to_dict(mode="json")

    schema = {"type": "object", "properties": {"mpg": {"type": "number"}, "cyl": {"type": "integer"}}}
    job = sdk.run(journey, path=str(data_dir / "mtcars.csv"), target=target, schema=schema)
    metadata = job["extract_metadata"]["field_metadata"]
    (given,) = (name for name, value in metadata.items() if value is not None)
    assert given == {"per_page": "page_metadata", "per_table_row": "row_metadata"}[target]
    assert isinstance(job["extract_result"], list)
    assert len(metadata[given]) == len(job["extract_result"])


def test_cancelling(sdk: OfficialSdk, data_dir: Path) -> None:
    """Ensure that an unfinished job is cancelled once, and deleted afterwards or by force."""

    def journey(client: Any, path: str, schema: dict[str, Any]) -> dict[str, Any]:
        from pathlib import Path

        from llama_cloud import APIStatusError

        file = client.files.create(file=Path(path), purpose="extract")
        one, two = [
            client.extract.create(file_input=file.id, configuration={"data_schema": schema, "system_prompt": prompt})
            for prompt in ("one", "two")
        ]
        cancelled = client.extract.cancel(one.id)
        refused = []
        for call, job in ((client.extract.cancel, one), (client.extract.delete, two)):
            try:
                call(job.id)
            except APIStatusError as error:
                refused.append(error.status_code)
        client.extract.delete(one.id)
        client.extract.delete(two.id, force=True)
        return {"cancelled": cancelled.status, "refused": refused}

    answer = sdk.run(journey, path=str(data_dir / "reportlab-userguide.pdf"), schema=SCHEMA)
    assert answer == {"cancelled": "CANCELLED", "refused": [409, 409]}


def test_a_job_that_fails(sdk: OfficialSdk, data_dir: Path) -> None:
    """Ensure that waiting for a job that fails raises the SDK's error with the code of the service."""

    def journey(client: Any, path: str, schema: dict[str, Any]) -> str:
        from pathlib import Path

        from llama_cloud import PollingError

        file = client.files.create(file=Path(path), purpose="extract")
        try:
            client.extract.run(file_input=file.id, configuration={"data_schema": schema}, polling_interval=0.05)
        except PollingError as error:
            return str(error)
        return "nothing"

    message = sdk.run(journey, path=str(data_dir / "password-protected.pdf"), schema=SCHEMA)
    assert "PDF_IS_PROTECTED" in message


def test_refusals(sdk: OfficialSdk, file_id: str) -> None:
    """Ensure that refusals are those classes of the SDK that its users catch."""
    configuration = {"data_schema": SCHEMA}
    for function, arguments, kind in (
        ("extract.create", {"file_input": "dfl-none", "configuration": configuration}, "NotFoundError"),
        ("extract.create", {"file_input": file_id}, "UnprocessableEntityError"),
        ("extract.create", {"file_input": file_id, "configuration_id": "cfg-none"}, "NotFoundError"),
        ("extract.get", {"job_id": "ext-none"}, "NotFoundError"),
        ("extract.validate_schema", {"data_schema": {"type": "array"}}, "UnprocessableEntityError"),
        ("configurations.retrieve", {"config_id": "cfg-none"}, "NotFoundError"),
        ("configurations.create", {"name": "x", "parameters": {"product_type": "x"}}, "UnprocessableEntityError"),
    ):
        assert sdk.run(refusal, function=function, arguments=arguments)["kind"] == kind


def test_configurations(sdk: OfficialSdk) -> None:
    """Ensure that configurations of every product are saved, read, changed, listed and deleted."""

    def journey(client: Any, parameters: list[dict[str, Any]]) -> dict[str, Any]:
        saved = [client.configurations.create(name="contract", parameters=one) for one in parameters]
        read = [client.configurations.retrieve(one.id).to_dict() == one.to_dict() for one in saved]
        again = client.configurations.create(name="contract", parameters=parameters[0])
        renamed = client.configurations.update(saved[0].id, name="contract, renamed")
        changed = client.configurations.update(saved[1].id, parameters={**parameters[1], "tier": "agentic"})
        products = ["parse_v2", "split_v1"]
        listed = client.configurations.list(name="contract", product_type=products, latest_only=True, page_size=1)
        types = [one.product_type for one in listed]
        for one in saved:
            client.configurations.delete(one.id)
        return {
            "kinds": [type(one.parameters).__name__ for one in saved],
            "read": read,
            "again": again.id == saved[0].id and again.version > saved[0].version,
            "renamed": renamed.name,
            "changed": changed.parameters.tier,
            "types": types,
            "left": len(client.configurations.list(name="contract").items),
        }

    answer = sdk.run(
        journey,
        parameters=[
            {"product_type": "extract_v2", "data_schema": SCHEMA, "tier": "agentic", "max_pages": 3},
            {"product_type": "parse_v2", "tier": "fast", "version": "latest", "crop_box": {"top": 0.1}},
            {"product_type": "classify_v2", "rules": [{"type": "invoice", "description": "has a total"}]},
            {"product_type": "split_v1", "categories": [{"name": "letter"}]},
            {"product_type": "spreadsheet_v1", "tier": "agentic"},
            {"product_type": "unknown", "anything": {"goes": [1]}},
        ],
    )
    assert answer["kinds"] == [
        "ExtractV2Parameters",
        "ParseV2Parameters",
        "ClassifyV2Parameters",
        "SplitV1Parameters",
        "ParametersSpreadsheetV1Parameters",
        "UntypedParameters",
    ]
    assert answer["read"] == [True] * 6
    assert answer["again"]
    assert (answer["renamed"], answer["changed"], answer["left"]) == ("contract, renamed", "agentic", 0)
    assert answer["types"] == ["split_v1", "parse_v2"]


def test_a_saved_parse_configuration(sdk: OfficialSdk, file_id: str) -> None:
    """Ensure that the SDK parses with a saved configuration, and extracts with it."""

    def journey(client: Any, file_id: str, schema: dict[str, Any]) -> list[str]:
        parameters = {"product_type": "parse_v2", "tier": "fast", "version": "latest"}
        saved = client.configurations.create(name="quick", parameters=parameters)
        parsed = client.parsing.create(
            file_id=file_id, configuration_id=saved.id, tier="configured", version="configured"
        )
        job = client.extract.run(
            file_input=file_id,
            configuration={"data_schema": schema, "parse_config_id": saved.id, "cite_sources": True},
            polling_interval=0.05,
        )
        return [parsed.tier, job.extract_metadata.parse_tier]

    assert sdk.run(journey, file_id=file_id, schema=SCHEMA) == ["fast", "fast"]
