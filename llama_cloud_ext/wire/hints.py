"""The next step for each error that the service documents, from its error reference, in our words.

Source of the facts: the error tables of the troubleshooting page at developers.llamaindex.ai. A message is matched by
its fixed parts, whatever the service fills in; a status that no message explains falls back on the status's own step.
"""

from __future__ import annotations

import re

__all__ = ["hint_for", "hint_for_job", "is_plan_limit"]

_UPGRADE = "upgrade the plan, or"

# (status, fixed part of the message as a regular expression, next step)
_MESSAGES: tuple[tuple[int, str, str], ...] = (
    # credits and plan
    (402, r"exceeded the maximum number of credits", f"Out of credits: {_UPGRADE} wait for the next billing cycle."),
    (402, r"no quota left to create a job", "Out of credits: upgrade the plan to create more jobs."),
    (402, r"total number of files would exceed", "Upgrade to a plan that allows more files, or delete some."),
    (429, r"maximum number of projects", f"The plan is full: {_UPGRADE} delete projects that are not used."),
    (429, r"maximum number of indexes", f"The plan is full: {_UPGRADE} delete indexes that are not used."),
    (429, r"maximum number of users", f"The plan is full: {_UPGRADE} remove members that are not active."),
    (429, r"maximum number of data sources", f"The plan is full: {_UPGRADE} remove data sources that are not used."),
    (429, r"maximum number of extraction agents", f"The plan is full: {_UPGRADE} delete agents that are not used."),
    (429, r"already reached the maximum number", f"The plan is full: {_UPGRADE} delete what is not used."),
    # files
    (400, r"uploaded file is empty", "Give a file that holds something."),
    (400, r"file must have a filename", 'Name the upload, e.g. extra_info={"file_name": "report.pdf"}.'),
    (400, r"file field is required for multipart", "Send the content as multipart/form-data in a field named 'file'."),
    (429, r"file upload limit is", "Upload more slowly: set requests_per_minute=, or fewer num_workers."),
    # parse
    (400, r"either file, input_url,? or input_s3_path", "Give an input: a file, a URL or an S3 path."),
    (400, r"file name exceeds the maximum length", "Shorten the file's name."),
    (400, r"parsing mode .* is not supported", "Choose a tier that exists today; the pricing page lists them."),
    (400, r"vendor multimodal model .* is not supported", "Choose one of the models that the message lists."),
    (
        400,
        r"markdown expansion is not available for fast",
        'The fast tier has no markdown: use tier="cost_effective" or above, or result_type="text".',
    ),
    (400, r"invalid json in webhook_configurations", "Correct the JSON of the webhook configuration."),
    (403, r"access denied to this parse configuration", "Use a saved configuration that this key's project owns."),
    (404, r"parse job not found", "Check the job id and the project; deleted and expired jobs are gone for good."),
    (404, r"result not found", "The job has not finished: wait until its status is COMPLETED, then ask again."),
    (404, r"source file not found in storage", "Upload the file again: originals are kept for 48 hours."),
    # extract
    (400, r"schema_validation", "Make the schema smaller: see the limits in the schema design guide."),
    (400, r"inputs_invalid: parse job .* is not completed", "Wait for the parse job to complete, then extract."),
    (400, r"inputs_invalid", "Check the file id, the parse job id and the other inputs."),
    (413, r"file size exceeds .*mb limit", "Extraction takes only smaller files: split it, or compress its images."),
    (400, r"agent name must have at least some alphanumeric", "Put letters or digits into the agent's name."),
    (400, r"cannot delete the default extraction agent", "Leave the default agent: the service itself owns it."),
    (403, r"access denied to the specified file", "Upload the file to this project: it belongs to another one."),
    (404, r"extraction agent .* not found", "Check the agent's name, and that this key may see it."),
    (422, r"engine_error", "Simplify the schema, or try another tier or mode."),
    (422, r"llm_refusal", "The model refused the content: check it against the content policy."),
    (429, r"resources exhausted", "Too many jobs run at once: wait for some to finish, or lower num_workers."),
    # classify
    (400, r"file id .* is not in project", "Use a file of the project that the request names in project_id=."),
    (
        400,
        r"parse job id .* is not in project",
        "Use a parse job of the project that the request names in project_id=.",
    ),
    (400, r"invalid classify configuration", "Correct the parameters that the message names."),
    (404, r"classify job not found", "Check the job id: the job may have been deleted."),
    (404, r"classify configuration .* not found", "Name a saved configuration that exists, or give the rules inline."),
    (429, r"classify job creations per minute", "Create classify jobs more slowly: wait a minute."),
    (503, r"classify endpoints are currently unavailable", "Classify is down for a while: try again later."),
    # split
    (400, r"only file_id document inputs are supported", "Upload the file first and give its file id."),
    (400, r"unsupported file type", "Give a file type that the message lists: convert the file first."),
    (400, r"file size \(.*\) exceeds the maximum", "Send a file under the limit: split it, or compress its images."),
    (400, r"split configuration .* has no categories", "Add a category to the split configuration."),
    (404, r"file .* not found in project", "Check the file id, and that project_id= is the file's project."),
    (404, r"split job not found", "Check the job id: the job may have been deleted."),
)

_STATUSES = {
    400: "Check the request's options against what the message says.",
    402: "Credits or quota are used up: see Settings > Billing > Usage in the dashboard.",
    403: "The resource may belong to another project or organization, the project be disabled, or the role too weak: "
    "check project_id=, and ask an administrator. Own deployments: check the OIDC audience and scopes.",
    404: "Check the id and the project; jobs and files may have been deleted or have expired.",
    408: "Try again; for large files use a faster connection or a longer timeout=.",
    409: "It exists already, or was changed at the same time: fetch it and try again.",
    413: "Send a smaller file: split it, or compress its images.",
    422: "Correct the values that the message names.",
    429: "Slow down: set requests_per_minute= (free plans allow 20), lower num_workers, or submit in a batch.",
    500: "Try again later; if it stays, send the correlation id to support.",
    502: "The service's backend is away for a moment: try again shortly.",
    503: "The service is overloaded or under maintenance: try again later and see its status page.",
    504: "The service's backend took too long: try again shortly.",
}

_JOB_FAILURES = {
    "UNSUPPORTED_FILE_TYPE": "Convert the file to a supported type, and check that its suffix tells the truth.",
    "PDF_IS_PROTECTED": "Remove the password or DRM protection, then parse the file again.",
    "PDF_IS_BROKEN": "Export the PDF anew from the program that made it.",
    "NO_DATA_FOUND_IN_FILE": "Check that the file is not blank and has the pages that were asked for; "
    "pages that are only images need OCR.",
    "DOCUMENT_TOO_LARGE": "Make the file smaller, or parse it in parts with target_pages=.",
    "TOO_MANY_PAGES": "Parse it in parts with target_pages=.",
    "TIMEOUT": "Use a faster tier, fewer pages (target_pages=), or smaller files; or raise the limit in "
    "processing_control.timeouts.",
}

_COMPILED = tuple((status, re.compile(pattern, re.IGNORECASE | re.DOTALL), hint) for status, pattern, hint in _MESSAGES)
_PLAN_LIMIT = re.compile(r"already\s+reached\s+the\s+maximum\s+number\s+of", re.IGNORECASE)
# Error texts may be whole HTML pages; what identifies one stands at its beginning.
_LOOKED_AT = 2_000


def hint_for(status: int, detail: str = "", *, host: str | None = None) -> str | None:
    """The next step for an error answer.

    Args:
        status: HTTP status.
        detail: The service's message.
        host: The host that was asked, which the step for a 401 names.

    Returns:
        One or two sentences, or None where nothing is known about the status.

    Example:
        >>> hint_for(400, "Uploaded file is empty.")
        'Give a file that holds something.'
    """
    if status == 401:
        return (
            f"Check the API key for {host or 'this host'}: it is missing, wrong or revoked, or it belongs to the other "
            'region (keys work in one region only: set region="na", region="eu" or base_url=), or to another project.'
        )
    text = detail[:_LOOKED_AT]
    for known_status, pattern, hint in _COMPILED:
        if known_status == status and pattern.search(text):
            return hint
    return _STATUSES.get(status) or (_STATUSES[500] if status >= 500 else None)


def hint_for_job(code: str | None) -> str | None:
    """The next step for a job's failure code.

    Args:
        code: E.g. ``"PDF_IS_PROTECTED"``, in any case; None where the job named none.

    Returns:
        One sentence, or None for a code that is not documented.

    Example:
        >>> hint_for_job("PDF_IS_BROKEN")
        'Export the PDF anew from the program that made it.'
    """
    return _JOB_FAILURES.get(code.strip().upper()) if code else None


def is_plan_limit(detail: str) -> bool:
    """Whether a 429's message speaks of a limit of the plan, which waiting does not lift.

    Args:
        detail: The service's message.

    Example:
        >>> is_plan_limit("You've already reached the maximum number of projects.")
        True
    """
    return _PLAN_LIMIT.search(detail[:_LOOKED_AT]) is not None
