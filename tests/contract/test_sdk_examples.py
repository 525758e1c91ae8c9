"""The examples that the official SDK publishes run, unchanged but for placeholders, against local LlamaCloud."""

from __future__ import annotations

import shutil
import subprocess
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.contract.official_sdk import OfficialSdk
from tests.contract.served_cloud import ServedCloud
from tests.contract.test_sdk_pipelines_against_local import DOCUMENTS, with_documents
from tests.virtualenvs import clean_environment

EXAMPLES = ["parse_end_to_end.py", "parse_extract_page_images.py", "parse_manual_polling.py"]


def run_example(python: Path, base_url: str, path: Path) -> str:
    """Run an example in its folder; what it printed."""
    environment = clean_environment(LLAMA_CLOUD_BASE_URL=base_url, LLAMA_CLOUD_API_KEY="llx-example")
    command = [str(python), path.name]
    done = subprocess.run(
        command, cwd=path.parent, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_parse_examples(sdk_python: Path, sdk_source: Path, served_cloud: str, tmp_path: Path, name: str) -> None:
    """Ensure that a published example does against local LlamaCloud what it is there to show."""
    examples = sdk_source / "examples"
    shutil.copytree(examples / "example_files", tmp_path / "example_files")
    folder = shutil.copytree(examples / "parse", tmp_path / "parse")
    printed = run_example(sdk_python, served_cloud, folder / name)
    if "images" in name:
        assert (folder / "page_1.jpg").read_bytes().startswith(b"\xff\xd8")
    else:
        assert "The Transformer achieves better BLEU scores" in printed
        assert "ItemsPageStructuredResultPage" in printed


def test_the_example_of_extracting_with_citations(
    sdk_python: Path, sdk_source: Path, served_cloud: str, tmp_path: Path
) -> None:
    """Ensure that the example of citations finds by rules what is labelled on its receipt, and says where."""
    folder = shutil.copytree(sdk_source / "examples" / "extract", tmp_path / "extract")
    example = folder / "extract_v2_manual_polling.py"
    replace_in(example, {"asyncio.sleep(3)": "asyncio.sleep(0.1)"})
    printed = run_example(sdk_python, served_cloud, example)
    assert '"total": 10.0' in printed
    assert "total: page=1, confidence=0." in printed


def test_the_example_of_extracting_with_an_llm(sdk_python: Path, sdk_source: Path, tmp_path: Path) -> None:
    """Ensure that the example with a Pydantic schema gets, from a server with an LLM, what no label says."""
    folder = shutil.copytree(sdk_source / "examples" / "extract", tmp_path / "extract")
    with ServedCloud(tmp_path / "data", "--llm", "tests.contract.receipt_llm:receipt_llm") as cloud:
        printed = run_example(sdk_python, cloud.base_url, folder / "extract_v2_end_to_end.py")
    assert "Vendor: Noisebridge\nTotal: $10.00\nDate: 2024-07-19" in printed


def test_the_example_of_an_index(
    sdk: OfficialSdk, index_sdk_python: Path, sdk_source: Path, served_cloud: str, tmp_path: Path
) -> None:
    """Ensure that the example of an index of files indexes its paper, which a query then finds."""
    shutil.copytree(sdk_source / "examples" / "example_files", tmp_path / "example_files")
    folder = shutil.copytree(sdk_source / "examples" / "index", tmp_path / "index")
    project_id, name = sdk.run(project_of), f"my-llama-index {uuid.uuid4()}"
    example = folder / "index_retrieve_with_llama_index.py"
    replace_in(example, {"my-project-id": project_id, "my-llama-index": name})
    run_example(index_sdk_python, served_cloud, example)

    def journey(client: Any, name: str) -> list[str]:
        (pipeline,) = client.pipelines.list(pipeline_name=name)
        answer = client.pipelines.retrieve(pipeline.id, query="Which BLEU scores does the Transformer achieve?")
        return [node.node.text for node in answer.retrieval_nodes]

    assert any("The Transformer achieves better BLEU scores" in text for text in sdk.run(journey, name=name))


def test_the_example_of_retrieval(
    sdk: OfficialSdk, sdk_python: Path, sdk_source: Path, served_cloud: str, tmp_path: Path
) -> None:
    """Ensure that the example of retrieving from an index, and through a retriever, prints what it finds."""
    pipeline_id = sdk.run(with_documents, name=f"example {uuid.uuid4()}", documents=DOCUMENTS)
    folder = shutil.copytree(sdk_source / "examples" / "index", tmp_path / "index")
    example = folder / "retrieve_from_an_index.py"
    replace_in(example, {"your-existing-pipeline-id": pipeline_id, "my-retriever": f"my-retriever {uuid.uuid4()}"})
    printed = run_example(sdk_python, served_cloud, example)
    assert printed.count("Score: ") == 4 + 3


def test_the_example_of_creating_an_index(
    sdk: OfficialSdk, sdk_python: Path, sdk_source: Path, served_cloud: str, tmp_path: Path
) -> None:
    """Ensure that the example of creating an index creates it, puts its document in and waits for it."""
    folder = shutil.copytree(sdk_source / "examples" / "index", tmp_path / "index")
    example = folder / "creating_an_index_pipeline.py"
    name = f"my-first-index {uuid.uuid4()}"
    placeholders = {"my-project-id": sdk.run(project_of), "my-first-index": name}
    # Vectors of local LlamaCloud are in its own database, so that there are no data sinks.
    without_sink = {"data_sink_id=await create_data_sink(),": ""}
    # As published it waits as long as ingestion is over.
    wait = {"status not in (": "status in (", "asyncio.sleep(5)": "asyncio.sleep(0.1)"}
    replace_in(example, placeholders | without_sink | wait)
    printed = run_example(sdk_python, served_cloud, example)
    assert "Uploaded 1 documents to the index." in printed
    assert "Indexing completed with status: SUCCESS" in printed


def test_the_example_of_a_batch(sdk_python: Path, sdk_source: Path, served_cloud: str, tmp_path: Path) -> None:
    """Ensure that the example of a batch gets a parse job for each of its two files."""
    shutil.copytree(sdk_source / "examples" / "example_files", tmp_path / "example_files")
    folder = shutil.copytree(sdk_source / "examples" / "batches", tmp_path / "batches")
    example = folder / "batch_end_to_end.py"
    replace_in(example, {"asyncio.sleep(10)": "asyncio.sleep(0.1)"})
    printed = run_example(sdk_python, served_cloud, example)
    assert printed.count("-> parse_v2 pjb-") == 2
    assert "failed" not in printed


def replace_in(path: Path, placeholders: dict[str, str]) -> None:
    """Fill in what an example leaves to its reader."""
    text = path.read_text()
    for placeholder, value in placeholders.items():
        assert placeholder in text
        text = text.replace(placeholder, value)
    path.write_text(text)


def project_of(client: Any) -> str:
    """The id of the served project."""
    return str(client.projects.list()[0].id)
