"""What an extraction can be told has the official SDK's fields and choices, none more and none less."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from llama_cloud_ext import ExtractConfig
from llama_cloud_ext.wire.models.extract_configuration import ExtractConfiguration
from llama_cloud_ext.wire.models.webhooks import WebhookConfiguration
from tests.contract.official_sdk import OfficialSdk
from tests.contract.test_index_sdk_fields import choices, described

CONFIGURATION = "extract_configuration_param.ExtractConfigurationParam"
PARAMETERS = "extract_v2_parameters_param.ExtractV2ParametersParam"
CREATE = "extract_create_params.ExtractCreateParams"
WEBHOOK = "extract_create_params.WebhookConfiguration"
MODELS: dict[str, type[BaseModel]] = {CONFIGURATION: ExtractConfiguration, PARAMETERS: ExtractConfiguration}
OF_THE_PRODUCT = {"product_type"}
"""What stands in the parameters of a saved configuration only."""
EVENTS_OF_OTHER_PRODUCTS = ("classify.", "sheets.", "split.", "unmapped_event", "verify.")
SENT = {
    "configuration",
    "configuration_id",
    "file_input",
    "organization_id",
    "project_id",
    "webhook_configuration_ids",
    "webhook_configurations",
}
"""What the extractor sends, compared in test_extract_requests_match_sdk.py."""


@pytest.fixture(scope="module")
def sdk_types(recording_sdk: OfficialSdk) -> dict[str, Any]:
    """What the installed SDK says of its types."""
    answer: dict[str, Any] = recording_sdk.run(described, names=[*MODELS, CREATE, WEBHOOK])
    return answer


@pytest.mark.parametrize("name", MODELS, ids=lambda name: str(name).partition(".")[2])
def test_the_configuration_has_the_sdks_fields_and_choices(sdk_types: dict[str, Any], name: str) -> None:
    """Ensure that a job's and a saved configuration have every field of the SDK's, with the same choices."""
    theirs = {field: values for field, values in sdk_types[name]["fields"].items() if field not in OF_THE_PRODUCT}
    assert {field: sorted(choices(info.annotation)) for field, info in MODELS[name].model_fields.items()} == theirs


def test_the_configuration_wants_what_the_sdk_wants(sdk_types: dict[str, Any]) -> None:
    """Ensure that what must be there for the SDK, and nothing else, must be there here."""
    wanted = [name for name, field in ExtractConfiguration.model_fields.items() if field.is_required()]
    assert sdk_types[CONFIGURATION]["required"] == wanted == ["data_schema"]


def test_the_config_offers_every_setting(sdk_types: dict[str, Any]) -> None:
    """Ensure that users can give every field but the schema, which is an argument of its own."""
    assert set(ExtractConfig.model_fields) == set(sdk_types[CONFIGURATION]["fields"]) - {"data_schema"}


def test_a_create_has_no_field_that_is_not_sent(sdk_types: dict[str, Any]) -> None:
    """Ensure that a field which a newer SDK sends with a create is noticed."""
    assert set(sdk_types[CREATE]["fields"]) == SENT


def test_webhooks_have_the_sdks_fields_and_events(sdk_types: dict[str, Any]) -> None:
    """Ensure that webhooks of an extraction can be told of every event that extractions and parse jobs have."""
    theirs = sdk_types[WEBHOOK]["fields"]
    ours = {field: choices(info.annotation) for field, info in WebhookConfiguration.model_fields.items()}
    assert set(ours) == set(theirs)
    events = [event for event in theirs["webhook_events"] if not event.startswith(EVENTS_OF_OTHER_PRODUCTS)]
    assert sorted(ours["webhook_events"]) == events
