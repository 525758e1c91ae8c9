"""``llama-cloud-ext ask``: a folder and a question in, the passages that answer it out."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llama_cloud_ext.cli.passages import print_passages
from llama_cloud_ext.cli.service import component, connection, exit_codes
from llama_cloud_ext.errors import ConfigurationError
from llama_cloud_ext.index.folder_refresh import FINGERPRINT

if TYPE_CHECKING:
    from llama_index.core.schema import NodeWithScore

    from llama_cloud_ext.index.folder_refresh import FolderRefresh
    from llama_cloud_ext.index.index import LlamaCloudIndex

DEFAULT_LOCAL = Path(".llamacloud")


def ask(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The folder to ask; its files are indexed first.")],
    question: Annotated[str, typer.Argument(metavar="QUESTION", help="What you want to know.")],
    top: Annotated[int, typer.Option("--top", min=1, help="How many passages.")] = 3,
    index: Annotated[
        str | None, typer.Option("--index", metavar="NAME", help="The index to use.  [default: one for the folder]")
    ] = None,
    local: Annotated[
        Path, typer.Option("--local", metavar="DIR", help="Where local LlamaCloud keeps its data.")
    ] = DEFAULT_LOCAL,
    cloud: Annotated[
        bool,
        typer.Option(
            "--cloud",
            help="Use the service that LLAMA_CLOUD_API_KEY and LLAMA_CLOUD_BASE_URL name, and upload the folder there.",
        ),
    ] = False,
    llm: Annotated[
        str | None,
        typer.Option(
            "--llm",
            metavar="MODULE:NAME",
            envvar="LLAMA_CLOUD_EXT_LLM",
            help="A LlamaIndex LLM, or its class, to answer from the passages, such as llama_index.llms.ollama:Ollama.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON record a line, one a passage.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress on standard error, only errors.")] = False,
) -> None:
    """Index FOLDER and answer QUESTION from it.

    Prints the passages with file, page and score, and an answer with citations where an LLM is given. Without --cloud
    everything happens on this machine. Asking again indexes only what has changed.
    """
    with exit_codes():
        if not question.strip():
            raise ConfigurationError("the question is empty", option="QUESTION")
        model = None if llm is None else component(llm, "--llm")
        from llama_cloud_ext.index.index import LlamaCloudIndex

        address = connection(None if cloud else local)
        created = LlamaCloudIndex.create_index(
            index or _name_of(folder),
            transform_config=PASSAGES,
            metadata_config={"excluded_embed_metadata_keys": _NOISE, "excluded_llm_metadata_keys": _NOISE},
            show_progress=not quiet,
            **address,
        )
        done = created.refresh_folder(folder, leave_out=[local])
        _report(done, quiet)
        nodes = _retrieve(created, question, top)
        if model is not None:
            _print_answer(created, model, question, nodes, as_json)
        print_passages(nodes, as_json=as_json)
    if done.failures and not (done.added or done.updated or done.unchanged):
        raise typer.Exit(1)


def _name_of(folder: Path) -> str:
    """One index for each folder, whatever it is called from."""
    place = folder.resolve()
    return f"{place.name or 'root'}-{hashlib.sha256(str(place).encode()).hexdigest()[:8]}"


def _report(done: FolderRefresh, quiet: bool) -> None:
    for failure in done.failures:
        reason = getattr(failure.error, "reason", None) or failure.error
        typer.echo(f"error: {failure.source}: {reason}", err=True)
    if not quiet:
        counts = {name: len(getattr(done, name)) for name in ("added", "updated", "removed", "unchanged")}
        parts = [f"{count} {name}" for name, count in counts.items() if count]
        failed = [f"{len(done.failures)} failed"] if done.failures else []
        typer.echo(f"files: {', '.join([*parts, *failed]) or 'none'}", err=True)


SEARCH: dict[str, Any] = {"alpha": 0.5, "enable_reranking": True}
"""Embeddings and words alike, and the better judge last: what finds most without knowing the question."""


PASSAGES = {"mode": "auto", "chunk_size": 256, "chunk_overlap": 32}
"""Tokens of a passage: about what a person reads at a glance."""

_NOISE = [FINGERPRINT]
# Tokens: more than a passage has, so that none is split into sources of different numbers.
_WHOLE_PASSAGE = 4096


def _retrieve(index: LlamaCloudIndex, question: str, top: int) -> list[NodeWithScore]:
    return index.as_retriever(**_settings(top)).retrieve(question)


def _settings(top: int) -> dict[str, Any]:
    wide = max(20, 4 * top)
    return {**SEARCH, "dense_similarity_top_k": wide, "sparse_similarity_top_k": wide, "rerank_top_n": top}


def _print_answer(index: LlamaCloudIndex, model: Any, question: str, nodes: list[NodeWithScore], as_json: bool) -> None:
    """From the very passages that are printed, so that the numbers of its citations are theirs."""
    from llama_index.core.query_engine import CitationQueryEngine
    from llama_index.core.schema import QueryBundle

    engine = CitationQueryEngine(index.as_retriever(), llm=model, citation_chunk_size=_WHOLE_PASSAGE)
    answer = str(engine.synthesize(QueryBundle(question), nodes))
    typer.echo(json.dumps({"answer": answer}, ensure_ascii=False) if as_json else f"{answer}\n")
