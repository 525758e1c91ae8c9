"""What the endpoint functions of batches send is what the official SDK sends."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import pytest

from llama_cloud_ext.wire import batches
from llama_cloud_ext.wire.models.batch import BatchOptions, BatchProduct
from llama_cloud_ext.wire.models.webhooks import WebhookConfiguration
from tests.contract.official_sdk import OfficialSdk
from tests.contract.test_index_requests_match_sdk import ODD_ID, Call, recorded
from tests.contract.test_index_sdk_fields import choices, described
from tests.contract.test_requests_match_sdk import SCOPE, ours

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


@pytest.mark.parametrize(
    ("function", "arguments", "own", "values", "options"),
    CALLS,
    ids=[f"{function}-{number}" for number, (function, *_) in enumerate(CALLS)],
)
@pytest.mark.parametrize("scoped", [False, True], ids=["unscoped", "scoped"])
def test_calls_send_what_the_sdk_sends(
    recording_sdk: OfficialSdk,
    function: str,
    arguments: dict[str, Any],
    own: Callable[..., Any],
    values: list[Any],
    options: dict[str, Any],
    scoped: bool,
) -> None:
    """Ensure that each endpoint function sends the SDK's request: method, path, query, body and authorisation."""
    scope = SCOPE if scoped else {}
    plain = json.loads(json.dumps(arguments, default=datetime.isoformat))
    expected = recording_sdk.run(recorded, function=function, arguments=plain, scope=scope)
    assert ours(own, *values, scoped=scoped, **options) == expected


def test_a_create_has_no_field_that_is_not_known(recording_sdk: OfficialSdk) -> None:
    """Ensure that a field or a product which a newer SDK has is noticed."""
    create, job = "batch_create_params.BatchCreateParams", "batch_create_params.ConfigJob"
    theirs = recording_sdk.run(described, names=[create, job])
    assert set(theirs[create]["fields"]) == set(TOLD.to_body()) | {"organization_id", "project_id"}
    assert theirs[job]["fields"]["type"] == sorted(choices(BatchProduct))
