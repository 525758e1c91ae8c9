"""Every documented message, status and job failure code has its next step."""

from __future__ import annotations

import pytest

from llama_cloud_ext.wire.hints import hint_for, hint_for_job, is_plan_limit

# (status, message as the service's error reference gives it with its blanks filled in, words the next step must hold)
MESSAGES = [
    (402, "You've exceeded the maximum number of credits for your plan.", ("upgrade", "billing cycle")),
    (402, "No quota left to create a job", ("credits", "upgrade")),
    (402, "The total number of files would exceed the maximum allowed (100) for your plan.", ("upgrade", "files")),
    (429, "You've already reached the maximum number of projects (1).", ("upgrade", "projects")),
    (429, "You've already reached the maximum number of indexes (5).", ("upgrade", "indexes")),
    (429, "You've already reached the maximum number of users (2).", ("upgrade", "members")),
    (429, "You've already reached the maximum number of data sources (3).", ("upgrade", "data sources")),
    (429, "You've already reached the maximum number of extraction agents (9).", ("upgrade", "agents")),
    (429, "You've already reached the maximum number of webhooks (9).", ("upgrade",)),
    (400, "Uploaded file is empty.", ("file", "holds something")),
    (400, "File must have a filename.", ("name", "file_name")),
    (400, "file field is required for multipart requests.", ("multipart/form-data", "'file'")),
    (429, "Rate limit exceeded. The file upload limit is 10 requests per second.", ("slowly", "requests_per_minute")),
    (400, "Either file, input_url, or input_s3_path must be provided.", ("file", "URL", "S3")),
    (400, "File name exceeds the maximum length of 255 characters", ("shorten", "name")),
    (400, "Parsing mode 'warp' is not supported.", ("tier",)),
    (400, "Vendor multimodal model 'gpt-0' is not supported.", ("models", "message")),
    (400, "Markdown expansion is not available for FAST tier jobs.", ("cost_effective", 'result_type="text"')),
    (400, "Invalid JSON in webhook_configurations: Expecting value", ("JSON", "webhook")),
    (403, "Access denied to this parse configuration", ("configuration",)),
    (404, "Parse job not found", ("job id",)),
    (404, "Result not found. Check job status to see if it has completed.", ("not finished", "wait")),
    (404, "Source file not found in storage", ("48 hours", "again")),
    (400, "schema_validation: too many properties", ("schema", "limits")),
    (400, "inputs_invalid: no such file", ("file id", "parse job id")),
    (400, "inputs_invalid: Parse job pjb-1 is not completed (status: PENDING)", ("wait", "parse job")),
    (413, "File size exceeds 100MB limit.", ("smaller",)),
    (400, "Extraction agent name must have at least some alphanumeric characters.", ("letters or digits",)),
    (400, "Cannot delete the default extraction agent.", ("default",)),
    (403, "Access denied to the specified file.", ("project",)),
    (404, "Extraction agent 'x' not found or user does not have access.", ("name", "key")),
    (422, "engine_error: no output", ("schema", "mode")),
    (422, "llm_refusal", ("content policy",)),
    (429, "Resources exhausted. Please wait for existing jobs to complete.", ("wait", "num_workers")),
    (400, "File ID f-1 is not in Project ID p-1", ("file", "project_id")),
    (400, "Parse Job ID j-1 is not in Project ID p-1", ("parse job", "project_id")),
    (400, "Invalid classify configuration parameters for rules: too short", ("parameters", "message")),
    (404, "Classify job not found", ("job id",)),
    (404, "Classify configuration c-1 not found", ("configuration",)),
    (429, "Rate limit exceeded. Maximum 30 classify job creations per minute.", ("wait", "classify")),
    (503, "Classify endpoints are currently unavailable.", ("again later",)),
    (400, "Only file_id document inputs are supported for split jobs.", ("upload", "file id")),
    (400, "Unsupported file type: .odt. Supported file types are .pdf, .doc, .docx, .ppt, .pptx", ("convert",)),
    (400, "File size (130.2 MB) exceeds the maximum allowed size of 100 MB.", ("under the limit",)),
    (400, "Split configuration c-1 has no categories", ("category",)),
    (404, "File f-1 not found in project p-1", ("file id", "project")),
    (404, "Split job not found", ("job id",)),
]

STATUSES = [
    (400, ("options",)),
    (401, ("API key",)),
    (402, ("Billing", "Usage")),
    (403, ("project", "role", "OIDC")),
    (404, ("id", "deleted", "expired")),
    (408, ("timeout",)),
    (409, ("exists", "same time")),
    (413, ("smaller",)),
    (422, ("values",)),
    (429, ("requests_per_minute", "20", "batch")),
    (500, ("correlation id", "support")),
    (502, ("shortly",)),
    (503, ("maintenance", "status page")),
    (504, ("shortly",)),
    (599, ("support",)),
]

JOB_FAILURES = [
    ("UNSUPPORTED_FILE_TYPE", ("supported type",)),
    ("PDF_IS_PROTECTED", ("password",)),
    ("PDF_IS_BROKEN", ("export",)),
    ("NO_DATA_FOUND_IN_FILE", ("blank", "OCR")),
    ("DOCUMENT_TOO_LARGE", ("smaller", "target_pages")),
    ("TOO_MANY_PAGES", ("target_pages",)),
    ("TIMEOUT", ("faster tier", "target_pages", "smaller")),
]


@pytest.mark.parametrize(("status", "message", "words"), MESSAGES, ids=[message[:40] for _, message, _ in MESSAGES])
def test_messages(status: int, message: str, words: tuple[str, ...]) -> None:
    """Ensure each documented message has a step of its own that says what to do."""
    hint = hint_for(status, message)
    assert hint is not None
    assert hint != hint_for(status)
    for word in words:
        assert word.lower() in hint.lower()
    assert hint_for(status, message.upper()) == hint


@pytest.mark.parametrize(("status", "words"), STATUSES)
def test_statuses(status: int, words: tuple[str, ...]) -> None:
    """Ensure a status whose message explains nothing still has a step."""
    hint = hint_for(status, "something unheard of")
    assert hint is not None
    for word in words:
        assert word in hint


@pytest.mark.parametrize(("code", "words"), JOB_FAILURES)
def test_job_failures(code: str, words: tuple[str, ...]) -> None:
    """Ensure each documented failure code of a job has its step, in any case."""
    hint = hint_for_job(code)
    assert hint is not None
    for word in words:
        assert word.lower() in hint.lower()
    assert hint_for_job(f" {code.lower()} ") == hint


def test_a_message_counts_for_its_status_alone() -> None:
    """Ensure a message that stands in an answer of another status does not mislead."""
    assert hint_for(500, "Parse job not found") == hint_for(500)


def test_refused_keys_name_the_host_and_the_region_trap() -> None:
    """Ensure a 401 names the host that was asked and says that keys belong to one region."""
    hint = hint_for(401, "Invalid API Key", host="api.cloud.eu.llamaindex.ai") or ""
    assert "api.cloud.eu.llamaindex.ai" in hint
    assert 'region="na"' in hint
    assert 'region="eu"' in hint


def test_unknown() -> None:
    """Ensure nothing is invented for what is not known."""
    assert hint_for(418, "teapot") is None
    assert hint_for_job("NEW_CODE") is None
    assert hint_for_job(None) is None


def test_plan_limits() -> None:
    """Ensure limits of a plan are recognised by their fixed words, and rates are not."""
    for status, message, _ in MESSAGES:
        assert is_plan_limit(message) == (status == 429 and "already reached" in message)
