"""The published examples of the existing package's Extract run as they are written, against local LlamaCloud.

Only the imports differ, and what the examples have wrong themselves: `config` where `extract_config` was defined,
`nvalidate_cache`, a `resume.pdf` that does not come with them (a plain text here), and line breaks that were escaped.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, Field

from llama_cloud_ext import (
    ChunkMode,
    ExtractConfig,
    ExtractMode,
    ExtractTarget,
    LlamaExtract,
    NotFoundError,
    SourceText,
)

TEXT = "Name: John Doe\nEmail: john@example.com\nSkills: Python, AI\n"
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")


class Resume(BaseModel):
    """As in the examples."""

    name: str = Field(description="Full name of candidate")
    email: str = Field(description="Email address")
    skills: list[str] = Field(description="Technical skills and technologies")


JOHN = Resume(name="John Doe", email="john@example.com", skills=["Python", "AI"])


@pytest.fixture(scope="module")
def extractor(tmp_path_factory: pytest.TempPathFactory) -> LlamaExtract:
    """An extractor, made as in the examples."""
    return LlamaExtract(
        show_progress=True, check_interval=5, base_url=f"local:{tmp_path_factory.mktemp('cloud')}", api_key="llx-test"
    )


@pytest.fixture
def resumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with the files that the examples name."""
    for name in ("resume", "resume1", "resume2"):
        (tmp_path / f"{name}.txt").write_text(TEXT)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_quick_start(extractor: LlamaExtract, resumes: Path) -> None:
    """Ensure the first example gives the validated model, with every setting of its configuration."""
    extract_config = ExtractConfig(
        extraction_mode=ExtractMode.MULTIMODAL,
        extraction_target=ExtractTarget.PER_DOC,
        system_prompt="<Insert relevant context for extraction>",
        chunk_mode=ChunkMode.PAGE,
        high_resolution_mode=True,
        invalidate_cache=False,
        cite_sources=True,
        use_reasoning=True,
        confidence_scores=True,
    )
    result = extractor.extract(Resume, extract_config, "resume.txt")
    assert result.data == JOHN
    assert result.job.tier == "agentic"
    assert result.fields["email"].citations[0].text


def test_input_types(extractor: LlamaExtract, resumes: Path) -> None:
    """Ensure each kind of input of the examples gives the same."""
    config = ExtractConfig(extraction_mode=ExtractMode.FAST)
    results = [extractor.extract(Resume, config, "resume.txt")]
    with open("resume.txt", "rb") as f:  # noqa: PTH123 - as it is written
        results.append(extractor.extract(Resume, config, f))
    with open("resume.txt", "rb") as f:  # noqa: PTH123 - as it is written
        file_bytes = f.read()
    results.append(extractor.extract(Resume, config, SourceText(file=file_bytes, filename="resume.txt")))
    text = "Name: John Doe\nEmail: john@example.com\nSkills: Python, AI"
    results.append(extractor.extract(Resume, config, SourceText(text_content=text)))
    assert [result.data for result in results] == [JOHN] * 4


def test_async_extraction(extractor: LlamaExtract, resumes: Path) -> None:
    """Ensure jobs are extracted, queued, looked at and collected as in the examples, with an agent as they have it."""
    config = ExtractConfig(extraction_mode=ExtractMode.FAST)
    agent = extractor.create_agent(name="async-example", data_schema=Resume, config=config)

    async def extract_resumes() -> Any:
        result = await extractor.aextract(Resume, config, "resume.txt")
        assert result.data == JOHN
        jobs = await extractor.queue_extraction(Resume, config, ["resume1.txt", "resume2.txt"])
        assert len(jobs) == 2
        return jobs

    jobs = asyncio.run(extract_resumes())
    for job in jobs:
        status = agent.get_extraction_job(job.id).status
        assert status in ("PENDING", "RUNNING", "COMPLETED")
    results = [agent.get_extraction_run_for_job(job.id) for job in jobs]
    assert [result.data for result in results] == [JOHN] * 2


SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "description": "Candidate name"},
        "experience": {
            "type": "array",
            "description": "Work history",
            "items": {
                "type": "object",
                "properties": {
                    "company": {"type": "string", "description": "Company name"},
                    "title": {"type": "string", "description": "Job title"},
                    "start_date": {
                        "anyOf": [{"type": "string"}, {"type": "null"}],
                        "description": "Start date of employment",
                    },
                    "end_date": {
                        "anyOf": [{"type": "string"}, {"type": "null"}],
                        "description": "End date of employment",
                    },
                },
            },
        },
    },
}


def test_schemas(extractor: LlamaExtract, resumes: Path) -> None:
    """Ensure the JSON schema of the examples is taken as it is, and gives plain data."""
    config = ExtractConfig(extraction_mode=ExtractMode.FAST)
    result = extractor.extract(SCHEMA, config, "resume.txt")
    assert result.data["name"] == "John Doe"


def test_configurations() -> None:
    """Ensure both configurations of the examples mean the settings that took their place."""
    config = ExtractConfig(
        extraction_mode=ExtractMode.BALANCED,
        extraction_target=ExtractTarget.PER_DOC,
        system_prompt="Focus on the most recent data",
        page_range="1-5,10-15",
    )
    assert config.to_body() == {
        "tier": "cost_effective",
        "extraction_target": "per_doc",
        "system_prompt": "Focus on the most recent data",
        "target_pages": "1-5,10-15",
    }
    advanced_config = ExtractConfig(
        extraction_mode=ExtractMode.MULTIMODAL,
        chunk_mode=ChunkMode.PAGE,
        high_resolution_mode=True,
        invalidate_cache=False,
        cite_sources=True,
        use_reasoning=True,
        confidence_scores=True,
    )
    assert advanced_config.to_body() == {
        "tier": "agentic",
        "cite_sources": True,
        "confidence_scores": True,
        "disable_cache": False,
    }


def test_agents(extractor: LlamaExtract, resumes: Path) -> None:
    """Ensure agents are created, used, changed, saved, listed, found and deleted as in the examples."""
    config = ExtractConfig(extraction_mode=ExtractMode.FAST)
    agent = extractor.create_agent(name="resume-parser", data_schema=Resume, config=config)
    result = agent.extract("resume.txt")
    assert result.data == JOHN

    async def queued() -> Any:
        return await agent.queue_extraction(["resume1.txt", "resume2.txt"])

    jobs = asyncio.run(queued())
    for job in jobs:
        assert agent.get_extraction_job(job.id).status in ("PENDING", "RUNNING", "COMPLETED")
    results = [agent.get_extraction_run_for_job(job.id) for job in jobs]
    assert [result.data for result in results] == [JOHN] * 2

    agent.data_schema = SCHEMA
    agent.save()

    agents = extractor.list_agents()
    assert "resume-parser" in [agent.name for agent in agents]
    agent = extractor.get_agent(name="resume-parser")
    assert agent.data_schema == SCHEMA
    extractor.delete_agent(agent.id)
    with pytest.raises(NotFoundError):
        extractor.get_agent(name="resume-parser")
