"""The SDK's own index classes, with LlamaIndex and strict about every answer, against local LlamaCloud.

Where the classes themselves are wrong, these tests keep to what they get right: they lose the bytes of images in their
synchronous retrievers, and a composite retriever needs a rerank configuration.
"""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.contract.official_sdk import OfficialSdk

DOCUMENTS = [
    ["wombat", "Wombats dig burrows with their claws.", {"kind": "animal"}],
    ["a/b c", "Basalt forms when lava cools quickly.", {"kind": "rock"}],
]


def test_an_index_of_documents(index_sdk: OfficialSdk) -> None:
    """Ensure an index can be made from documents, added to, changed, refreshed and pruned."""

    def journey(client: Any, name: str, documents: list[Any]) -> dict[str, Any]:
        from llama_cloud.lib.index import LlamaCloudIndex
        from llama_index.core import Document

        at = {"api_key": client.api_key, "base_url": str(client.base_url)}

        def document(document_id: str, text: str, metadata: dict[str, Any]) -> Document:
            return Document(id_=document_id, text=text, metadata=metadata)

        index = LlamaCloudIndex.from_documents([document(*item) for item in documents], name, **at)
        answers: dict[str, Any] = {"made": {key: info.metadata for key, info in index.ref_doc_info.items()}}
        nodes = index.as_retriever(similarity_top_k=1, alpha=1.0).retrieve("lava")
        answers["node"] = [nodes[0].node.ref_doc_id, nodes[0].text, nodes[0].metadata["kind"], bool(nodes[0].score)]
        index.insert(document("new", "Granite cools slowly.", {"kind": "rock"}))
        index.update_ref_doc(document("new", "Gneiss is layered.", {"kind": "stone"}))
        changed = index.refresh_ref_docs([document("wombat", "Wombats sleep.", {}), document("more", "Slate.", {})])
        answers["refreshed"] = changed
        index.delete_ref_doc("a/b c")
        index.delete_ref_doc("never there")
        answers["left"] = {key: info.metadata for key, info in index.ref_doc_info.items()}
        answers["texts"] = sorted(node.text for node in index.as_retriever().retrieve("wombats, slate and gneiss"))
        answers["same"] = LlamaCloudIndex(name=name, **at).id == LlamaCloudIndex(pipeline_id=index.id, **at).id
        client.pipelines.delete(index.id)
        return answers

    answer = index_sdk.run(journey, name=f"index {uuid.uuid4()}", documents=DOCUMENTS)
    assert answer == {
        "made": {"wombat": {"kind": "animal"}, "a/b c": {"kind": "rock"}},
        "node": ["a/b c", DOCUMENTS[1][1], "rock", True],
        "refreshed": [True, True],
        "left": {"wombat": {}, "new": {"kind": "stone"}, "more": {}},
        "texts": ["Gneiss is layered.", "Slate.", "Wombats sleep."],
        "same": True,
    }


def test_an_index_of_documents_asynchronously(index_sdk: OfficialSdk) -> None:
    """Ensure the asynchronous methods do the same."""

    async def journey(client: Any, name: str, documents: list[Any]) -> dict[str, Any]:
        from llama_cloud.lib.index import LlamaCloudIndex
        from llama_index.core import Document

        at = {"api_key": client.api_key, "base_url": str(client.base_url)}

        def document(document_id: str, text: str, metadata: dict[str, Any]) -> Document:
            return Document(id_=document_id, text=text, metadata=metadata)

        index = await LlamaCloudIndex.acreate_index(
            name, project_name="Default", transform_config={"mode": "auto", "chunk_size": 256}, **at
        )
        for item in documents:
            await index.ainsert(document(*item))
        answers: dict[str, Any] = {"made": sorted(index.ref_doc_info)}
        await index.aupdate_ref_doc(document("wombat", "Wombats sleep.", {"kind": "lazy"}))
        answers["refreshed"] = await index.arefresh_ref_docs([document("more", "Slate.", {})])
        await index.adelete_ref_doc("a/b c")
        answers["left"] = {key: info.metadata for key, info in index.ref_doc_info.items()}
        answers["status"] = (await index.await_for_completion()).status
        answers["texts"] = [node.text for node in await index.as_retriever(rerank_top_n=1).aretrieve("wombats")]
        await client.pipelines.delete(index.id)
        return answers

    assert index_sdk.run(journey, name=f"index {uuid.uuid4()}", documents=DOCUMENTS) == {
        "made": ["a/b c", "wombat"],
        "refreshed": [True],
        "left": {"wombat": {"kind": "lazy"}, "more": {}},
        "status": "SUCCESS",
        "texts": ["Wombats sleep."],
    }


def test_an_index_of_files(index_sdk: OfficialSdk, data_dir: Path, served_folder: str) -> None:
    """Ensure files go into an index from a path and from a URL, with metadata of their own."""

    def journey(client: Any, name: str, path: str, url: str) -> dict[str, Any]:
        from llama_cloud.lib.index import LlamaCloudIndex

        at = {"api_key": client.api_key, "base_url": str(client.base_url)}
        index = LlamaCloudIndex.create_index(name, project_name="Default", verbose=True, **at)
        file_id = index.upload_file(path, custom_metadata={"from": "path"}, verbose=True, raise_on_error=True)
        from_url = index.upload_file_from_url(
            "readme.md", url, custom_metadata={"from": "url"}, verbose=True, raise_on_error=True
        )
        waiting = index.upload_file(path, wait_for_ingestion=False)
        index.wait_for_completion(file_ids=[waiting], raise_on_error=True)
        metadata = [info.metadata for info in index.ref_doc_info.values()]
        nodes = index.as_retriever().retrieve("pdfminer installation")
        answers = {
            "names": sorted({item["file_name"] for item in metadata}),
            "from": sorted({item["from"] for item in metadata if "from" in item}),
            "ids": {item["file_id"] for item in metadata} == {file_id, from_url, waiting},
            "best": nodes[0].metadata["from"],
            "files": client.pipelines.files.get_status_counts(index.id).counts["SUCCESS"],
        }
        client.pipelines.delete(index.id)
        return answers

    answer = index_sdk.run(
        journey,
        name=f"files {uuid.uuid4()}",
        path=str(data_dir / "latex-lorem.pdf"),
        url=f"{served_folder}/pdfminer-readme.md",
    )
    assert answer == {
        "names": ["latex-lorem.pdf", "readme.md"],
        "from": ["path", "url"],
        "ids": True,
        "best": "url",
        "files": 3,
    }


def test_an_index_of_files_asynchronously(index_sdk: OfficialSdk, data_dir: Path, served_folder: str) -> None:
    """Ensure the asynchronous methods do the same, and screenshots and figures come back as images."""

    async def journey(client: Any, name: str, path: str, url: str) -> dict[str, Any]:
        import base64

        from llama_cloud.lib.index import LlamaCloudIndex
        from llama_index.core.schema import ImageNode

        at = {"api_key": client.api_key, "base_url": str(client.base_url)}
        index = await LlamaCloudIndex.acreate_index(
            name, project_name="Default", llama_parse_parameters={"take_screenshot": True}, **at
        )
        file_id = await index.aupload_file(path, custom_metadata={"from": "path"})
        await index.aupload_file_from_url("readme.md", url)
        retriever = index.as_retriever(retrieve_page_screenshot_nodes=True, retrieve_page_figure_nodes=True)
        nodes = await retriever.aretrieve("ReportLab PDF Library User Guide")
        images = [found.node for found in nodes if isinstance(found.node, ImageNode)]
        answers = {
            "images": {image.metadata["file_id"] for image in images} == {file_id},
            "pages": all(image.metadata["page_index"] >= 0 for image in images),
            "names": sorted({image.metadata["file_name"] for image in images}),
            "heads": sorted({base64.b64decode(image.image)[:2].hex() for image in images}),
            "text": any(not isinstance(found.node, ImageNode) for found in nodes),
        }
        await client.pipelines.delete(index.id)
        return answers

    answer = index_sdk.run(
        journey,
        name=f"files {uuid.uuid4()}",
        path=str(data_dir / "reportlab-userguide.pdf"),
        url=f"{served_folder}/pdfminer-readme.md",
    )
    assert answer["heads"][-1] == "ffd8"
    assert answer | {"heads": []} == {
        "images": True,
        "pages": True,
        "names": ["reportlab-userguide.pdf"],
        "heads": [],
        "text": True,
    }


def test_a_query_engine(index_sdk: OfficialSdk) -> None:
    """Ensure an index answers questions through a query engine and a chat engine, with its nodes as sources."""

    def journey(client: Any, name: str, documents: list[Any]) -> dict[str, Any]:
        from llama_cloud.lib.index import LlamaCloudIndex
        from llama_index.core import Document
        from llama_index.core.llms import MockLLM

        at = {"api_key": client.api_key, "base_url": str(client.base_url)}
        made = [Document(id_=item[0], text=item[1], metadata=item[2]) for item in documents]
        index = LlamaCloudIndex.from_documents(made, name, **at)
        answer = index.as_query_engine(llm=MockLLM(), enable_reranking=True, rerank_top_n=1).query("What is basalt?")
        chat = index.as_chat_engine(llm=MockLLM(), chat_mode="context").chat("What is basalt?")
        client.pipelines.delete(index.id)
        return {
            "answer": "Basalt forms" in str(answer),
            "sources": [source.node.ref_doc_id for source in answer.source_nodes],
            "chat": chat.source_nodes[0].node.ref_doc_id,
        }

    assert index_sdk.run(journey, name=f"engine {uuid.uuid4()}", documents=DOCUMENTS) == {
        "answer": True,
        "sources": ["a/b c"],
        "chat": "a/b c",
    }


def test_a_retriever_of_its_own(index_sdk: OfficialSdk) -> None:
    """Ensure a retriever connects by name or id and takes filters, top_k, modes and schemas."""

    def journey(client: Any, name: str, documents: list[Any]) -> dict[str, Any]:
        from llama_cloud.lib.index import LlamaCloudIndex, LlamaCloudRetriever
        from llama_index.core import Document
        from llama_index.core.vector_stores import FilterOperator, MetadataFilter, MetadataFilters
        from pydantic import BaseModel

        class Schema(BaseModel):
            kind: str

        at = {"api_key": client.api_key, "base_url": str(client.base_url)}
        made = [Document(id_=item[0], text=item[1], metadata=item[2]) for item in documents]
        index = LlamaCloudIndex.from_documents(made, name, **at)
        rocks = MetadataFilters(filters=[MetadataFilter(key="kind", operator=FilterOperator.EQ, value="rock")])
        cases = {
            "by name": LlamaCloudRetriever(name=name, **at),
            "by id": LlamaCloudRetriever(id=index.id, dense_similarity_top_k=1, alpha=1.0, **at),
            "filtered": LlamaCloudRetriever(index_id=index.id, filters=rocks, **at),
            "inferred": LlamaCloudRetriever(name=name, search_filters_inference_schema=Schema(kind="x"), **at),
            "files": LlamaCloudRetriever(name=name, retrieval_mode="files_via_content", files_top_k=1, **at),
        }
        queries = {"inferred": 'Where kind="rock"', "files": "burrows"}
        answers = {
            case: [found.node.ref_doc_id for found in retriever.retrieve(queries.get(case, "burrows"))]
            for case, retriever in cases.items()
        }
        client.pipelines.delete(index.id)
        return answers

    answer = index_sdk.run(journey, name=f"retriever {uuid.uuid4()}", documents=DOCUMENTS)
    assert answer["by name"][0] == "wombat"
    assert answer["by id"] == ["wombat"]
    assert answer["filtered"] == answer["inferred"] == ["a/b c"]
    assert answer["files"] == ["wombat"]


@pytest.mark.parametrize("persisted", [True, False])
def test_a_composite_retriever(index_sdk: OfficialSdk, persisted: bool) -> None:
    """Ensure a composite retriever takes indexes, asks all or the fitting one, and gives them up again."""

    def journey(client: Any, name: str, documents: list[Any], persisted: bool) -> dict[str, Any]:
        from llama_cloud.lib.index import LlamaCloudCompositeRetriever, LlamaCloudIndex
        from llama_index.core import Document, QueryBundle

        at = {"api_key": client.api_key, "base_url": str(client.base_url)}
        indexes = [
            LlamaCloudIndex.from_documents(
                [Document(id_=item[0], text=item[1], metadata=item[2])], f"{name} {item[2]['kind']}", **at
            )
            for item in documents
        ]

        def composite(**settings: Any) -> LlamaCloudCompositeRetriever:
            return LlamaCloudCompositeRetriever(
                name=name, create_if_not_exists=True, persisted=persisted, rerank_config={"top_n": 5}, **settings, **at
            )

        retriever = composite(mode="full")
        retriever.add_index(indexes[0], name="animals", description="Wombats and other animals")
        retriever.add_index(indexes[1], name="rocks", description="Lava and other rocks")
        answers: dict[str, Any] = {
            "full": [found.text for found in retriever.retrieve("burrows")],
            "one": [found.text for found in retriever._retrieve(QueryBundle("burrows"), rerank_top_n=1)],
            "routed": [found.text for found in retriever._retrieve(QueryBundle("animals"), mode="routing")],
        }
        answers["removed"] = [retriever.remove_index("rocks"), retriever.remove_index("rocks")]
        answers["left"] = [found.text for found in retriever.retrieve("lava")]
        if persisted:
            answers["again"] = [tool.name for tool in composite().retriever_pipelines]
            client.retrievers.delete(retriever.retriever.id)
        for index in indexes:
            client.pipelines.delete(index.id)
        return answers

    texts = [item[1] for item in DOCUMENTS]
    answer = index_sdk.run(journey, name=f"composite {uuid.uuid4()}", documents=DOCUMENTS, persisted=persisted)
    assert answer["full"] == texts
    assert answer["one"] == answer["routed"] == answer["left"] == texts[:1]
    assert answer["removed"] == [True, False]
    assert answer.get("again", ["animals"]) == ["animals"]


def test_a_composite_retriever_asynchronously(index_sdk: OfficialSdk) -> None:
    """Ensure the asynchronous methods do the same."""

    async def journey(client: Any, name: str, documents: list[Any]) -> dict[str, Any]:
        from llama_cloud.lib.index import LlamaCloudCompositeRetriever, LlamaCloudIndex
        from llama_index.core import Document

        at = {"api_key": client.api_key, "base_url": str(client.base_url)}
        indexes = []
        for document_id, text, metadata in documents:
            index = await LlamaCloudIndex.acreate_index(f"{name} {metadata['kind']}", project_name="Default", **at)
            await index.ainsert(Document(id_=document_id, text=text, metadata=metadata))
            indexes.append(index)
        retriever = LlamaCloudCompositeRetriever(
            name=name, create_if_not_exists=True, rerank_config={"top_n": 2, "type": "score"}, **at
        )
        for index in indexes:
            await retriever.async_add_index(index)
        answers = {"found": sorted(node.text for node in await retriever.aretrieve("burrows and lava"))}
        answers["removed"] = await retriever.aremove_index(indexes[1].name)
        answers["left"] = [node.text for node in await retriever.aretrieve("lava")]
        await client.retrievers.delete(retriever.retriever.id)
        for index in indexes:
            await client.pipelines.delete(index.id)
        return answers

    texts = [item[1] for item in DOCUMENTS]
    assert index_sdk.run(journey, name=f"composite {uuid.uuid4()}", documents=DOCUMENTS) == {
        "found": sorted(texts),
        "removed": True,
        "left": texts[:1],
    }
