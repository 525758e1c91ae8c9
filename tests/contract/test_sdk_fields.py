"""The request options of this package are those of the official SDK, none more and none less."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from llama_cloud_ext.parse.options import ParseOptions
from llama_cloud_ext.wire.models.parse_configuration import ParseConfiguration

HERE = Path(__file__).parent
BY_THE_READER = {"file_id", "source_url"}
"""Fields of the request that name the file, which the reader's callers pass to its methods."""


@pytest.fixture(scope="module")
def described(sdk_python: Path) -> dict[str, Any]:
    """What the installed SDK lets one send."""
    script = HERE / "describe_sdk.py"
    done = subprocess.run([str(sdk_python), str(script)], capture_output=True, check=True, timeout=60)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_the_committed_description_is_the_sdks(described: dict[str, Any]) -> None:
    """Ensure that the description which other tests read is what the SDK says."""
    committed = json.loads((HERE / "data" / "parse_create_fields.json").read_text())
    assert committed == described


def test_the_request_model_has_the_sdks_fields(described: dict[str, Any]) -> None:
    """Ensure that every field and group of a parse request exists here under the API's name, and no other."""
    assert differences(ParseConfiguration.model_json_schema(), described["fields"]) == []


def test_the_reader_offers_every_field(described: dict[str, Any]) -> None:
    """Ensure that every option of a parse request can be given to the reader."""
    assert set(described["fields"]) - BY_THE_READER <= set(ParseOptions.model_fields)


def differences(schema: dict[str, Any], fields: dict[str, Any]) -> list[str]:
    """Names that only one of a JSON schema and a description of the SDK has, as dotted paths."""
    definitions = schema.get("$defs", {})

    def compare(model: dict[str, Any], group: dict[str, Any], path: str) -> list[str]:
        properties = model.get("properties", {})
        found = [f"{path}{name} is the SDK's only" for name in group.keys() - properties.keys()]
        found += [f"{path}{name} is ours only" for name in properties.keys() - group.keys()]
        for name in group.keys() & properties.keys():
            inner = group[name]["group"]
            if inner is not None:
                found += compare(model_of(properties[name]), inner, f"{path}{name}.")
        return found

    def model_of(field: dict[str, Any]) -> dict[str, Any]:
        if "$ref" in field:
            model: dict[str, Any] = definitions[field["$ref"].rpartition("/")[2]]
            return model
        for inner in (*field.get("anyOf", []), *field.get("allOf", []), field.get("items")):
            if inner and (model := model_of(inner)):
                return model
        return {}

    return compare(schema, fields, "")
