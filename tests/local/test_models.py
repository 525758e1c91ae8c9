"""Embedding models, re-rankers and LLMs of one's own in local LlamaCloud."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from llama_index.core import Document
from llama_index.core.llms import MockLLM
from typer.testing import CliRunner

from llama_cloud_ext import LlamaCloudIndex
from llama_cloud_ext.cli.app import app
from llama_cloud_ext.errors import ConfigurationError, LlamaCloudError
from llama_cloud_ext.local import create_app, local_transport, serve, use_models
from llama_cloud_ext.local.cloud import LocalCloud
from llama_cloud_ext.local.in_process import LocalTransport
from llama_cloud_ext.local.retrieval import Embedder
from tests.local.clients import local_client
from tests.local.embeddings import LetterEmbedding, ShortestFirst
from tests.local.pipeline_calls import document, ingested, pipeline, put

ROOT = Path(__file__).parents[2]
ANIMALS = [
    Document(id_="wombat", text="Wombats dig burrows in the earth."),
    Document(id_="quokka", text="Quokkas smile."),
    Document(id_="emu", text="Emus run over open plains, all day long."),
]


@pytest.fixture
def address(tmp_path: Path) -> str:
    """A local LlamaCloud of the test's own."""
    return f"local:{tmp_path / 'cloud'}"


def test_models_of_an_address(address: str) -> None:
    """Ensure an address embeds and re-ranks with the models it was given, and names the embedding model."""
    model = LetterEmbedding()
    use_models(address, embed_model=model, reranker=ShortestFirst())
    index = LlamaCloudIndex.from_documents(ANIMALS, "animals", base_url=address)
    assert model.embedded == [one.text for one in ANIMALS]
    assert index.pipeline["local_embedding"] == "LetterEmbedding/letters"
    nodes = index.as_retriever(dense_similarity_top_k=3, enable_reranking=True).retrieve("plains")
    assert [node.node.ref_doc_id for node in nodes] == ["quokka", "wombat", "emu"]
    assert [node.score for node in nodes] == [1.0, 0.5, pytest.approx(1 / 3)]
    plain = index.as_retriever(dense_similarity_top_k=1, enable_reranking=False).retrieve("earth burrows dig in the")
    assert plain[0].node.ref_doc_id == "wombat"


def test_other_addresses_keep_the_default(address: str, tmp_path: Path) -> None:
    """Ensure models belong to the address they were given for, however it is spelled."""
    model = LetterEmbedding()
    use_models(address, embed_model=model)
    other = LlamaCloudIndex.from_documents(ANIMALS, "animals", base_url=f"local:{tmp_path / 'other'}")
    assert other.pipeline["local_embedding"].startswith("lexical")
    assert model.embedded == []
    relative = os.path.relpath(address.removeprefix("local:"))
    LlamaCloudIndex.from_documents(ANIMALS, "animals", base_url=f"local:{relative}")
    assert len(model.embedded) == 3


def test_models_come_before_the_first_use(address: str) -> None:
    """Ensure an address in use refuses other models, since they would have no effect."""
    index = LlamaCloudIndex.from_documents(ANIMALS, "animals", base_url=address)
    with pytest.raises(ConfigurationError, match="in use already"):
        use_models(address, embed_model=LetterEmbedding())
    assert len(index.as_retriever().retrieve("plains")) == 3


def test_models_may_be_taken_back(address: str) -> None:
    """Ensure the last call before the first use counts, and nothing given means the lexical default."""
    model = LetterEmbedding()
    use_models(address, embed_model=model)
    use_models(address)
    LlamaCloudIndex.from_documents(ANIMALS, "animals", base_url=address)
    assert model.embedded == []


def test_an_llm_of_an_address(address: str) -> None:
    """Ensure the LLM that an address was given is the one of its data folder, and of no other."""
    llm = MockLLM()
    use_models(address, llm=llm)
    assert folder_of(address).llm is llm
    assert folder_of(f"{address}-other").llm is None


def folder_of(address: str) -> LocalCloud:
    """The data folder behind an address."""
    transport = local_transport(address)
    assert isinstance(transport, LocalTransport)
    return transport._cloud


@pytest.mark.parametrize(
    ("models", "words"),
    [
        ({"embed_model": "text-embedding-3-small"}, "embed_model: must be a LlamaIndex BaseEmbedding, and is a str"),
        ({"embed_model": LetterEmbedding}, "embed_model"),
        ({"reranker": LetterEmbedding()}, "reranker: must be a LlamaIndex BaseNodePostprocessor"),
        ({"llm": "gpt-5"}, "llm: must be a LlamaIndex LLM, and is a str"),
    ],
)
def test_what_is_no_model(address: str, tmp_path: Path, models: dict[str, Any], words: str) -> None:
    """Ensure what is no model is refused where it is given, before anything is embedded."""
    for call in (
        lambda: use_models(address, **models),
        lambda: create_app(tmp_path / "data", **models),
        lambda: serve(tmp_path / "data", port=0, **models),
    ):
        with pytest.raises(ConfigurationError, match=words):
            call()
    assert not (tmp_path / "data").exists()
    with pytest.raises(ConfigurationError, match="not a local address"):
        use_models("https://example.com")


async def test_another_model_on_an_index(address: str) -> None:
    """Ensure an index of another model says what to do about it, and syncing it does that."""
    async with local_client(Path(address.removeprefix("local:"))) as client:
        path = await pipeline(client)
        await put(client, path, *(document(str(one.id_), one.text) for one in ANIMALS))
        await ingested(client, path)
    use_models(address, embed_model=LetterEmbedding())
    index = LlamaCloudIndex("animals", base_url=address)
    with pytest.raises(LlamaCloudError, match=r"lexical.*LetterEmbedding/letters.*sync"):
        await index.as_retriever().aretrieve("plains")


def test_models_of_different_classes_differ() -> None:
    """Ensure two models that say nothing of themselves are told apart: their vectors must not be compared."""

    class Unnamed(LetterEmbedding):
        """Says nothing of itself."""

    names = {Embedder(model).name for model in (LetterEmbedding(), Unnamed(), LetterEmbedding(model_name="x"), None)}
    assert len(names) == 4


# -- serve ------------------------------------------------------------------------------------------------------------

MODELS = """
from tests.local.embeddings import LetterEmbedding, ShortestFirst
class Mine(LetterEmbedding):
    pass
def shortest():
    return ShortestFirst()
"""


def test_serve_with_models(tmp_path: Path) -> None:
    """Ensure the command line takes models of a module in the current folder: a class, or a function that makes one."""
    (tmp_path / "mymodels.py").write_text(MODELS)
    models = ["--embed-model", "mymodels:Mine", "--reranker", "mymodels:shortest"]
    process = subprocess.Popen(
        [Path(sys.executable).with_name("llama-cloud-ext"), "serve", "--data", "data", "--port", "0", *models],
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        with httpx.Client(base_url=url, timeout=30) as client:
            made = client.put("/api/v1/pipelines", json={"name": "animals"}).json()
            assert made["local_embedding"] == "Mine/letters"
            path = f"/api/v1/pipelines/{made['id']}"
            texts = [document(str(one.id_), one.text) for one in ANIMALS]
            client.put(f"{path}/documents", json=texts).raise_for_status()
            deadline = time.monotonic() + 30
            while (status := client.get(f"{path}/status").json()["status"]) != "SUCCESS":
                assert time.monotonic() < deadline, status
            found = client.post(f"{path}/retrieve", json={"query": "plains"}).json()["retrieval_nodes"]
            assert found[0]["node"]["text"] == "Quokkas smile."
    finally:
        process.terminate()
        process.communicate(timeout=20)


@pytest.mark.parametrize(
    ("option", "place", "words"),
    [
        ("--embed-model", "no_such_module:x", "no_such_module"),
        ("--embed-model", "tests.local.embeddings:NoSuchClass", "NoSuchClass"),
        ("--embed-model", "tests.local.embeddings", "cannot be used"),
        ("--embed-model", "tests.local.embeddings:LETTERS", "must be a LlamaIndex BaseEmbedding, and is a str"),
        ("--reranker", "tests.local.embeddings:LetterEmbedding", "must be a LlamaIndex BaseNodePostprocessor"),
        ("--llm", "tests.local.embeddings:LetterEmbedding", "must be a LlamaIndex LLM, and is a LetterEmbedding"),
    ],
)
def test_serve_refuses_what_is_no_model(tmp_path: Path, option: str, place: str, words: str) -> None:
    """Ensure a name that leads to no model is a message and exit code 2, before anything is served."""
    result = CliRunner().invoke(app, ["serve", "--data", str(tmp_path / "data"), "--port", "0", option, place])
    assert (result.exit_code, words in result.stderr) == (2, True), result.stderr
    assert not (tmp_path / "data").exists()
