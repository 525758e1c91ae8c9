"""``llama-cloud-ext index`` and ``retrieve``: create indexes, fill them, look at them, ask them."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llama_cloud_ext.cli.inputs import Input, expand
from llama_cloud_ext.cli.passages import print_passages
from llama_cloud_ext.cli.service import LocalFolder, connection, exit_codes
from llama_cloud_ext.errors import ConfigurationError, PartialFailureError

if TYPE_CHECKING:
    from llama_cloud_ext.index.index import LlamaCloudIndex

app = typer.Typer(help="Create indexes, fill them, look at them, delete them.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The index's name.")]
Project = Annotated[
    str | None, typer.Option("--project", metavar="NAME", help="The project.  [default: the key's default project]")
]
AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of columns.")]


@app.command()
def create(
    name: Name,
    chunk_size: Annotated[int | None, typer.Option("--chunk-size", min=1, help="Tokens of a node, at most.")] = None,
    chunk_overlap: Annotated[
        int | None, typer.Option("--chunk-overlap", min=0, help="Tokens that neighbouring nodes share.")
    ] = None,
    project: Project = None,
    local: LocalFolder = None,
) -> None:
    """Create an index, or change the one of this name, and print its id."""
    with exit_codes():
        from llama_cloud_ext.index.index import LlamaCloudIndex

        sizes = {"chunk_size": chunk_size, "chunk_overlap": chunk_overlap}
        transform = {key: value for key, value in sizes.items() if value is not None}
        index = LlamaCloudIndex.create_index(
            name, transform_config=transform or None, project_name=project, **connection(local)
        )
        typer.echo(index.id)


@app.command()
def add(
    name: Name,
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILES...", help="Files, folders (all files below them), quoted patterns, or URLs."),
    ],
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="Return once the files are uploaded, before they can be searched.")
    ] = False,
    project: Project = None,
    local: LocalFolder = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress on standard error, only errors.")] = False,
) -> None:
    """Upload FILES into an index and wait until they can be searched. Prints the id of each file.

    A file that was added before, by its content, is not uploaded again.
    """
    with exit_codes():
        from llama_cloud_ext.index.folder_refresh import FINGERPRINT

        inputs = expand(files, leave_out=[local] if local is not None else [])
        index = _index(name, project, local)
        # One that failed is worth another try.
        known = {
            file.custom_metadata.get(FINGERPRINT): str(file.file_id)
            for file in index.list_files()
            if file.status not in ("ERROR", "CANCELLED")
        }
        contents = [_content_of(given) for given in inputs]
        new = [place for place, content in enumerate(contents) if content is None or content not in known]
        ids = {place: known[content] for place, content in enumerate(contents) if content in known}
        try:
            if new:
                uploaded = index.upload_files(
                    [inputs[place].file for place in new],
                    custom_metadata=[{FINGERPRINT: contents[place]} if contents[place] else None for place in new],
                    wait_for_ingestion=not no_wait,
                    verbose=not quiet,
                )
                ids |= dict(zip(new, uploaded, strict=True))
        except PartialFailureError as error:
            ids |= {place: one for place, one in zip(new, error.results, strict=True) if isinstance(one, str)}
            raise
        finally:
            for _, file_id in sorted(ids.items()):
                typer.echo(file_id)


def _content_of(given: Input) -> str | None:
    """The hash of a file's content; None for what is not here, or cannot be read and fails by itself."""
    if isinstance(given.file, bytes):
        return hashlib.sha256(given.file).hexdigest()
    from llama_cloud_ext.index.folder_refresh import content_hash

    try:
        return content_hash(given.file) if isinstance(given.file, Path) else None
    except OSError:
        return None


@app.command("list")
def list_indexes(as_json: AsJson = False, project: Project = None, local: LocalFolder = None) -> None:
    """List the indexes of the project."""
    with exit_codes():
        from llama_cloud_ext.index.listing import list_indexes as indexes

        for record in indexes(project_name=project, **connection(local)):
            if as_json:
                typer.echo(json.dumps(record, ensure_ascii=False))
            else:
                typer.echo("  ".join(str(record.get(key) or "-") for key in ("id", "created_at", "name")))


@app.command()
def status(name: Name, as_json: AsJson = False, project: Project = None, local: LocalFolder = None) -> None:
    """Say how far an index has come, and which of its files have failed."""
    with exit_codes():
        index = _index(name, project, local)
        state, files = index.status(), index.list_files()
        if as_json:
            typer.echo(json.dumps({**state.raw, "files": [file.raw for file in files]}, ensure_ascii=False))
            return
        typer.echo(f"{index.name}  {index.id}  {state.status}")
        for file in files:
            typer.echo(f"{file.status or '-':<12}  {file.file_id}  {file.name}")


@app.command()
def delete(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    project: Project = None,
    local: LocalFolder = None,
) -> None:
    """Delete an index with everything that is in it."""
    with exit_codes():
        index = _index(name, project, local)
        if not yes and not typer.confirm(f"Delete index {name} ({index.id})?", err=True):
            raise typer.Exit(1)
        index.delete()


def retrieve(
    name: Name,
    query: Annotated[str, typer.Argument(metavar="QUERY", help="What to look for.")],
    top: Annotated[
        int | None, typer.Option("--top", min=1, help="Nodes to find by meaning and by words, each.")
    ] = None,
    alpha: Annotated[
        float | None, typer.Option("--alpha", min=0, max=1, help="1: by meaning only. 0: by words only.")
    ] = None,
    rerank: Annotated[
        bool | None, typer.Option("--rerank/--no-rerank", help="Whether a better judge orders what was found.")
    ] = None,
    rerank_top: Annotated[int | None, typer.Option("--rerank-top", min=1, help="Nodes left after that.")] = None,
    mode: Annotated[
        str | None, typer.Option("--mode", help="chunks, files_via_metadata, files_via_content or auto_routed.")
    ] = None,
    filters: Annotated[
        list[str] | None,
        typer.Option(
            "--filter",
            metavar="KEY=VALUE",
            help="Only nodes with this in their metadata: a number, true, false or text; text that looks like another "
            "of these in double quotes. May be repeated.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON record a line, one a passage.")] = False,
    project: Project = None,
    local: LocalFolder = None,
) -> None:
    """Print the passages of an index that fit QUERY. What is not given, the index's presets decide."""
    with exit_codes():
        settings: dict[str, Any] = {
            "dense_similarity_top_k": top,
            "sparse_similarity_top_k": top,
            "alpha": alpha,
            "enable_reranking": rerank,
            "rerank_top_n": rerank_top,
            "retrieval_mode": mode,
            "filters": _filters(filters or []),
        }
        print_passages(_index(name, project, local).as_retriever(**settings).retrieve(query), as_json=as_json)


def _index(name: str, project: str | None, local: Path | None) -> LlamaCloudIndex:
    from llama_cloud_ext.index.index import LlamaCloudIndex

    return LlamaCloudIndex(name, project_name=project, **connection(local))


def _filters(pairs: list[str]) -> dict[str, Any] | None:
    if not pairs:
        return None
    filters = []
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise ConfigurationError(f"{pair!r} is not KEY=VALUE", option="--filter", hint="For example year=2024.")
        filters.append({"key": key, "operator": "==", "value": _typed(value)})
    return {"filters": filters, "condition": "and"}


def _typed(text: str) -> str | int | float:
    """What JSON has a form for is what it says, as 2024 is not "2024" in metadata; anything else is text."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    if isinstance(value, float) and not math.isfinite(value):
        return text
    return value if isinstance(value, str | int | float) else text
