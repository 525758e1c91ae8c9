"""Extraction agents: saved configurations that are found, run, changed and deleted without losing anything."""

from __future__ import annotations

import asyncio
import copy
from typing import Any

import httpx
import pytest
from pydantic import BaseModel

from llama_cloud_ext import ConfigurationError, ConflictError, ExtractConfig, ExtractionAgent, NotFoundError
from tests.http.scripted import Fault
from tests.http.scripted_extract import DATA, SCHEMA, ScriptedExtract

PDF = b"%PDF-1.7 stands for a file"
NAMED = {"file_name": "a.pdf"}


class Invoice(BaseModel):
    """What the scripted service extracts."""

    vendor: str
    total: float


class Date(BaseModel):
    """Something else."""

    date: str | None


def last_create(service: ScriptedExtract) -> dict[str, Any]:
    """The body of the newest job."""
    body: dict[str, Any] = service.bodies("create")[-1]
    return body


def test_an_agent_is_saved_and_used_by_reference() -> None:
    """Ensure an agent's jobs refer to what is saved, and results are the class's, sync and async."""
    service = ScriptedExtract()
    agent = service.extractor().create_agent("invoices", Invoice, {"tier": "agentic"})
    other = asyncio.run(service.extractor().acreate_agent("others", Invoice))
    assert agent.config == ExtractConfig(tier="agentic")
    for one in (agent, other):
        for result in (one.extract(PDF, NAMED), asyncio.run(one.aextract(PDF, NAMED))):
            assert result.data == Invoice(**DATA)
            body = last_create(service)
            assert body["configuration_id"] == one.id
            assert "configuration" not in body
    saved = service.configurations[agent.id]
    assert saved["parameters"]["product_type"] == "extract_v2"
    assert saved["parameters"]["tier"] == "agentic"


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_a_name_that_is_taken_is_not_overwritten(asynchronous: bool) -> None:
    """Ensure the upsert of the service never replaces an agent unseen: the error names it and the ways out."""
    service = ScriptedExtract()
    extractor = service.extractor()
    first = extractor.create_agent("invoices", Invoice)
    before = copy.deepcopy(service.configurations)
    with pytest.raises(ConflictError, match="invoices") as caught:
        asyncio.run(extractor.acreate_agent("invoices", Date)) if asynchronous else extractor.create_agent(
            "invoices", Date
        )
    assert first.id in str(caught.value)
    assert "exist_ok" in str(caught.value)
    assert service.configurations == before
    assert service.steps["upsert"] == 1


def test_an_agent_that_exists_may_be_taken_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    """Ensure exist_ok gives the saved one, read into the class if it has its fields, and says so if it has not."""
    service = ScriptedExtract()
    extractor = service.extractor()
    first = extractor.create_agent("invoices", Invoice, {"tier": "agentic"})
    again = extractor.create_agent("invoices", Invoice, {"tier": "cost_effective"}, exist_ok=True)
    assert (again.id, again.config.tier) == (first.id, "agentic")
    assert again.extract(PDF, NAMED).data == Invoice(**DATA)
    assert caplog.records == []
    other = extractor.create_agent("invoices", Date, exist_ok=True)
    assert other.extract(PDF, NAMED).data == DATA
    assert "vendor, total" in caplog.text
    assert {last_create(service)["configuration_id"]} == {first.id}
    assert service.steps["upsert"] == 1


def test_agents_are_found_by_name_or_id() -> None:
    """Ensure both ways lead to the same agent, and a wrong name is answered with the nearest."""
    service = ScriptedExtract()
    extractor = service.extractor()
    ids = {name: extractor.create_agent(name, SCHEMA).id for name in ("invoices", "invoices-2", "resumes")}
    for agent in (
        extractor.get_agent("invoices"),
        extractor.get_agent(id=ids["invoices"]),
        asyncio.run(extractor.aget_agent(name="invoices", data_schema=Invoice)),
    ):
        assert (agent.id, agent.name) == (ids["invoices"], "invoices")
    assert agent.extract(PDF, NAMED).data == Invoice(**DATA)
    assert "configuration" not in last_create(service)
    with pytest.raises(NotFoundError, match=r"Did you mean 'resumes'\?"):
        extractor.get_agent("resume")
    with pytest.raises(NotFoundError):
        extractor.get_agent(id="cfg-none")
    for arguments in ({}, {"name": "a", "id": "b"}):
        with pytest.raises(ConfigurationError, match="name or an id"):
            extractor.get_agent(**arguments)  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(ConfigurationError, match="blank"):
        extractor.create_agent(" ", SCHEMA)


def test_names_lead_to_saved_configurations() -> None:
    """Ensure `extract` takes a saved name or id in place of a schema, and refuses what has no such name."""
    service = ScriptedExtract()
    extractor = service.extractor()
    agent = extractor.create_agent("invoices", SCHEMA)
    for given in ("invoices", agent.id):
        result = extractor.extract(given, None, PDF, NAMED)
        assert result.data == DATA
        assert last_create(service)["configuration_id"] == agent.id
        assert result.schema.json_schema == SCHEMA
    with pytest.raises(NotFoundError, match="invoices"):
        extractor.extract("invoice", None, PDF, NAMED)


def test_configurations_of_other_products_are_no_agents() -> None:
    """Ensure neither lists, names nor ids lead to a parse configuration, whether the service filters or not."""
    parse = {"id": "cfg-p", "name": "invoices", "version": "1", "product_type": "parse_v2", "parameters": {}}

    def fault(step: str, request: httpx.Request) -> Fault:
        # An older deployment that knows no filters.
        return {"items": list(service.configurations.values())} if step == "configurations" else None

    for heedless in (False, True):
        service = ScriptedExtract(fault=fault if heedless else None)
        service.configurations["cfg-p"] = parse
        extractor = service.extractor()
        assert extractor.list_agents() == []
        with pytest.raises(ConfigurationError, match="parse_v2"):
            extractor.get_agent(id="cfg-p")
        assert extractor.create_agent("invoices", SCHEMA).id != "cfg-p"


def test_lists_go_over_all_pages() -> None:
    """Ensure every agent is listed, however few come at a time."""
    service = ScriptedExtract(page_size=2)
    extractor = service.extractor()
    names = [f"agent-{number}" for number in range(7)]
    for name in names:
        extractor.create_agent(name, SCHEMA)
    service.forget()
    agents = extractor.list_agents()
    assert [agent.name for agent in agents] == names
    assert service.steps["configurations"] == 4
    assert [agent.id for agent in asyncio.run(extractor.alist_agents())] == [agent.id for agent in agents]
    assert "agent-0" in repr(agents[0])


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_changes_are_used_at_once_and_saved_on_demand(asynchronous: bool) -> None:
    """Ensure what was set goes along with jobs until it is saved, and after that by reference again."""
    service = ScriptedExtract(lambda name: {"date": "2026-11-25"})
    agent = service.extractor().create_agent("invoices", Invoice, {"tier": "agentic"})
    agent.data_schema = Date
    agent.config = {"tier": "cost_effective", "cite_sources": True}
    assert agent.extract(PDF, NAMED).data == Date(date="2026-11-25")
    sent = last_create(service)
    assert "configuration_id" not in sent
    assert sent["configuration"]["tier"] == "cost_effective"
    assert list(sent["configuration"]["data_schema"]["properties"]) == ["date"]
    assert "product_type" not in sent["configuration"]
    assert service.configurations[agent.id]["parameters"]["tier"] == "agentic"
    asyncio.run(agent.asave()) if asynchronous else agent.save()
    assert service.configurations[agent.id]["parameters"]["tier"] == "cost_effective"
    assert agent.version == "2"
    assert agent.extract(PDF, NAMED).data == Date(date="2026-11-25")
    assert last_create(service)["configuration_id"] == agent.id


@pytest.mark.parametrize("answer", [{}, {"parameters": None}])
def test_a_service_may_say_nothing_of_what_it_saved(answer: dict[str, Any]) -> None:
    """Ensure a save whose answer is bare leaves the agent as it was set, and saved."""
    service = ScriptedExtract()
    agent = service.extractor().create_agent("bills", SCHEMA)
    agent.config = {"tier": "agentic_plus"}
    service.fault = lambda step, request: httpx.Response(200, json=answer) if step == "after update" else None
    agent.save()
    assert agent.config.tier == "agentic_plus"
    agent.extract(b"%PDF-1.7", {"file_name": "a.pdf"})
    assert service.jobs["ext-1"]["configuration_id"] == agent.id


def test_a_configuration_without_an_id_is_none() -> None:
    """Ensure a record that cannot be referred to is neither listed nor found."""
    service = ScriptedExtract()
    service.configurations["?"] = {"name": "bills", "product_type": "extract_v2", "parameters": {}}
    assert service.extractor().list_agents() == []
    with pytest.raises(NotFoundError):
        service.extractor().extract("bills", None, b"%PDF-1.7", {"file_name": "a.pdf"})


def test_a_service_may_write_what_it_saved_in_its_own_way() -> None:
    """Ensure an agent stays a reference, and its class its class, when the service normalises the schema."""

    def fault(step: str, request: httpx.Request) -> Fault:
        if step not in ("after upsert", "after update"):
            return None
        (record,) = service.configurations.values()
        parameters = record["parameters"]
        parameters["data_schema"] = {**parameters["data_schema"], "additionalProperties": False}
        parameters |= {"max_pages": None, "invented": 1}
        return record

    service = ScriptedExtract(fault=fault)
    extractor = service.extractor()
    agent = extractor.create_agent("invoices", Invoice)
    agents = [agent, extractor.create_agent("invoices", Invoice, exist_ok=True)]
    agent.config = {"tier": "agentic"}
    agent.save()
    assert service.bodies("update")[-1]["parameters"]["invented"] == 1
    for one in (agent, *agents, extractor.get_agent("invoices", data_schema=Invoice)):
        assert one.extract(PDF, NAMED).data == Invoice(**DATA)
    assert all(body.keys() == {"configuration_id", "file_input"} for body in service.bodies("create")[:1])
    assert "configuration" not in last_create(service)


def test_what_cannot_be_set_is_refused_at_once() -> None:
    """Ensure a wrong schema or setting raises where it is set, and the agent stays what it was."""
    agent = ScriptedExtract().extractor().create_agent("invoices", Invoice)
    with pytest.raises(ConfigurationError, match="tier"):
        agent.config = {"tier": "slow"}
    with pytest.raises(ConfigurationError):
        agent.data_schema = {"type": "array"}
    assert agent.extract(PDF, NAMED).data == Invoice(**DATA)


def test_runs_are_those_of_the_agent() -> None:
    """Ensure jobs of an agent are listed, looked at, collected and deleted by their ids, others' are not among them."""
    service = ScriptedExtract(statuses={"bad.txt": "FAILED"})
    extractor = service.extractor()
    extractor.extract(SCHEMA, None, PDF, NAMED)
    agent = extractor.create_agent("invoices", Invoice)
    jobs = asyncio.run(agent.queue_extraction([PDF, b"%PDF-1.7 two"], NAMED))
    runs = agent.list_extraction_runs()
    assert [run.id for run in runs] == [job.id for job in reversed(jobs)]
    assert len(agent.list_extraction_runs(limit=1)) == 1
    assert agent.list_extraction_runs(status="FAILED") == []
    assert [run.id for run in asyncio.run(agent.alist_extraction_runs())] == [run.id for run in runs]
    assert agent.get_extraction_job(jobs[0].id).status == "COMPLETED"
    assert agent.get_extraction_run_for_job(jobs[0].id).data == Invoice(**DATA)
    agent.delete_extraction_run(jobs[0].id)
    assert jobs[0].id not in service.jobs
    asyncio.run(agent.adelete_extraction_run(jobs[1].id))
    assert [run.id for run in extractor.list_jobs()] == ["ext-1"]


def test_agents_are_deleted_by_id() -> None:
    """Ensure a deleted agent is gone, a second time is an error, and saving it again is one."""
    service = ScriptedExtract()
    extractor = service.extractor()
    agent = extractor.create_agent("invoices", SCHEMA)
    assert isinstance(agent, ExtractionAgent)
    extractor.delete_agent(agent.id)
    assert service.configurations == {}
    with pytest.raises(NotFoundError):
        extractor.delete_agent(agent.id)
    with pytest.raises(NotFoundError):
        agent.save()
