"""LlamaCloudIndex on local LlamaCloud: documents in, changed, refreshed and out, and every kind of caller."""

from __future__ import annotations

import asyncio
import copy
import logging
import pickle
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from llama_index.core import Document
from llama_index.core.callbacks import CallbackManager, CBEventType, LlamaDebugHandler
from llama_index.core.embeddings import MockEmbedding
from llama_index.core.indices.managed.base import BaseManagedIndex
from llama_index.core.schema import NodeRelationship, TextNode

from llama_cloud_ext import (
    ConfigurationError,
    IngestionError,
    JobDeadlineError,
    LlamaCloudIndex,
    LlamaParseReader,
    NotFoundError,
    Progress,
    alist_indexes,
    list_indexes,
)
from llama_cloud_ext.local import use_models

UNSPLIT = {"mode": "advanced", "chunking_config": {"mode": "none"}, "segmentation_config": {"mode": "none"}}


@pytest.fixture
def address(tmp_path: Path) -> str:
    """A local LlamaCloud of the test's own."""
    return f"local:{tmp_path / 'cloud'}"


def animals() -> list[Document]:
    """Three documents with ids and metadata."""
    return [
        Document(id_="cat", text="Cats sleep sixteen hours a day.", metadata={"legs": 4, "kind": "mammal"}),
        Document(id_="dog", text="Dogs bark at the postman.", metadata={"legs": 4, "kind": "mammal"}),
        Document(id_="wren/troglodytes", text="Wrens build domed nests.", metadata={"legs": 2, "kind": "bird"}),
    ]


@pytest.fixture
def index(address: str) -> LlamaCloudIndex:
    """An index that holds the three animals."""
    return LlamaCloudIndex.from_documents(animals(), "animals", base_url=address)


def found(index: LlamaCloudIndex, query: str) -> str | None:
    """The document that the best node comes from."""
    return index.as_retriever(dense_similarity_top_k=3).retrieve(query)[0].node.ref_doc_id


class SlowEmbedding(MockEmbedding):
    """Takes its time, so that ingestion does."""

    seconds: float

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        time.sleep(self.seconds)
        return super()._get_text_embeddings(texts)


class ForgetfulEmbedding(MockEmbedding):
    """Fails on some texts, so that their ingestion does."""

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        if any("unspeakable" in text for text in texts):
            raise ValueError("the model has no word for it")
        return super()._get_text_embeddings(texts)


# Creation


def test_from_documents_to_an_answer(index: LlamaCloudIndex, address: str) -> None:
    """Ensure what goes in is found at once, with its id and metadata, by name and by every spelling of the id."""
    (best, *_) = index.as_retriever(dense_similarity_top_k=1).retrieve("How long do cats sleep?")
    assert best.text == "Cats sleep sixteen hours a day."
    assert best.node.ref_doc_id == "cat"
    assert (best.metadata["kind"], best.metadata["legs"]) == ("mammal", 4)
    assert best.score is not None
    same = [
        LlamaCloudIndex("animals", base_url=address),
        LlamaCloudIndex("animals", project_name="dEFAULT", base_url=address),
        LlamaCloudIndex(id=index.id, base_url=address),
        LlamaCloudIndex(index_id=index.id, base_url=address),
        LlamaCloudIndex(pipeline_id=index.id, base_url=address),
    ]
    assert {one.id for one in same} == {one.index_id for one in same} == {index.id}
    assert {one.name for one in same} == {"animals"}
    assert {found(one, "postman") for one in same} == {"dog"}
    assert index.project_name == index.project["name"] == "Default"
    assert index.pipeline["name"] == "animals"
    assert index.id in index.url


async def test_the_asynchronous_twins(address: str) -> None:
    """Ensure every asynchronous method does what its twin does."""
    made = await LlamaCloudIndex.acreate_index("rocks", base_url=address, transform_config={"chunk_size": 256})
    assert (await made.apipeline())["transform_config"]["chunk_size"] == 256
    index = await LlamaCloudIndex.afrom_documents(animals(), "animals", base_url=address)
    assert await index.aid() == (await index.apipeline())["id"]
    assert (await index.aproject())["name"] == "Default"
    assert sorted(await index.aref_doc_info()) == ["cat", "dog", "wren/troglodytes"]
    await index.ainsert(Document(id_="cow", text="Cows chew the cud."))
    await index.aupdate_ref_doc(Document(id_="cow", text="Cows have four stomachs."))
    changed = await index.arefresh_ref_docs([*animals(), Document(id_="ant", text="Ants carry leaves.")])
    assert changed == [False, False, False, True]
    await index.adelete_ref_doc("cat")
    assert {document.id_ for document in await index.adocuments()} == {"dog", "wren/troglodytes", "cow", "ant"}
    assert (await index.await_for_completion()).status == (await index.astatus()).status == "SUCCESS"
    nodes = await index.as_retriever(dense_similarity_top_k=1).aretrieve("stomachs")
    assert nodes[0].text == "Cows have four stomachs."
    assert sorted(record["name"] for record in await alist_indexes(base_url=address)) == ["animals", "rocks"]
    await index.adelete(doc_id="dog")
    assert "dog" not in await index.aref_doc_info()
    await index.adelete()
    assert [record["name"] for record in await alist_indexes(base_url=address)] == ["rocks"]


def test_documents_may_come_from_a_generator(address: str) -> None:
    """Ensure a generator is read as it goes, in batches, and all of it arrives."""
    read: list[int] = []

    def documents() -> Iterator[Document]:
        for number in range(250):
            read.append(number)
            yield Document(id_=f"d{number}", text=f"Document number {number}.")

    index = LlamaCloudIndex.from_documents(documents(), "generated", base_url=address)
    assert read == list(range(250))
    assert set(index.ref_doc_info) == {f"d{number}" for number in range(250)}


def test_documents_may_come_straight_from_a_reader(address: str, data_dir: Path) -> None:
    """Ensure a generator may itself call LlamaCloud, so that files are parsed while others are sent."""
    reader = LlamaParseReader(base_url=address)
    files = [data_dir / "latex-lorem.pdf", data_dir / "table-and-pictures.pdf"]
    told: list[Progress] = []
    index = LlamaCloudIndex.from_documents(
        (document for file in files for document in reader.lazy_load_data(file)),
        "read",
        base_url=address,
        show_progress=told.append,
    )
    stored = index.ref_doc_info
    assert {info.metadata["file_name"] for info in stored.values()} == {file.name for file in files}
    assert told[-1].done == len(stored)
    assert not any(index.refresh_ref_docs(reader.load_data(files)))


def test_a_failing_generator_fails_the_call(address: str) -> None:
    """Ensure an exception in the user's own generator comes out as it is."""

    def documents() -> Iterator[Document]:
        yield Document(text="One.")
        raise LookupError("the database is gone")

    with pytest.raises(LookupError, match="the database is gone"):
        LlamaCloudIndex.from_documents(documents(), "broken", base_url=address)


def test_nothing_to_insert(address: str) -> None:
    """Ensure no documents make an empty index, which answers nothing."""
    index = LlamaCloudIndex.from_documents([], "empty", base_url=address)
    assert index.ref_doc_info == {}
    assert index.as_retriever().retrieve("anything") == []
    assert index.refresh_ref_docs([]) == []
    assert index.wait_for_completion(timeout=10).finished


def test_creating_again_updates(address: str) -> None:
    """Ensure an index of the same name is brought up to date and keeps its id and documents."""
    first = LlamaCloudIndex.from_documents(animals(), "animals", base_url=address)
    again = LlamaCloudIndex.create_index(
        "animals", base_url=address, preset_retrieval_parameters={"dense_similarity_top_k": 1, "alpha": 1.0}
    )
    assert again.id == first.id
    assert again.pipeline["preset_retrieval_parameters"]["dense_similarity_top_k"] == 1
    assert set(again.ref_doc_info) == {"cat", "dog", "wren/troglodytes"}


@pytest.mark.parametrize(
    ("option", "nearest"),
    [
        ("embeding_config", "embedding_config"),
        ("transform_confg", "transform_config"),
        ("project_nam", "project_name"),
        ("apikey", "api_key"),
    ],
)
def test_unknown_options_name_the_nearest(address: str, option: str, nearest: str) -> None:
    """Ensure a misspelled option raises before anything is sent, and the message has the right spelling."""
    for call in (
        lambda: LlamaCloudIndex.create_index("x", base_url=address, **{option: "y"}),
        lambda: LlamaCloudIndex.from_documents([], "x", base_url=address, **{option: "y"}),
    ):
        with pytest.raises(ConfigurationError, match=nearest):
            call()
    assert list_indexes(base_url=address) == []


def test_options_that_cannot_work(address: str) -> None:
    """Ensure wrong values raise with the option's name, and one index must be named once."""
    for given, words in (
        ({"transform_config": {"chunk_size": -1}}, "transform_config"),
        ({"embedding_config": {"type": "NO_SUCH"}}, "embedding_config"),
        ({"preset_retrieval_parameters": {"alpha": 7}}, "alpha"),
        ({"sparse_model_config": 7}, "sparse_model_config"),
    ):
        with pytest.raises(ConfigurationError, match=words):
            LlamaCloudIndex.create_index("x", base_url=address, **given)
    for named in ({}, {"name": ""}, {"name": "a", "id": "b"}, {"id": "a", "pipeline_id": "b"}):
        with pytest.raises(ConfigurationError, match=r"name|id"):
            LlamaCloudIndex(base_url=address, **named)
    for refused in ({"nodes": [TextNode(text="x")]}, {"transformations": []}):
        with pytest.raises(ConfigurationError, match=next(iter(refused))):
            LlamaCloudIndex("a", base_url=address, **refused)
    with pytest.raises(ConfigurationError):
        LlamaCloudIndex("a", base_url=address).build_index_from_nodes([TextNode(text="x")])
    assert list_indexes(base_url=address) == []


def test_what_is_not_there(address: str, index: LlamaCloudIndex) -> None:
    """Ensure a missing index or project raises, and the message says which ones there are."""
    with pytest.raises(NotFoundError, match=r"plants.*animals"):
        LlamaCloudIndex("plants", base_url=address).ref_doc_info  # noqa: B018 - it asks the service
    with pytest.raises(NotFoundError, match=r"Zoo.*Default"):
        LlamaCloudIndex("animals", project_name="Zoo", base_url=address).status()
    with pytest.raises(NotFoundError):
        LlamaCloudIndex(id="4b3c1a2d-0000-4000-8000-000000000000", base_url=address).status()


def test_it_is_a_whole_llamaindex_index(address: str) -> None:
    """Ensure `super().__init__` ran: what LlamaIndex expects of every index is there, and handlers see its traces."""
    handler = LlamaDebugHandler(print_trace_on_end=False)
    manager = CallbackManager([handler])
    index = LlamaCloudIndex.from_documents(animals(), "animals", base_url=address, callback_manager=manager)
    assert isinstance(index, BaseManagedIndex)
    assert index.index_struct is not None
    assert index.storage_context.docstore is index.docstore
    assert index._callback_manager is manager
    assert index.as_retriever().callback_manager is manager
    index.insert(Document(text="Cows chew."))
    index.as_retriever().retrieve("cows")
    assert handler.get_event_pairs(CBEventType.RETRIEVE)


# Documents


def test_insert_update_delete(index: LlamaCloudIndex, caplog: pytest.LogCaptureFixture) -> None:
    """Ensure each change is to be seen as soon as its call returns; a missing document warns, or raises if asked to."""
    index.insert(Document(id_="cow", text="Cows chew the cud.", metadata={"legs": 4}))
    assert found(index, "chew the cud") == "cow"
    index.insert(Document(id_="cow", text="Cows graze on meadows."))
    assert [document.text for document in index.documents() if document.id_ == "cow"] == ["Cows graze on meadows."]
    index.update_ref_doc(Document(id_="cow", text="Cows have four stomachs.", metadata={"legs": 4, "horns": True}))
    assert index.ref_doc_info["cow"].metadata["horns"] is True
    assert found(index, "stomachs") == "cow"
    index.delete_ref_doc("wren/troglodytes", delete_from_docstore=True)
    assert set(index.ref_doc_info) == {"cat", "dog", "cow"}
    assert "Wrens build domed nests." not in [node.text for node in index.as_retriever().retrieve("domed nests")]
    with caplog.at_level(logging.WARNING):
        index.delete_ref_doc("wren/troglodytes")
    assert "wren/troglodytes" in caplog.text
    with pytest.raises(NotFoundError, match="wren/troglodytes"):
        index.delete_ref_doc("wren/troglodytes", raise_if_not_found=True)
    index.delete(doc_id="cow")
    assert set(index.ref_doc_info) == {"cat", "dog"}


def test_refresh_tells_what_changed(index: LlamaCloudIndex) -> None:
    """Ensure refresh answers in the order of its input: new, changed text, changed metadata, changed hiding; or not."""
    cat, dog, wren = animals()
    assert index.refresh_ref_docs([wren, cat, dog]) == [False, False, False]
    dog.metadata["legs"] = 3
    wren.excluded_llm_metadata_keys = ["legs"]
    new = Document(id_="cow", text="Cows graze.")
    assert index.refresh_ref_docs([wren, new, cat, dog]) == [True, True, False, True]
    assert index.refresh_ref_docs([wren, new, cat, dog]) == [False] * 4
    cat = Document(id_="cat", text="Cats purr.", metadata=cat.metadata)
    assert index.refresh_ref_docs([cat]) == [True]
    assert found(index, "purr") == "cat"
    many = [Document(id_=f"m{number}", text=f"Mouse number {number}.") for number in range(30)]
    assert index.refresh_ref_docs(many) == [True] * 30
    assert index.refresh_ref_docs(iter(many)) == [False] * 30  # type: ignore[arg-type]  # also works
    many[7] = Document(id_="m7", text="Mouse number seven.")
    assert [place for place, changed in enumerate(index.refresh_ref_docs(many)) if changed] == [7]


def test_documents_come_back_as_they_went_in(index: LlamaCloudIndex) -> None:
    """Ensure text, metadata and ids come back unchanged, whatever characters are in them."""
    odd = Document(
        id_="100% odd/id?#ü",
        text="Zeile\r\n\ttab “quotes” \U0001f999 " + "x" * 5000,
        metadata={"names": ["a", "b"], "nested": {"deep": [1, 2.5, None]}, "empty": "", "on": True, "ünïcode": "ß"},
        excluded_embed_metadata_keys=["on"],
        excluded_llm_metadata_keys=["names", "nested"],
    )
    index.insert(odd)
    (back,) = [document for document in index.documents() if document.id_ == odd.id_]
    assert (back.text, back.metadata) == (odd.text, odd.metadata)
    assert back.excluded_embed_metadata_keys == odd.excluded_embed_metadata_keys
    assert back.excluded_llm_metadata_keys == odd.excluded_llm_metadata_keys
    assert index.refresh_ref_docs([odd]) == [False]
    index.delete_ref_doc(odd.id_)
    assert odd.id_ not in index.ref_doc_info


def test_metadata_without_a_json_form_is_refused(index: LlamaCloudIndex) -> None:
    """Ensure what cannot travel raises with the document and the key, before anything is sent."""
    with pytest.raises(ConfigurationError, match=r"bad.*weight"):
        index.insert(Document(id_="bad", text="x", metadata={"weight": float("nan")}))
    assert "bad" not in index.ref_doc_info


def test_unknown_keyword_arguments_are_refused(index: LlamaCloudIndex) -> None:
    """Ensure no method swallows what it does not know."""
    document = Document(text="x")
    calls: list[Callable[[], Any]] = [
        lambda: index.insert(document, wait=False),
        lambda: index.update_ref_doc(document, wait=False),
        lambda: index.refresh_ref_docs([document], wait=False),
        lambda: index.delete_ref_doc("cat", wait=False),
        lambda: index.delete(wait=False),
        lambda: index.insert_nodes([TextNode(text="x")], wait=False),
        lambda: index.delete_nodes(["x"], wait=False),
    ]
    for call in calls:
        with pytest.raises(ConfigurationError, match="wait"):
            call()
    assert set(index.ref_doc_info) == {"cat", "dog", "wren/troglodytes"}


def test_nodes_where_the_index_does_not_split(address: str, index: LlamaCloudIndex) -> None:
    """Ensure nodes go in and out as they are where nothing is split, and a clear error comes where it is."""
    node = TextNode(id_="n1", text="Otters hold hands.", metadata={"page": 7})
    for call in (lambda: index.insert_nodes([node]), lambda: index.delete_nodes(["n1"])):
        with pytest.raises(ConfigurationError, match="splits"):
            call()
    unsplit = LlamaCloudIndex.create_index("nodes", base_url=address, transform_config=UNSPLIT)
    unsplit.insert_nodes([node, TextNode(id_="n2", text="Seals clap.")])
    assert found(unsplit, "Otters hold hands") == "n1"
    with pytest.raises(ConfigurationError, match="n3"):
        unsplit.insert_nodes([TextNode(id_="n3", text="")])
    unsplit.delete_nodes(["n1"])
    assert set(unsplit.ref_doc_info) == {"n2"}

    async def asynchronously() -> None:
        await unsplit.ainsert_nodes([node])
        await unsplit.adelete_nodes(["n2"])

    asyncio.run(asynchronously())
    assert set(unsplit.ref_doc_info) == {"n1"}


def test_long_documents_are_split_by_the_service(address: str) -> None:
    """Ensure nodes of a long document know it, and their place in it."""
    text = " ".join(f"Sentence number {number} tells of thing {number}." for number in range(400))
    index = LlamaCloudIndex.from_documents(
        [Document(id_="long", text=text)],
        "long",
        base_url=address,
        transform_config={"mode": "auto", "chunk_size": 128, "chunk_overlap": 0},
    )
    nodes = index.as_retriever(dense_similarity_top_k=50).retrieve("thing 300")
    assert len(nodes) > 5
    for scored in nodes:
        node = scored.node
        assert isinstance(node, TextNode)
        assert node.relationships[NodeRelationship.SOURCE].node_id == "long"  # type: ignore[union-attr]  # one source
        assert node.text in text
        assert text[node.start_char_idx : node.end_char_idx] == node.text


# Waiting


def test_the_deadline_of_ingestion_holds(tmp_path: Path) -> None:
    """Ensure a wait that takes too long raises soon after its deadline, and can be taken up again."""
    address = f"local:{tmp_path / 'slow'}"
    use_models(address, embed_model=SlowEmbedding(embed_dim=4, seconds=5.0))
    started = time.monotonic()
    with pytest.raises(JobDeadlineError) as caught:
        LlamaCloudIndex.from_documents(animals(), "animals", base_url=address, ingestion_timeout=0.3)
    assert time.monotonic() - started < 3
    index = LlamaCloudIndex("animals", base_url=address)
    assert caught.value.job_id == index.id
    assert "wait_for_completion" in (caught.value.hint or "")
    for named in ({"doc_ids": ["cat"]}, {}):
        started = time.monotonic()
        with pytest.raises(JobDeadlineError):
            index.wait_for_completion(timeout=0.1, **named)
        assert time.monotonic() - started < 1
    assert not index.status().finished
    assert index.wait_for_completion(doc_ids=["cat"], timeout=20).status == "SUCCESS"
    # Without any time there is a look all the same.
    assert index.wait_for_completion(doc_ids=["cat"], timeout=0).status == "SUCCESS"


def test_failed_documents_are_named_with_their_reason(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Ensure documents that cannot be ingested raise or are logged, each named with its reason; others are found."""
    address = f"local:{tmp_path / 'forgetful'}"
    use_models(address, embed_model=ForgetfulEmbedding(embed_dim=4))
    bad = Document(id_="bad", text="It is unspeakable.")
    with pytest.raises(IngestionError) as caught:
        LlamaCloudIndex.from_documents([bad], "animals", base_url=address)
    assert [failure.source for failure in caught.value.failures] == ["bad"]
    assert "no word for it" in str(caught.value)
    index = LlamaCloudIndex("animals", base_url=address)
    index.insert(animals()[0])
    assert index.wait_for_completion(doc_ids=["cat"]).finished
    with pytest.raises(IngestionError, match="bad"):
        index.wait_for_completion()
    with pytest.raises(IngestionError, match="bad"):
        index.wait_for_completion(doc_ids=["bad", "cat"])
    with caplog.at_level(logging.WARNING):
        status = index.wait_for_completion(raise_on_error=False)
    assert status.status == "PARTIAL_SUCCESS"
    assert "no word for it" in caplog.text
    with pytest.raises(IngestionError):
        index.wait_for_completion(raise_on_error=False, raise_on_partial_success=True)
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        LlamaCloudIndex.from_documents([bad], "again", base_url=address, raise_on_error=False)
    assert "bad" in caplog.text
    index.delete_ref_doc("bad")
    assert index.wait_for_completion().status == "SUCCESS"


def test_one_id_may_stand_alone(index: LlamaCloudIndex) -> None:
    """Ensure a single id is not taken for a list of letters."""
    assert index.wait_for_completion(doc_ids="cat").status == "SUCCESS"
    with pytest.raises(NotFoundError, match="/none/"):
        index.wait_for_completion(doc_ids="none")


def test_an_interval_makes_no_difference(index: LlamaCloudIndex) -> None:
    """Ensure older code that sets an interval works, and hears that it has no effect."""
    with pytest.warns(DeprecationWarning, match="sleep_interval"):
        assert index.wait_for_completion(sleep_interval=5).status == "SUCCESS"


# Callers


def test_one_index_in_every_kind_of_caller(index: LlamaCloudIndex) -> None:
    """Ensure one index works twice in a script, in loops one after the other, inside a running loop, and in threads."""
    answers: list[str | None] = [found(index, "postman")]

    async def inside() -> None:
        answers.append(found(index, "postman"))
        index.insert(Document(id_="cow", text="Cows graze."))
        nodes = await index.as_retriever(dense_similarity_top_k=1).aretrieve("postman")
        answers.append(nodes[0].node.ref_doc_id)

    for _ in range(2):
        asyncio.run(inside())
    threads = [threading.Thread(target=lambda: answers.append(found(index, "postman"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == ["dog"] * 9


def test_copies_and_texts(address: str, index: LlamaCloudIndex) -> None:
    """Ensure an index pickles and copies before and after its first use, and shows its name but no key."""
    fresh = LlamaCloudIndex("animals", base_url=address, api_key="llx-secret", headers={"x-token": "hidden"})
    for one in (fresh, index):
        for twin in (pickle.loads(pickle.dumps(one)), copy.deepcopy(one), copy.copy(one)):
            assert twin.id == index.id
            assert found(twin, "postman") == "dog"
    assert found(fresh, "postman") == "dog"
    assert repr(fresh) == "LlamaCloudIndex('animals')"
    retriever = fresh.as_retriever(alpha=0.5)
    for shown in (repr(fresh), str(fresh), repr(retriever), repr(fresh.reference), str(vars(fresh))):
        assert "llx-secret" not in shown
        assert "hidden" not in shown


def test_deleting_the_index(index: LlamaCloudIndex, address: str) -> None:
    """Ensure a deleted index is gone, and one of the same name can be made anew."""
    first = index.id
    index.delete()
    assert list_indexes(base_url=address) == []
    with pytest.raises(NotFoundError):
        index.status()
    again = LlamaCloudIndex.create_index("animals", base_url=address)
    assert again.id != first
    assert again.ref_doc_info == {}


def test_listing_indexes(index: LlamaCloudIndex, address: str) -> None:
    """Ensure indexes are listed by project and name, and options are checked."""
    LlamaCloudIndex.create_index("plants", base_url=address)
    assert sorted(record["name"] for record in list_indexes(base_url=address)) == ["animals", "plants"]
    assert [record["id"] for record in list_indexes(base_url=address, name="animals")] == [index.id]
    assert len(list_indexes(base_url=address, project_name="default")) == 2
    with pytest.raises(ConfigurationError, match="project_name"):
        list_indexes(base_url=address, project_nam="x")  # type: ignore[call-arg]  # misspelled on purpose
