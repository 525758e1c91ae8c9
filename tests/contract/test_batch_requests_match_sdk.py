"""What the endpoint functions of batches send is what the official SDK sends."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from llama_cloud_ext.wire import batches
from llama_cloud_ext.wire.models.batch import BatchOptions, BatchProduct
from llama_cloud_ext.wire.models.webhooks import WebhookConfiguration
from tests.contract.comparison import ODD_ID, Call, compare, each_call
from tests.contract.official_sdk import OfficialSdk
from tests.contract.test_index_sdk_fields import choices, described

MOMENT = datetime(2026, 11, 1, 12, 30, tzinfo=timezone.utc)
LISTED: dict[str, Any] = {
    "created_at_on_or_after": MOMENT,
    "created_at_on_or_before": MOMENT,
    "page_size": 7,
    "source_directory_id": "dir/ä",
    "status": "THROTTLED",
}
JOB = {"type": "extract_v2", "configuration_id": "cfg-ä"}
CREATED = {"source_directory_id": "dir-1", "config": {"job": JOB}}
OPTIONS = BatchOptions(source_directory_id="dir-1", product="extract_v2", configuration_id="cfg-ä")
WEBHOOK = {"webhook_url": "https://hook.example/", "webhook_events": ["batch.success"], "webhook_signing_secret": "s3"}
TOLD = OPTIONS.model_copy(
    update={"webhook_configurations": [WebhookConfiguration(**WEBHOOK)], "webhook_configuration_ids": ["whk-1"]}
)
TOLD_CREATED = CREATED | {"webhook_configurations": [WEBHOOK], "webhook_configuration_ids": ["whk-1"]}
AT = {"batch_id": ODD_ID}

CALLS: list[Call] = [
    ("batches.create", CREATED, batches.create, [OPTIONS], {}),
    ("batches.create", TOLD_CREATED, batches.create, [TOLD], {}),
    ("batches.list", {}, batches.list_batches, [], {}),
    ("batches.list", LISTED, batches.list_batches, [], LISTED),
    ("batches.get", AT, batches.get, [ODD_ID], {}),
    ("batches.get", AT | {"expand": ["results"]}, batches.get, [ODD_ID], {"expand": ["results"]}),
    ("batches.cancel", AT, batches.cancel, [ODD_ID], {}),
]


@each_call(CALLS)
def test_calls_send_what_the_sdk_sends(recording_sdk: OfficialSdk, call: Call, scope: dict[str, str]) -> None:
    """Ensure that each endpoint function sends the SDK's request: method, path, query, body and authorisation."""
    compare(recording_sdk, call, scope)


def test_a_create_has_no_field_that_is_not_known(recording_sdk: OfficialSdk) -> None:
    """Ensure that a field or a product which a newer SDK has is noticed."""
    create, job = "batch_create_params.BatchCreateParams", "batch_create_params.ConfigJob"
    theirs = recording_sdk.run(described, names=[create, job])
    assert set(theirs[create]["fields"]) == set(TOLD.to_body()) | {"organization_id", "project_id"}
    assert theirs[job]["fields"]["type"] == sorted(choices(BatchProduct))
