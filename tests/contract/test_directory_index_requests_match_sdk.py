"""What the endpoint functions of directories and of indexes over them send is what the official SDK sends."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from llama_cloud_ext.wire import attachments, directories, directory_files, index_retrieval, indexes
from llama_cloud_ext.wire.models import directory_index as models
from llama_cloud_ext.wire.models.directory import DirectoryFileOptions, DirectoryOptions
from llama_cloud_ext.wire.models.directory_index import DirectoryIndexOptions, DirectoryRetrievalSettings
from tests.contract.comparison import ODD_ID, SCOPE, Call, by_path, compare, each_call, ours, recorded
from tests.contract.official_sdk import OfficialSdk

DIRECTORY: dict[str, Any] = {
    "name": "Rechnungen & mehr",
    "description": "",
    "type": "ephemeral",
    "connector_subscription_id": "sub-1",
    "system_metadata": {"source": "x"},
}
FILE: dict[str, Any] = {
    "display_name": "Größe.pdf",
    "unique_id": "a/Größe.pdf",
    "metadata": {"year": 2024, "score": 0.5, "draft": False, "none": None, "tags": ["a", "ä"]},
}
INDEX: dict[str, Any] = {
    "name": "Handbuch",
    "description": "",
    "products": [{"product_type": "parse", "product_config_id": "cfg-PARSE_AGENTIC"}],
    "store_attachments": ["screenshots", "items"],
    "sync_frequency": "on_source_change",
    "vector_target": "DISABLED",
}
RETRIEVAL: dict[str, Any] = {
    "top_k": 500,
    "num_candidates": 1,
    "score_threshold": 0.0,
    "vector_pipeline_weight": 0.0,
    "full_text_pipeline_weight": 1.0,
    "rerank": {"enabled": False, "top_n": 5},
    "custom_filters": {
        "year": [{"operator": "gte", "value": 2020}, {"operator": "lt", "value": 2024.5}],
        "team": {"operator": "in", "value": ["a", True, 1.5]},
        "draft": {"operator": "ne", "value": False},
        "any": None,
    },
    "static_filters": {"parsed_directory_file_id": {"operator": "nin", "value": ["dfl-1"]}},
}
MOMENT = datetime(2026, 11, 1, 12, 30, tzinfo=timezone.utc)
LISTED = {"page_size": 7, "include_deleted": False, "name": "ä & b"}
FOUND = {"file_name": "a b.pdf", "file_name_contains": "ä", "page_size": 3}
SEARCHED = {"context_chars": 0, "page_size": 3}
FILES = {
    "display_name": "a b",
    "display_name_contains": "ä",
    "unique_id": ODD_ID,
    "file_id": "f-1",
    "include_deleted": True,
    "updated_at_on_or_after": MOMENT,
    "updated_at_on_or_before": MOMENT,
    "expand": ["download_url"],
    "page_size": 3,
}
IN, OF = {"directory_id": ODD_ID}, {"directory_id": "dir-1", "directory_file_id": ODD_ID}
AT, WHERE = {"index_id": "idx-1"}, {"index_id": "idx-1", "file_id": "dfl-1"}
ASKED = {"query": "Was?"}
SETTINGS = DirectoryRetrievalSettings(**RETRIEVAL).to_body()

CALLS: list[Call] = [
    ("beta.directories.create", DIRECTORY, directories.create, [DirectoryOptions(**DIRECTORY)], {}),
    ("beta.directories.create", {"name": "x"}, directories.create, [DirectoryOptions(name="x")], {}),
    ("beta.directories.list", {}, directories.list_directories, [], {}),
    (
        "beta.directories.list",
        LISTED | {"type": "index", "types": ["user", "ephemeral"]},
        directories.list_directories,
        [],
        LISTED | {"type": "index", "types": ["user", "ephemeral"]},
    ),
    ("beta.directories.get", IN, directories.get, [ODD_ID], {}),
    ("beta.directories.update", IN | {"name": "y"}, directories.update, [ODD_ID], {"name": "y"}),
    ("beta.directories.update", IN | {"description": ""}, directories.update, [ODD_ID], {"description": ""}),
    ("beta.directories.delete", IN, directories.delete, [ODD_ID], {}),
    (
        "beta.directories.files.add",
        IN | FILE | {"file_id": "f-1"},
        directory_files.add,
        [ODD_ID, "f-1", DirectoryFileOptions(**FILE)],
        {},
    ),
    ("beta.directories.files.list", IN, directory_files.list_files, [ODD_ID], {}),
    ("beta.directories.files.list", IN | FILES, directory_files.list_files, [ODD_ID], FILES),
    ("beta.directories.files.get", OF, directory_files.get, ["dir-1", ODD_ID], {}),
    (
        "beta.directories.files.get",
        OF | {"expand": ["download_url"]},
        directory_files.get,
        ["dir-1", ODD_ID],
        {"expand": ["download_url"]},
    ),
    (
        "beta.directories.files.update",
        OF | FILE | {"target_directory_id": "dir-2"},
        directory_files.update,
        ["dir-1", ODD_ID, DirectoryFileOptions(**FILE)],
        {"target_directory_id": "dir-2"},
    ),
    ("beta.directories.files.delete", OF, directory_files.delete, ["dir-1", ODD_ID], {}),
    (
        "indexes.create",
        INDEX | {"source_directory_id": "dir-1"},
        indexes.create,
        ["dir-1", DirectoryIndexOptions(**INDEX)],
        {},
    ),
    ("indexes.create", {"source_directory_id": "dir-1"}, indexes.create, ["dir-1", DirectoryIndexOptions()], {}),
    ("indexes.list", {}, indexes.list_indexes, [], {}),
    (
        "indexes.list",
        {"source_directory_id": ODD_ID, "page_size": 2},
        indexes.list_indexes,
        [],
        {"source_directory_id": ODD_ID, "page_size": 2},
    ),
    ("indexes.get", {"index_id": ODD_ID}, indexes.get, [ODD_ID], {}),
    ("indexes.get", AT | {"expand": ["sync_in_progress"]}, indexes.get, ["idx-1"], {"sync_in_progress": True}),
    ("indexes.delete", AT, indexes.delete, ["idx-1"], {}),
    ("indexes.sync", AT, indexes.sync, ["idx-1"], {}),
    ("indexes.cancel_sync", AT, indexes.cancel_sync, ["idx-1"], {}),
    ("retrieval.retrieve", AT | ASKED, index_retrieval.retrieve, ["idx-1", "Was?"], {}),
    ("retrieval.retrieve", AT | ASKED | RETRIEVAL, index_retrieval.retrieve, ["idx-1", "Was?", SETTINGS], {}),
    ("retrieval.find", AT, index_retrieval.find, ["idx-1"], {}),
    ("retrieval.find", AT | FOUND, index_retrieval.find, ["idx-1"], FOUND),
    ("retrieval.grep", WHERE | {"pattern": "a|b"}, index_retrieval.grep, ["idx-1", "dfl-1", "a|b"], {}),
    (
        "retrieval.grep",
        WHERE | SEARCHED | {"pattern": r"\s"},
        index_retrieval.grep,
        ["idx-1", "dfl-1", r"\s"],
        SEARCHED,
    ),
    ("retrieval.read", WHERE, index_retrieval.read, ["idx-1", "dfl-1"], {}),
    (
        "retrieval.read",
        WHERE | {"offset": 0, "max_length": 9},
        index_retrieval.read,
        ["idx-1", "dfl-1"],
        {"offset": 0, "max_length": 9},
    ),
    ("beta.attachments.list", {"source_id": "dfl-1"}, attachments.list_attachments, ["dfl-1"], {}),
    (
        "beta.attachments.get",
        {"source_id": "dfl-1", "attachment_name": "screenshots/page_7.jpg"},
        attachments.get,
        ["dfl-1", "screenshots/page_7.jpg"],
        {},
    ),
]


@each_call(CALLS)
def test_calls_send_what_the_sdk_sends(recording_sdk: OfficialSdk, call: Call, scope: dict[str, str]) -> None:
    """Ensure that each endpoint function sends the SDK's request: method, path, query, body and authorisation."""
    compare(recording_sdk, call, scope)


def test_uploads_send_what_the_sdk_sends(recording_sdk: OfficialSdk, tmp_path: Path) -> None:
    """Ensure that an upload into a directory has the SDK's fields, file name, content type and content."""
    paper = tmp_path / "Jahresbericht & Größe.pdf"
    paper.write_bytes(b"%PDF-1.7\r\n--boundary\r\n\xff\x00")
    metadata = json.dumps(FILE["metadata"])
    arguments = IN | FILE | {"metadata": metadata, "external_file_id": "mine"} | SCOPE
    expected = recording_sdk.run(
        by_path, function="beta.directories.files.upload", path=str(paper), field="upload_file", arguments=arguments
    )
    sent = ours(
        _upload,
        paper,
        scoped=True,
    )
    assert sent == expected


async def _upload(connection: Any, source: Any) -> None:
    options = DirectoryFileOptions(**FILE)
    await directory_files.upload(connection, ODD_ID, source, options, external_file_id="mine")


SCOPED = {"organization_id", "project_id"}
MODELS: dict[str, tuple[type[BaseModel], set[str]]] = {
    "beta.directory_create_params.DirectoryCreateParams": (DirectoryOptions, SCOPED),
    "beta.directories.file_add_params.FileAddParams": (DirectoryFileOptions, SCOPED | {"file_id"}),
    "index_create_params.IndexCreateParams": (DirectoryIndexOptions, SCOPED | {"source_directory_id"}),
    "index_create_params.Product": (models.IndexProduct, set()),
    "retrieval_retrieve_params.RetrievalRetrieveParams": (DirectoryRetrievalSettings, SCOPED | {"index_id", "query"}),
    "retrieval_retrieve_params.CustomFiltersValueFilter": (models.CustomFilter, set()),
    "retrieval_retrieve_params.CustomFiltersUnionMember1": (models.RangeBound, set()),
    "retrieval_retrieve_params.Rerank": (models.DirectoryRerank, set()),
    "retrieval_retrieve_params.StaticFilters": (models.StaticFilters, set()),
    "retrieval_retrieve_params.StaticFiltersParsedDirectoryFileID": (models.StaticFilter, set()),
}
"""Our models by the SDK's types, each with those fields of the type that are arguments of the endpoint function."""

FROM_THE_GUIDE = {"DirectoryCreateParams": {"expires_at"}}
"""What the service's guide has, and the SDK has not."""


def _last(name: Any) -> str:
    return str(name).rpartition(".")[2]


def all_fields(client: Any, names: list[str]) -> dict[str, list[str]]:
    """The fields of the SDK's types."""
    import importlib

    import typing_extensions

    found = {}
    for name in names:
        module, _, kind = name.rpartition(".")
        group = getattr(importlib.import_module(f"llama_cloud.types.{module}"), kind)
        found[name] = sorted(typing_extensions.get_type_hints(group))
    return found


def test_models_have_the_sdks_fields(recording_sdk: OfficialSdk) -> None:
    """Ensure that each model has every field of the SDK's type, and no other but what the service's guide has."""
    theirs = recording_sdk.run(all_fields, names=list(MODELS))
    ours = {name: set(model.model_fields) for name, (model, _) in MODELS.items()}
    for name, (_, arguments) in MODELS.items():
        assert ours[name] == set(theirs[name]) - arguments | FROM_THE_GUIDE.get(_last(name), set()), name


def test_an_expiry_is_sent_as_the_guide_has_it(recording_sdk: OfficialSdk) -> None:
    """Ensure `expires_at`, which only the service's guide knows, travels beside what the SDK sends."""
    arguments = {"name": "invoice-batch", "type": "ephemeral"}
    extra = {"extra_body": {"expires_at": MOMENT.isoformat()}}
    expected = recording_sdk.run(recorded, function="beta.directories.create", arguments=arguments | extra, scope=SCOPE)
    assert ours(directories.create, DirectoryOptions(**arguments, expires_at=MOMENT), scoped=True) == expected
