"""What the three clients' index classes are asked for; they have the same methods, so that one script serves them."""

from __future__ import annotations

import asyncio
import json
import math
import statistics
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import measured

KEY = "llx-benchmark"
SETTINGS = {"dense_similarity_top_k": 10, "sparse_similarity_top_k": 10, "enable_reranking": True, "rerank_top_n": 5}


def tasks(index_class: Callable[[], Any]) -> dict[str, Callable[..., dict[str, Any]]]:
    """The tasks of a client.

    Args:
        index_class: Imports its `LlamaCloudIndex`.
    """
    return {
        "index_documents": lambda **arguments: add_documents(index_class(), **arguments),
        "index_stream": lambda **arguments: stream_documents(index_class(), **arguments),
        "index_wait": lambda **arguments: wait(index_class(), **arguments),
        "index_queries": lambda **arguments: ask_one_by_one(index_class(), **arguments),
        "index_queries_at_once": lambda **arguments: ask_at_once(index_class(), **arguments),
    }


def documents(path: str) -> Iterator[Any]:
    """The documents of a file with an id and a text in each line."""
    from llama_index.core import Document

    with Path(path).open() as lines:
        for line in lines:
            name, text = json.loads(line)
            yield Document(text=text, id_=name, metadata={"file_name": f"{name}.txt"})


def add_documents(index_class: Any, base_url: str, path: str, index_name: str) -> dict[str, Any]:
    """`from_documents` with a list."""
    index_class.from_documents(
        list(islice(documents(path), 2)), f"{index_name}-warm-up", api_key=KEY, base_url=base_url
    )
    given = list(documents(path))
    return measured.counted(
        base_url, lambda: index_class.from_documents(given, index_name, api_key=KEY, base_url=base_url)
    )


def stream_documents(index_class: Any, base_url: str, path: str, index_name: str) -> dict[str, Any]:
    """`from_documents` with a generator, and the memory that it takes."""
    index_class.from_documents(islice(documents(path), 2), f"{index_name}-warm-up", api_key=KEY, base_url=base_url)
    answers: list[dict[str, Any]] = []

    def add() -> None:
        given = documents(path)
        answers.append(
            measured.counted(
                base_url, lambda: index_class.from_documents(given, index_name, api_key=KEY, base_url=base_url)
            )
        )

    peak = measured.peak_memory(add)
    return {**answers[0], "mib": peak["mib"]}


def wait(index_class: Any, base_url: str, path: str, index_name: str) -> dict[str, Any]:
    """`wait_for_completion` for documents that are in the index."""
    ids = [document.id_ for document in documents(path)]
    index = index_class(index_name, api_key=KEY, base_url=base_url)
    index.wait_for_completion()
    return measured.counted(base_url, lambda: index.wait_for_completion(doc_ids=ids))


def ask_one_by_one(
    index_class: Any, base_url: str, index_name: str, queries: list[str], rounds: int = 1
) -> dict[str, Any]:
    """Queries one after the other; each is also posted with nothing around it, before the client's or after it.

    Of several rounds each query's fastest counts, the client's and the bare one: what delays single requests on a busy
    machine is then left out.
    """
    index = index_class(index_name, api_key=KEY, base_url=base_url)
    retriever = index.as_retriever(**SETTINGS)
    url = f"{base_url}/api/v1/pipelines/{index.id}/retrieve"
    headers = {"authorization": f"Bearer {KEY}", "x-uncounted": "1"}
    with httpx.Client(headers=headers, timeout=60) as bare:

        def post(query: str) -> None:
            bare.post(url, json={**SETTINGS, "query": query}).raise_for_status()

        for query in queries:
            post(query)
        retriever.retrieve(queries[0])
        clients, servers = [[math.inf] * len(queries) for _ in range(2)]
        turns = [(clients, retriever.retrieve), (servers, post)]

        def ask_all() -> None:
            for number in range(rounds):
                for place, query in enumerate(queries):
                    for fastest, ask in turns if (place + number) % 2 else reversed(turns):
                        start = time.perf_counter()
                        ask(query)
                        fastest[place] = min(fastest[place], 1000 * (time.perf_counter() - start))

        answer = measured.counted(base_url, ask_all)
    if answer["error"]:
        return answer
    # Each query against itself: how long a search takes depends on its words more than on who asks.
    over = [client - server for client, server in zip(clients, servers, strict=True)]
    medians = {"client_ms": clients, "server_ms": servers, "over_ms": over}
    return answer | {name: statistics.median(times) for name, times in medians.items()}


def ask_at_once(index_class: Any, base_url: str, index_name: str, queries: list[str]) -> dict[str, Any]:
    """All queries at once, asynchronously."""
    retriever = index_class(index_name, api_key=KEY, base_url=base_url).as_retriever(**SETTINGS)

    async def ask_all() -> None:
        await asyncio.gather(*map(retriever.aretrieve, queries))

    loop = asyncio.new_event_loop()
    # Clients keep their connections to one loop.
    loop.run_until_complete(retriever.aretrieve(queries[0]))
    answer = measured.counted(base_url, lambda: loop.run_until_complete(ask_all()))
    loop.close()
    return answer
