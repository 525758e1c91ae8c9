"""The requests that indexes and retrievers make: how many, with what in them, and what becomes of faults."""

from __future__ import annotations

import asyncio
import gc
import itertools
import json
import random
import time
import tracemalloc
from collections.abc import Iterator
from functools import partial
from typing import Any

import httpx
import pytest
from llama_index.core import Document
from llama_index.core.llms import MockLLM
from llama_index.core.schema import ImageNode

from llama_cloud_ext import (
    AuthenticationError,
    ConfigurationError,
    DownloadError,
    IngestionError,
    JobDeadlineError,
    JobFailedError,
    LlamaCloudError,
    LlamaCloudIndex,
    NotFoundError,
    PartialFailureError,
    PermissionDeniedError,
    QuotaError,
    UnprocessableError,
    list_indexes,
)
from tests.http.scripted_index import PNG, ScriptedIndex, picture, text_node

TWO_LOOK_UPS = ["GET /api/v1/projects", "GET /api/v1/pipelines"]


def documents(count: int, *, size: int = 20) -> Iterator[Document]:
    """So many documents, made as they are read."""
    for number in range(count):
        yield Document(id_=f"d-{number}", text=f"{number} ".ljust(size, "x"))


# How many


def test_constructors_ask_nothing() -> None:
    """Ensure no constructor, text, copy, engine or setting makes a request."""
    service = ScriptedIndex()
    index = service.index()
    repr(index), index.name, index.as_retriever(alpha=0.5)
    index.as_query_engine(llm=MockLLM(), dense_similarity_top_k=3)
    index.as_chat_engine(llm=MockLLM())
    service.index(None, id="i-1")
    service.retriever_of()
    service.composite()
    service.composite(None, persisted=False)
    assert service.requests == []


def test_an_index_by_name_is_looked_up_once() -> None:
    """Ensure the first query of a named index costs two look-ups, and every further one is a single request."""
    service = ScriptedIndex()
    index = service.index()
    retriever = index.as_retriever()
    retriever.retrieve("a")
    assert service.paths() == [*TWO_LOOK_UPS, "POST /api/v1/pipelines/i-1/retrieve"]
    service.forget()
    for query in "bcd":
        retriever.retrieve(query)
        index.as_retriever(alpha=1.0).retrieve(query)
        index.as_query_engine(llm=MockLLM()).query(query)
    asyncio.run(retriever.aretrieve("e"))
    assert service.paths() == ["POST /api/v1/pipelines/i-1/retrieve"] * 10
    assert index.id == index.index_id == "i-1"
    assert index.pipeline["name"] == "animals"
    assert len(service.requests) == 10


def test_an_index_by_id_is_not_looked_up() -> None:
    """Ensure a query by id is one request from the first one on."""
    service = ScriptedIndex()
    for retriever in (service.index(None, id="i-1").as_retriever(), service.retriever_of(None, pipeline_id="i-1")):
        service.forget()
        for query in "ab":
            retriever.retrieve(query)
        assert service.paths() == ["POST /api/v1/pipelines/i-1/retrieve"] * 2


def test_many_first_queries_share_one_look_up() -> None:
    """Ensure callers that come at the same time wait for the same look-up."""
    service = ScriptedIndex()
    index = service.index()

    async def several() -> None:
        await asyncio.gather(*(index.as_retriever().aretrieve(str(number)) for number in range(20)))

    asyncio.run(several())
    assert service.steps == {"projects": 1, "pipelines": 1, "retrieve": 20}


def test_a_project_id_saves_a_look_up() -> None:
    """Ensure no project is looked for where its id is given, and it goes along."""
    service = ScriptedIndex()
    service.index(project_id="p-7").as_retriever().retrieve("a")
    assert service.paths() == ["GET /api/v1/pipelines", "POST /api/v1/pipelines/i-1/retrieve"]
    assert {request.url.params.get("project_id") for request in service.requests} == {"p-7"}


def test_requests_of_each_operation() -> None:
    """Ensure no operation makes more requests than it needs."""
    service = ScriptedIndex()
    index = LlamaCloudIndex.create_index("animals", **service.connection)
    assert service.paths() == ["GET /api/v1/projects", "PUT /api/v1/pipelines"]
    service.forget()
    index.insert(Document(id_="d", text="x"))
    assert service.steps == {"post": 1, "sync": 1, "document status": 1, "status": 1}
    service.forget()
    index.update_ref_doc(Document(id_="d", text="y"))
    assert service.steps == {"put": 1, "sync": 1, "document status": 1, "status": 1}
    service.forget()
    assert index.refresh_ref_docs([Document(id_="d", text="y")]) == [False]
    assert service.steps == {"document": 1}
    service.forget()
    assert list(index.ref_doc_info) == ["d"]
    assert service.steps == {"documents": 1}
    service.forget()
    index.delete_ref_doc("d")
    assert service.steps == {"delete document": 1, "status": 1}
    service.forget()
    index.upload_file(b"Some text.")
    assert service.steps == {"upload": 1, "attach": 1, "file status": 1, "status": 1}
    service.forget()
    index.status()
    index.list_files()
    index.delete()
    assert service.steps == {"status": 1, "files": 1, "delete": 1}


def test_what_an_index_by_id_knows() -> None:
    """Ensure name, record and project of an index by id are read when they are asked for, and once."""
    service = ScriptedIndex()
    index = service.index(None, id="i-1")
    for _ in range(2):
        assert (index.name, index.project_name, index.pipeline["id"]) == ("animals", "Default", "i-1")
    assert service.paths() == ["GET /api/v1/pipelines/i-1", "GET /api/v1/projects/p-1"]


def test_ids_are_encoded_once() -> None:
    """Ensure ids with any characters travel in paths encoded exactly once."""
    service = ScriptedIndex()
    index = service.index(None, id="i-1")
    odd = "a/b c%2F?ü#.."
    index.insert(Document(id_=odd, text="x"))
    assert service.body(0)[0]["id"] == odd
    index.delete_ref_doc(odd, raise_if_not_found=True)
    (deleted,) = [request for request in service.requests if request.method == "DELETE"]
    assert deleted.url.raw_path.decode().split("/")[-1].partition("?")[0] == "a%2Fb%20c%252F%3F%C3%BC%23.."


@pytest.mark.parametrize("count", [1000, 3000])
def test_waiting_costs_the_same_for_any_number(count: int) -> None:
    """Ensure the requests of a wait do not grow with the number of documents."""
    service = ScriptedIndex(looks=5)
    service.documents = {document.id_: {"id": document.id_} for document in documents(count)}
    index = service.index(None, id="i-1")
    index.wait_for_completion(doc_ids=list(service.documents), timeout=30)
    assert sum(service.steps.values()) <= 8
    assert set(service.steps) == {"document counts", "status"}


def test_counts_that_lag_behind_are_not_the_end() -> None:
    """Ensure counts that do not know yet of what was just sent are looked at again, before and after they fill."""
    late = [{"counts": {}}, {"counts": {"SUCCESS": 3}}, {"counts": {"SUCCESS": 3, "NOT_STARTED": 17}}]
    service = ScriptedIndex(fault=lambda step, request: late.pop(0) if step == "document counts" and late else None)
    service.documents = {document.id_: {"id": document.id_} for document in documents(20)}
    service.index(None, id="i-1").wait_for_completion(doc_ids=list(service.documents), timeout=30)
    assert service.steps["document counts"] == 4


def test_refresh_of_many_lists_instead_of_asking_for_each() -> None:
    """Ensure comparing a thousand documents takes a page of the list for each hundred."""
    service = ScriptedIndex()
    index = service.index(None, id="i-1")
    index.refresh_ref_docs(list(documents(1000)))
    service.forget()
    assert not any(index.refresh_ref_docs(list(documents(1000))))
    assert service.steps == {"documents": 10}


# What is in them


def test_the_body_of_a_retrieval() -> None:
    """Ensure None is left out, and False, 0 and 0.0 are sent."""
    service = ScriptedIndex()
    service.retriever_of(
        None,
        id="i-1",
        dense_similarity_top_k=0,
        sparse_similarity_top_k=4,
        dense_similarity_cutoff=0.0,
        alpha=0.0,
        enable_reranking=False,
        rerank_top_n=None,
        retrieval_mode=None,
        retrieve_page_screenshot_nodes=False,
        filters={"filters": [{"key": "a", "value": False}], "condition": "or"},
    ).retrieve("What?")
    assert service.body() == {
        "query": "What?",
        "dense_similarity_top_k": 0,
        "sparse_similarity_top_k": 4,
        "dense_similarity_cutoff": 0.0,
        "alpha": 0.0,
        "enable_reranking": False,
        "retrieve_page_screenshot_nodes": False,
        "search_filters": {"filters": [{"key": "a", "value": False, "operator": "=="}], "condition": "or"},
    }
    service.retriever_of(None, id="i-1").retrieve("What?")
    assert service.body() == {"query": "What?"}


def test_the_body_of_a_creation() -> None:
    """Ensure options reach the body as they were given, and what was left out is left to the service."""
    service = ScriptedIndex()
    LlamaCloudIndex.create_index(
        "made",
        **service.connection,
        transform_config={"chunk_size": 256, "chunk_overlap": 0},
        embedding_config={"type": "OPENAI_EMBEDDING", "component": {"model_name": "text-embedding-3-small"}},
        preset_retrieval_parameters={"alpha": 0.0, "enable_reranking": False},
        llama_parse_parameters={"languages": ["de"]},
        data_sink_id="sink-1",
    )
    body = service.body()
    assert body["name"] == "made"
    assert body["transform_config"] == {"chunk_size": 256, "chunk_overlap": 0}
    assert body["embedding_config"]["type"] == "OPENAI_EMBEDDING"
    assert body["preset_retrieval_parameters"] == {"alpha": 0.0, "enable_reranking": False}
    assert body["llama_parse_parameters"] == {"languages": ["de"]}
    assert body["data_sink_id"] == "sink-1"
    LlamaCloudIndex.create_index("made", **service.connection)
    assert set(service.body()) == {"name", "pipeline_type", "transform_config", "llama_parse_parameters"}


def test_every_request_is_authorised_and_scoped() -> None:
    """Ensure key, headers and project go along with every request to the service."""
    service = ScriptedIndex({"retrieval_nodes": [], "image_nodes": [picture(0)]})
    index = service.index(headers={"x-own": "mine"}, organization_id="o-1")
    index.insert(Document(text="x"))
    index.as_retriever(retrieve_page_screenshot_nodes=True).retrieve("x")
    assert len(service.requests) > 6
    for request in service.requests:
        assert request.headers["authorization"] == "Bearer llx-test"
        assert request.headers["x-own"] == "mine"
        if request.url.path.startswith("/api/v1/pipelines/"):
            assert request.url.params["project_id"] == "p-1"


# Documents


def test_documents_travel_in_bounded_batches_with_flat_memory() -> None:
    """Ensure 10,000 documents of a generator arrive in requests of at most 100, and never are in memory together."""
    held: list[int] = []

    class Sink(ScriptedIndex):
        def _store(self, request: httpx.Request) -> list[dict[str, Any]]:
            sent = json.loads(request.content)
            self.sizes.append((len(sent), len(request.content)))
            held.append(tracemalloc.get_traced_memory()[0])
            self.requests.clear()
            self.documents.update((document["id"], {"id": document["id"]}) for document in sent)
            return [{"id": document["id"]} for document in sent]

    service = Sink()
    warm = service.index(None, id="i-1")
    tracemalloc.start()
    try:
        warm.insert(Document(text="Warm."))
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        LlamaCloudIndex.from_documents(documents(10_000, size=20_000), "animals", **service.connection)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(service.documents) == 10_001
    assert max(count for count, _ in service.sizes) <= 100
    # 200 MB in all; a batch is 2 MB, eight of them are under way, each as objects, as JSON and as bytes.
    assert peak - before < 80 * 2**20, f"{(peak - before) / 2**20:.0f} MiB"
    assert max(held[len(held) // 2 :]) < 1.5 * max(held[: len(held) // 2])


def test_large_documents_make_small_batches() -> None:
    """Ensure a request carries about 4 MiB at most, and a single larger document goes alone."""
    service = ScriptedIndex()
    index = service.index(None, id="i-1")
    index.refresh_ref_docs(list(documents(20, size=1024 * 1024)))
    assert sum(count for count, _ in service.sizes) == 20
    assert max(size for _, size in service.sizes) < 4.5 * 2**20
    service.sizes.clear()
    index.insert(Document(text="x" * 6 * 1024 * 1024))
    assert [count for count, _ in service.sizes] == [1]


@pytest.mark.parametrize("when", ["", "after "])
def test_one_request_in_five_failing_loses_nothing(when: str) -> None:
    """Ensure no document is lost or created twice when requests are refused, fail or are cut, before or after."""
    draws = random.Random(7)

    def fault(step: str, request: httpx.Request) -> Any:
        if step in (f"{when}post", f"{when}put") and draws.random() < 0.2:
            answers: list[Any] = [500, 503, httpx.ReadError("cut"), httpx.RemoteProtocolError("cut")]
            if not when:
                answers.append(httpx.Response(429, headers={"retry-after": "0"}))
            return draws.choice(answers)
        return None

    service = ScriptedIndex(fault=fault)
    LlamaCloudIndex.from_documents(documents(3000), "animals", **service.connection, requests_per_minute=1e6)
    assert len(service.documents) == 3000
    assert service.steps["put"] > 0
    assert max(service.posts.values()) == 1, "what may have been acted on is repeated as an upsert only"


def test_one_refused_document_does_not_take_others_along() -> None:
    """Ensure a document that the service refuses is named with its reason, and all others are in the index."""

    def fault(step: str, request: httpx.Request) -> Any:
        if step in ("post", "put") and b"d-123" in request.content:
            return httpx.Response(422, json={"detail": "text holds what cannot be"})
        return None

    for replace in (False, True):
        service = ScriptedIndex(fault=fault)
        index = service.index(None, id="i-1")
        given = list(documents(500))
        call: Any = partial(LlamaCloudIndex.from_documents, given, "animals", **service.connection)
        with pytest.raises(PartialFailureError, match="what cannot be") as caught:
            index.refresh_ref_docs(given) if replace else call()
        (failure,) = caught.value.failures
        assert failure.source == "d-123"
        assert isinstance(failure.error, UnprocessableError)
        assert len(service.documents) == 499
        assert len(service.sizes) < 20
    lenient = LlamaCloudIndex.from_documents(documents(200), "animals", raise_on_error=False, **service.connection)
    assert lenient.id == "i-1"


@pytest.mark.parametrize(("status", "kind"), [(401, AuthenticationError), (402, QuotaError)])
@pytest.mark.parametrize("seconds", [0.0, 0.05])
def test_what_concerns_all_documents_stops_at_once(
    status: int, kind: type[LlamaCloudError], seconds: float, caplog: pytest.LogCaptureFixture
) -> None:
    """Ensure a wrong key or a lack of credits ends the upload and what was under way, and leaves no complaints."""

    class Slow(ScriptedIndex):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if seconds:
                await asyncio.sleep(seconds)
            return await super().handle_async_request(request)

    service = Slow(fault=lambda step, request: status if step == "post" else None)
    read: list[int] = []

    def counted() -> Iterator[Document]:
        for document in documents(10_000):
            read.append(1)
            yield document

    with pytest.raises(kind):
        LlamaCloudIndex.from_documents(counted(), "animals", **service.connection)
    assert service.steps["post"] <= 10
    assert len(read) <= 2000
    gc.collect()
    assert "never retrieved" not in caplog.text


def test_documents_that_come_twice() -> None:
    """Ensure of two documents of one id the later one is in the index."""
    service = ScriptedIndex()
    index = service.index(None, id="i-1")
    several = [Document(id_="same", text=f"{number}") for number in range(3)]
    index.refresh_ref_docs(several)
    assert service.documents["same"]["text"] == "2"
    filler = list(documents(150))
    LlamaCloudIndex.from_documents([*several, *filler, Document(id_="same", text="last")], "x", **service.connection)
    assert service.documents["same"]["text"] == "last"


# Waiting


def test_failures_cost_few_requests_and_have_their_reasons() -> None:
    """Ensure of many documents those that failed are found by the list and asked for one by one."""
    bad = {f"d-{number}": "ERROR" for number in range(0, 1000, 100)}
    service = ScriptedIndex(statuses={**bad, "index": "PARTIAL_SUCCESS"})
    index = service.index(None, id="i-1")
    for document in documents(1000):
        status = bad.get(document.id_, "SUCCESS")
        service.documents[document.id_] = {"id": document.id_, "status_metadata": {"status": status}}
    with pytest.raises(IngestionError, match="d-100 cannot be read") as caught:
        index.wait_for_completion(doc_ids=list(service.documents))
    assert sorted(failure.source for failure in caught.value.failures) == sorted(bad)
    assert service.steps["document status"] == 10
    assert sum(service.steps.values()) <= 24
    with pytest.raises(IngestionError):
        index.wait_for_completion()


def test_failures_where_the_list_tells_no_status() -> None:
    """Ensure failures are found where the list of documents does not tell how each ended."""
    service = ScriptedIndex(statuses={"d-1": "ERROR", "index": "PARTIAL_SUCCESS"})
    index = service.index(None, id="i-1")
    with pytest.raises(IngestionError, match="d-1 cannot be read") as caught:
        index.refresh_ref_docs(list(documents(3)))
    assert [failure.source for failure in caught.value.failures] == ["d-1"]
    assert index.wait_for_completion(doc_ids=["d-0"]).status == "PARTIAL_SUCCESS", "others are not its business"


def test_an_index_that_calls_itself_a_success() -> None:
    """Ensure documents and files that failed raise although the index as a whole says that all is well."""
    documents_failed = ScriptedIndex(statuses={"d-1": "ERROR"})
    documents_failed.documents["d-1"] = {"id": "d-1", "status_metadata": {"status": "ERROR"}}
    files_failed = ScriptedIndex(statuses={"f-1": "ERROR"})
    files_failed.files.append({"file_id": "f-1", "name": "a.pdf", "status": "ERROR"})
    for service, source in ((documents_failed, "d-1"), (files_failed, "a.pdf")):
        with pytest.raises(IngestionError, match="cannot be read") as caught:
            service.index(None, id="i-1").wait_for_completion()
        assert [failure.source for failure in caught.value.failures] == [source]


def test_deployments_without_counts() -> None:
    """Ensure an older deployment that has no counts is waited for all the same."""
    service = ScriptedIndex(fault=lambda step, request: 404 if "counts" in step else None)
    assert service.index(None, id="i-1").wait_for_completion().status == "SUCCESS"


@pytest.mark.parametrize("told", [True, False])
def test_every_failure_is_named(told: bool) -> None:
    """Ensure of many failures each is named, and one at the end of many documents is found."""
    service = ScriptedIndex(statuses={"index": "PARTIAL_SUCCESS"})
    index = service.index(None, id="i-1")
    for document in documents(500):
        status = "ERROR" if told or document.id_ == "d-499" else "SUCCESS"
        service.statuses[document.id_] = status
        service.documents[document.id_] = {
            "id": document.id_,
            **({"status_metadata": {"status": status}} if told else {}),
        }
    with pytest.raises(IngestionError) as caught:
        index.wait_for_completion(doc_ids=list(service.documents))
    assert len(caught.value.failures) == (500 if told else 1)
    assert caught.value.failures[-1].source == "d-499"
    if told:
        assert service.steps["document status"] == 200


@pytest.mark.parametrize(("status", "kind"), [("ERROR", JobFailedError), ("CANCELLED", LlamaCloudError)])
def test_an_index_that_fails_as_a_whole(status: str, kind: type[LlamaCloudError]) -> None:
    """Ensure the failure of an index raises although no document is to blame."""
    service = ScriptedIndex(statuses={"index": status})
    with pytest.raises(kind) as caught:
        service.index(None, id="i-1").wait_for_completion()
    assert "i-1" in str(caught.value)


def test_an_unknown_status_is_waited_for() -> None:
    """Ensure a status that nobody knows counts as running, and the deadline ends the wait."""
    service = ScriptedIndex(statuses={"index": "SHINING"})
    started = time.monotonic()
    with pytest.raises(JobDeadlineError) as caught:
        service.index(None, id="i-1").wait_for_completion(timeout=0.3)
    assert time.monotonic() - started < 2
    assert (caught.value.job_id, caught.value.status) == ("i-1", "SHINING")


@pytest.mark.parametrize("step", ["document status", "status", "document counts"])
def test_a_refused_key_ends_the_wait_at_once(step: str) -> None:
    """Ensure a wait does not go on with a key that is refused."""
    service = ScriptedIndex(fault=lambda name, request: 401 if name == step else None)
    ids = [f"d-{number}" for number in range(20 if step == "document counts" else 1)]
    with pytest.raises(AuthenticationError):
        service.index(None, id="i-1").wait_for_completion(doc_ids=ids)
    assert service.steps[step] == 1


def test_a_wait_that_failed_asks_no_further() -> None:
    """Ensure nothing goes on behind a wait for several documents of which one cannot be asked for."""

    def fault(step: str, request: httpx.Request) -> Any:
        return (
            (404 if "/d-1/" in request.url.path else {"status": "IN_PROGRESS"}) if step == "document status" else None
        )

    service = ScriptedIndex(fault=fault)
    with pytest.raises(NotFoundError):
        service.index(None, id="i-1").wait_for_completion(doc_ids=["d-0", "d-1", "d-2"])
    asked = len(service.requests)
    time.sleep(1)
    assert len(service.requests) == asked


def test_passing_faults_do_not_end_a_wait() -> None:
    """Ensure a wait survives answers that fail for a while."""
    faults = itertools.chain([503, httpx.ReadError("cut"), 500], itertools.repeat(None))
    service = ScriptedIndex(fault=lambda step, request: next(faults) if step == "status" else None)
    assert service.index(None, id="i-1").wait_for_completion(timeout=60).status == "SUCCESS"


# Names


def test_project_names_are_matched_without_regard_to_case() -> None:
    """Ensure "default" is "Default", the exact name beats others, and a service that minds the case is asked again."""
    projects = [{"id": "p-1", "name": "Default"}, {"id": "p-2", "name": "Work"}, {"id": "p-3", "name": "work"}]
    for name, expected in (("default", "p-1"), ("DEFAULT", "p-1"), ("work", "p-3"), ("Work", "p-2"), (None, "p-1")):
        service = ScriptedIndex(projects=projects)
        service.index(project_name=name).status()
        assert service.requests[-1].url.params["project_id"] == expected


def test_an_ambiguous_project_raises_with_the_candidates() -> None:
    """Ensure the candidates are named with their organizations, and an organization decides."""
    projects = [
        {"id": "p-1", "name": "Work", "organization_id": "o-1"},
        {"id": "p-2", "name": "Work", "organization_id": "o-2"},
    ]
    service = ScriptedIndex(projects=projects)
    for call in (
        lambda: service.index(project_name="work").status(),
        lambda: service.retriever_of(project_name="Work").retrieve("x"),
        lambda: service.composite(project_name="Work").retrieve("x"),
        lambda: list_indexes(project_name="Work", **service.connection),
        lambda: LlamaCloudIndex.create_index("x", project_name="Work", **service.connection),
    ):
        with pytest.raises(ConfigurationError, match=r"p-1 \(organization o-1\), p-2 \(organization o-2\)"):
            call()
    assert set(service.steps) == {"projects"}
    service.index(project_name="Work", organization_id="o-2", project_id="p-2").status()


def test_what_is_missing_raises_with_what_there_is() -> None:
    """Ensure a missing project or index raises, and the message lists those there are."""
    service = ScriptedIndex(projects=[{"id": "p-1", "name": "Default"}, {"id": "p-2", "name": "Work"}])
    with pytest.raises(NotFoundError, match=r"'Play'.*'Default', 'Work'"):
        service.index(project_name="Play").status()
    with pytest.raises(NotFoundError, match=r"'plants'.*'animals'"):
        service.index("plants").status()
    two = ScriptedIndex(pipelines=[{"id": "i-1", "name": "animals"}, {"id": "i-2", "name": "animals"}])
    with pytest.raises(ConfigurationError, match="i-1, i-2"):
        two.index().status()


# Pictures


def shown(service: ScriptedIndex) -> list[Any]:
    """What a retriever with pictures finds."""
    return service.retriever_of(None, id="i-1", retrieve_image_nodes=True, retry_budget=0).retrieve("x")


@pytest.mark.filterwarnings("ignore:retrieve_image_nodes:DeprecationWarning")
def test_pictures_are_fetched_side_by_side() -> None:
    """Ensure thirty pictures take as long as a few of them, and come in the service's order with their bytes."""
    under_way = most = 0

    class Slow(ScriptedIndex):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            nonlocal under_way, most
            if "/files/" not in request.url.path:
                return await super().handle_async_request(request)
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0.05)
            under_way -= 1
            await super().handle_async_request(request)
            # LlamaIndex up to 0.14.0 takes equal pictures for one and the same.
            return httpx.Response(200, content=PNG + request.url.path.encode())

    service = Slow(
        {
            "retrieval_nodes": [text_node("Words.")],
            "image_nodes": [picture(page) for page in range(20)],
            "page_figure_nodes": [picture(page, f"fig {page}.png") for page in range(10)],
        }
    )
    started = time.monotonic()
    nodes = shown(service)
    assert time.monotonic() - started < 1, "one after the other they take 1.5 s"
    assert 8 <= most <= 16
    pictures = [node.node for node in nodes if isinstance(node.node, ImageNode)]
    assert [node.metadata["page_number"] for node in pictures] == [*range(1, 21), *range(1, 11)]
    assert all(node.resolve_image().read().startswith(PNG) and node.image_mimetype == "image/png" for node in pictures)
    assert len({node.node_id for node in pictures}) == 30
    assert {node.score for node in nodes[1:]} == {0.4}
    assert "GET /api/v1/files/f-1/page-figures/3/fig 3.png" in service.paths()


@pytest.mark.filterwarnings("ignore:retrieve_image_nodes:DeprecationWarning")
@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, html="<html><body>Log in</body></html>"),
        httpx.Response(200, json={"detail": "expired"}),
        httpx.Response(200, content=b""),
        httpx.Response(404, json={"detail": "no such page"}),
        500,
        httpx.ReadError("cut"),
    ],
)
@pytest.mark.parametrize("kind", ["image_nodes", "page_figure_nodes"])
def test_what_is_no_picture_raises(kind: str, answer: Any) -> None:
    """Ensure anything but a picture raises, and the message names file and page."""
    service = ScriptedIndex(
        {kind: [picture(6, "fig.png" if kind == "page_figure_nodes" else None)]},
        fault=lambda step, request: answer if step in ("screenshot", "figure") else None,
    )
    with pytest.raises(DownloadError) as caught:
        shown(service)
    assert "f-1" in str(caught.value)
    assert "page 7" in str(caught.value)


@pytest.mark.filterwarnings("ignore:retrieve_image_nodes:DeprecationWarning")
def test_a_refused_key_is_no_picture_problem() -> None:
    """Ensure a refusal that has nothing to do with a picture comes out as what it is, and says where it came."""
    service = ScriptedIndex(
        {"image_nodes": [picture(6)]}, fault=lambda step, request: 403 if step == "screenshot" else None
    )
    with pytest.raises(PermissionDeniedError, match="page 7"):
        shown(service)


# Composite retrievers


def test_requests_of_composite_retrievers() -> None:
    """Ensure a named one is looked up once, and each query is one request with nothing in it but what was set."""
    service = ScriptedIndex({"nodes": [text_node("Words.", pipeline_id="i-1")]})
    retriever = service.composite()
    assert retriever.retrieve("a")[0].text == "Words."
    assert service.paths() == ["GET /api/v1/projects", "GET /api/v1/retrievers", "POST /api/v1/retrievers/r-1/retrieve"]
    assert service.body() == {"query": "a"}
    service.forget()
    retriever.retrieve("b")
    assert len(service.requests) == 1
    service.composite(mode="full", rerank_top_n=3, rerank_config={"type": "score", "top_n": 9}).retrieve("c")
    assert service.body() == {"query": "c", "mode": "full", "rerank_config": {"type": "score", "top_n": 3}}
    loose = service.composite(None, persisted=False)
    loose.add_index(service.index(None, id="i-1"), name="a")
    service.forget()
    loose.retrieve("d")
    assert service.paths() == ["POST /api/v1/retrievers/retrieve"]
    assert set(service.body()) == {"query", "pipelines"}
    (asked,) = service.body()["pipelines"]
    assert (asked["pipeline_id"], asked["name"]) == ("i-1", "a")
    assert not asked.get("description")
    assert not asked.get("preset_retrieval_parameters")


def test_a_wait_without_any_time_looks_once() -> None:
    """Ensure timeout=0 looks at an index once: a finished one is done, one that is not raises."""
    service = ScriptedIndex()
    index = service.index(None, id="i-1")
    assert index.wait_for_completion(timeout=0).status == "SUCCESS"
    assert service.steps["status"] == 1
    busy = ScriptedIndex(looks=3)
    with pytest.raises(JobDeadlineError):
        busy.index(None, id="i-1").wait_for_completion(timeout=0)
    assert busy.steps["status"] == 1


@pytest.mark.parametrize(("status", "kind"), [(401, AuthenticationError), (403, PermissionDeniedError)])
def test_a_key_that_is_refused_stops_an_upload(status: int, kind: type[LlamaCloudError]) -> None:
    """Ensure a wrong key raises as itself, and only the files that were under way have been tried with it."""
    service = ScriptedIndex(fault=lambda step, _: status if step == "upload" else None)
    with pytest.raises(kind):
        service.index(None, id="i-1").upload_files([f"File {number}.".encode() for number in range(40)])
    assert service.steps["upload"] <= 8
    assert service.steps["attach"] == 0
