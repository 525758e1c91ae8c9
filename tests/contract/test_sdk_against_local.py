"""The official SDK, refusing every answer that its models do not describe, parses real files with local LlamaCloud."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.contract.official_sdk import OfficialSdk
from tests.contract.served_cloud import ServedCloud

EXPANDED_FIELDS = {
    "text": "text",
    "markdown": "markdown",
    "items": "items",
    "metadata": "metadata",
    "job_metadata": "job_metadata",
    "text_full": "text_full",
    "markdown_full": "markdown_full",
    "images_content_metadata": "images_content_metadata",
}
RESULT_FILES = [
    "text_content_metadata",
    "markdown_content_metadata",
    "items_content_metadata",
    "metadata_content_metadata",
    "raw_words_content_metadata",
    "text_full_content_metadata",
    "markdown_full_content_metadata",
    "xlsx_content_metadata",
    "output_pdf_content_metadata",
]


def upload_and_parse(client: Any, path: str, **options: Any) -> str:
    """Parse a file to its end; its job's id."""
    from pathlib import Path

    job = client.parsing.create(upload_file=Path(path), **{"tier": "agentic", "version": "latest", **options})
    return client.parsing.wait_for_completion(job.id, polling_interval=0.05, backoff="constant", timeout=60).id


def get(client: Any, job_id: str, **options: Any) -> dict[str, Any]:
    """A job with the parts asked for, as JSON."""
    return client.parsing.get(job_id, **options).to_dict(mode="json")


def refusal(client: Any, function: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """The status, the SDK's error class and the body of a call that is refused."""
    import operator

    from llama_cloud import APIStatusError

    try:
        answer = operator.attrgetter(function)(client)(**arguments)
    except APIStatusError as error:
        return {"status": error.status_code, "kind": type(error).__name__, "body": error.body}
    raise AssertionError(f"not refused: {answer!r}")


def download(url: str) -> httpx.Response:
    """Fetch a presigned URL without any credentials."""
    return httpx.get(url, timeout=10)


@pytest.fixture(scope="module")
def tables_pdf(data_dir: Path) -> str:
    """A real PDF of three pages with tables."""
    return str(data_dir / "r-datasets-tables.pdf")


@pytest.fixture(scope="module")
def job_id(sdk: OfficialSdk, data_dir: Path) -> str:
    """A finished job with images, an output PDF and a spreadsheet of its tables."""
    options = {
        "images_to_save": ["screenshot", "embedded"],
        "tables_as_spreadsheet": {"enable": True},
        "save_output_pdf": True,
        "additional_outputs": ["word_bbox", "stripped_md", "concatenated_stripped_txt"],
        "granular_bboxes": ["word", "line", "cell"],
    }
    path = data_dir / "table-and-pictures.pdf"
    return str(sdk.run(upload_and_parse, path=str(path), output_options=options))


def test_parse_end_to_end_by_upload(sdk: OfficialSdk, tables_pdf: str) -> None:
    """Ensure that upload, wait and result work in one call of the SDK."""

    def journey(client: Any, path: str) -> dict[str, Any]:
        from pathlib import Path

        result = client.parsing.parse(
            upload_file=Path(path),
            tier="agentic",
            version="latest",
            expand=["text", "markdown", "items", "metadata", "job_metadata"],
            polling_interval=0.05,
        )
        return result.to_dict(mode="json")

    result = sdk.run(journey, path=tables_pdf)
    assert result["job"]["status"] == "COMPLETED"
    assert result["job"]["tier"] == "agentic"
    for part in ("text", "markdown", "items", "metadata"):
        assert [page["page_number"] for page in result[part]["pages"]] == [1, 2, 3]
    assert "Mazda RX4" in result["text"]["pages"][0]["text"]
    assert "|" in result["markdown"]["pages"][0]["markdown"]
    tables = [item for page in result["items"]["pages"] for item in page["items"] if item["type"] == "table"]
    assert any("Mazda RX4" in str(table["rows"]) for table in tables)


def test_parse_by_file_id_with_the_async_client(sdk: OfficialSdk, tables_pdf: str) -> None:
    """Ensure that an uploaded file can be parsed by its id, with everything awaited."""

    async def journey(client: Any, path: str) -> dict[str, Any]:
        from pathlib import Path

        file = await client.files.create(file=Path(path), purpose="parse")
        job = await client.parsing.create(
            file_id=file.id, tier="cost_effective", version="latest", user_metadata={"team": "tables"}
        )
        done = await client.parsing.wait_for_completion(job.id, polling_interval=0.05)
        result = await client.parsing.get(job.id, expand=["markdown_full", "usage"])
        listed = [found.id async for found in client.parsing.list(job_ids=[job.id])]
        parsed = await client.parsing.parse(
            file_id=file.id, tier="fast", version="latest", expand=["text"], polling_interval=0.05
        )
        versions = await client.parsing.list_versions()
        return {
            "created": job.to_dict(mode="json"),
            "done": done.status,
            "result": result.to_dict(mode="json"),
            "listed": listed == [job.id],
            "pages": len(parsed.text.pages),
            "tiers": sorted(versions.latest.to_dict()),
        }

    answer = sdk.run(journey, path=tables_pdf)
    assert answer["created"]["user_metadata"] == {"team": "tables"}
    assert (answer["created"]["tier"], answer["done"], answer["listed"]) == ("cost_effective", "COMPLETED", True)
    assert answer["result"]["job"]["user_metadata"] == {"team": "tables"}
    assert "Mazda RX4" in answer["result"]["markdown_full"]
    assert answer["pages"] == 3
    assert answer["tiers"] == ["agentic", "agentic_plus", "cost_effective", "fast"]


@pytest.mark.parametrize("expand", sorted(EXPANDED_FIELDS))
def test_each_expand_value_gives_its_part_alone(sdk: OfficialSdk, job_id: str, expand: str) -> None:
    """Ensure that an `expand` value adds its own part and no other."""
    result = sdk.run(get, job_id=job_id, expand=[expand])
    parts = {name for name, value in result.items() if value is not None} - {"job"}
    assert parts == {EXPANDED_FIELDS[expand]}
    assert result[EXPANDED_FIELDS[expand]]


@pytest.mark.parametrize("expand", RESULT_FILES)
def test_each_result_file_can_be_downloaded(sdk: OfficialSdk, job_id: str, expand: str) -> None:
    """Ensure that presigned URLs of result files work without credentials and that their size is as told."""
    result = sdk.run(get, job_id=job_id, expand=[expand])
    files = result["result_content_metadata"]
    assert set(files) - {"grounded_items"}
    for metadata in files.values():
        assert metadata["exists"]
        assert len(download(metadata["presigned_url"]).content) == metadata["size_bytes"] > 0


def test_no_expand_gives_the_job_alone_and_several_may_share_a_string(sdk: OfficialSdk, job_id: str) -> None:
    """Ensure that parts come only when asked for, by repeated or comma-separated values."""
    assert {name for name, value in sdk.run(get, job_id=job_id).items() if value is not None} == {"job"}
    result = sdk.run(get, job_id=job_id, expand=["text,markdown"])
    assert {name for name, value in result.items() if value is not None} == {"job", "text", "markdown"}


def test_parts_that_may_be_absent_load(sdk: OfficialSdk, job_id: str) -> None:
    """Ensure that parts which a local result need not have are accepted, and say so if they do not exist."""
    files = ["forms_content_metadata", "stripped_markdown_content_metadata"]
    result = sdk.run(get, job_id=job_id, expand=["forms", "usage", *files])
    assert result["job"]["usage"]
    for metadata in result["result_content_metadata"].values():
        assert metadata["exists"] == bool(metadata["presigned_url"])


def test_images_are_listed_filtered_and_downloaded(sdk: OfficialSdk, job_id: str) -> None:
    """Ensure that screenshots and embedded images come with names, types and working URLs."""
    listed = sdk.run(get, job_id=job_id, expand=["images_content_metadata"])["images_content_metadata"]
    images = listed["images"]
    assert listed["total_count"] == len(images)
    assert {image["category"] for image in images} == {"screenshot", "embedded"}
    for image in images:
        answer = download(image["presigned_url"])
        assert answer.headers["content-type"] == image["content_type"]
        assert answer.content.startswith((b"\x89PNG", b"\xff\xd8"))
    one = images[0]["filename"]
    filtered = sdk.run(get, job_id=job_id, expand=["images_content_metadata"], image_filenames=one)
    assert [image["filename"] for image in filtered["images_content_metadata"]["images"]] == [one]


def test_a_tampered_download_url_is_refused(sdk: OfficialSdk, job_id: str) -> None:
    """Ensure that a presigned URL gives only what it was signed for."""
    result = sdk.run(get, job_id=job_id, expand=["text_full_content_metadata"])
    url = result["result_content_metadata"]["text_full"]["presigned_url"]
    assert download(url).status_code == 200
    assert download(url.replace("expires=", "expires=9")).status_code == 403


def test_page_ranges(sdk: OfficialSdk, tables_pdf: str) -> None:
    """Ensure that target pages keep their own numbers and that a limit on pages is one."""

    def journey(client: Any, path: str, page_ranges: dict[str, Any]) -> list[int]:
        from pathlib import Path

        result = client.parsing.parse(
            upload_file=Path(path),
            tier="agentic",
            version="latest",
            page_ranges=page_ranges,
            expand=["markdown"],
            polling_interval=0.05,
        )
        return [page.page_number for page in result.markdown.pages]

    assert sdk.run(journey, path=tables_pdf, page_ranges={"target_pages": "1,3"}) == [1, 3]
    assert sdk.run(journey, path=tables_pdf, page_ranges={"max_pages": 2}) == [1, 2]


def test_listing_filters_and_pages(sdk: OfficialSdk, tables_pdf: str) -> None:
    """Ensure that jobs can be listed by id, state and time, over several pages."""

    def journey(client: Any, path: str) -> dict[str, Any]:
        from datetime import datetime, timedelta, timezone
        from pathlib import Path

        file = client.files.create(file=Path(path), purpose="parse")
        made = [client.parsing.create(file_id=file.id, tier="fast", version="latest") for _ in range(5)]
        for job in made:
            client.parsing.wait_for_completion(job.id, polling_interval=0.05)
        ids = {job.id for job in made}

        def found(**filters: Any) -> int:
            return len({job.id for job in client.parsing.list(**filters)} & ids)

        middle = sorted(job.created_at for job in made)[2]
        soon = datetime.now(timezone.utc) + timedelta(hours=1)
        first = client.parsing.list(job_ids=sorted(ids), page_size=2)
        second = client.parsing.list(job_ids=sorted(ids), page_size=2, page_token=first.next_page_token)
        return {
            "by id": len(list(client.parsing.list(job_ids=sorted(ids)[:3]))),
            "auto-paged": found(page_size=2),
            "first two pages": len({job.id for job in first.items} | {job.id for job in second.items}),
            "completed": found(status="COMPLETED"),
            "failed": found(status="FAILED"),
            "cancelled by id": len(list(client.parsing.list(status="CANCELLED", job_ids=sorted(ids)))),
            "later": found(created_at_on_or_after=middle),
            "earlier": found(created_at_on_or_before=middle.isoformat()),
            "in the future": found(created_at_on_or_after=soon),
        }

    assert sdk.run(journey, path=tables_pdf) == {
        "by id": 3,
        "auto-paged": 5,
        "first two pages": 4,
        "completed": 5,
        "failed": 0,
        "cancelled by id": 0,
        "later": 3,
        "earlier": 3,
        "in the future": 0,
    }


@pytest.fixture(scope="module")
def slow_sdk(sdk_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OfficialSdk]:
    """The SDK before a cloud whose jobs take a second longer and whose download URLs live for two."""
    simulated = ["--simulate", "latency=1", "--simulate", "download_seconds=2"]
    with ServedCloud(tmp_path_factory.mktemp("slow") / "data", *simulated) as cloud:
        official = OfficialSdk(sdk_python, cloud.base_url)
        yield official
        official.close()


def test_cancel_and_delete(slow_sdk: OfficialSdk, tables_pdf: str) -> None:
    """Ensure that a job can be cancelled, that a deleted one is gone, and that the answers say which job it was."""

    def journey(client: Any, path: str) -> dict[str, Any]:
        from pathlib import Path

        from llama_cloud import NotFoundError

        job = client.parsing.create(upload_file=Path(path), tier="agentic", version="latest")
        cancelled = client.parsing.cancel(job.id)
        ended = client.parsing.get(job.id).job
        listed = [found.id for found in client.parsing.list(status="CANCELLED")]
        deleted = client.parsing.delete(job.id)
        try:
            client.parsing.get(job.id)
            gone = False
        except NotFoundError:
            gone = True
        return {
            "same job": cancelled.id == deleted.id == job.id and deleted.project_id == job.project_id,
            "states": [job.status in ("PENDING", "RUNNING"), cancelled.status, ended.status],
            "listed": listed == [job.id],
            "gone": gone,
        }

    answer = slow_sdk.run(journey, path=tables_pdf)
    states = [True, "CANCELLED", "CANCELLED"]
    assert answer == {"same job": True, "states": states, "listed": True, "gone": True}


def test_result_urls_expire_and_can_be_had_anew(slow_sdk: OfficialSdk, tables_pdf: str) -> None:
    """Ensure that a result's download URL is refused after its time, and that asking again gives one that works."""
    job = slow_sdk.run(upload_and_parse, path=tables_pdf)

    def url() -> str:
        result = slow_sdk.run(get, job_id=job, expand=["markdown_full_content_metadata"])
        return str(result["result_content_metadata"]["markdown_full"]["presigned_url"])

    first = url()
    assert download(first).status_code == 200
    time.sleep(2.1)
    assert download(first).status_code == 403
    assert download(url()).status_code == 200


def test_versions(sdk: OfficialSdk) -> None:
    """Ensure that each tier's latest version is one of its versions."""

    def journey(client: Any) -> dict[str, Any]:
        return client.parsing.list_versions().to_dict()

    versions = sdk.run(journey)
    for tier, latest in versions["latest"].items():
        assert latest in versions[tier]


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("truncated.pdf", "PDF_IS_BROKEN"),
        ("password-protected.pdf", "PDF_IS_PROTECTED"),
        ("page-of-text.png", "NO_DATA_FOUND_IN_FILE"),
        ("unknown.xyz", "UNSUPPORTED_FILE_TYPE"),
    ],
)
def test_failed_jobs_give_their_reason(sdk: OfficialSdk, data_dir: Path, tmp_path: Path, name: str, code: str) -> None:
    """Ensure that the SDK's error for a failed job carries the reason from the service's error reference."""

    def journey(client: Any, path: str) -> str:
        from pathlib import Path

        from llama_cloud._polling import PollingError

        job = client.parsing.create(upload_file=Path(path), tier="agentic", version="latest")
        try:
            client.parsing.wait_for_completion(job.id, polling_interval=0.05)
        except PollingError as error:
            return str(error)
        return "did not fail"

    (tmp_path / "unknown.xyz").write_bytes(b"\x00\x01\x02 nothing that anybody knows \xff" * 50)
    path = data_dir / name if (data_dir / name).exists() else tmp_path / name
    message = sdk.run(journey, path=str(path))
    assert "failed with status: FAILED" in message
    assert code in message


UNKNOWN = "pjb-00000000-0000-4000-8000-00000000dead"
REFUSALS = [
    ("parsing.get", {"job_id": UNKNOWN}, 404, "NotFoundError", "Parse job not found"),
    ("parsing.cancel", {"job_id": UNKNOWN}, 404, "NotFoundError", "Parse job not found"),
    ("parsing.delete", {"job_id": UNKNOWN}, 404, "NotFoundError", "Parse job not found"),
    (
        "parsing.create",
        {"tier": "invalid_tier", "version": "latest", "source_url": "https://example.com/a.pdf"},
        422,
        "UnprocessableEntityError",
        "Unsupported tier: invalid_tier. Must be one of: fast, cost_effective, agentic, agentic_plus",
    ),
    (
        "parsing.create",
        {"tier": "agentic", "version": "1999-01-01", "file_id": "x"},
        422,
        "UnprocessableEntityError",
        "version",
    ),
    ("parsing.create", {"tier": "agentic", "version": "latest"}, (400, 422), None, "provided"),
    ("parsing.create", {"tier": "agentic", "version": "latest", "file_id": "no-such"}, (400, 404), None, "file"),
    (
        "parsing.create",
        {
            "tier": "agentic",
            "version": "latest",
            "source_url": "https://example.com/a.pdf",
            "page_ranges": {"max_pages": "x"},
        },
        422,
        "UnprocessableEntityError",
        "max_pages",
    ),
    ("files.retrieve", {"file_id": UNKNOWN}, 404, "NotFoundError", "not found"),
    ("files.content", {"file_id": UNKNOWN}, 404, "NotFoundError", "not found"),
    ("files.list", {"order_by": "name desc"}, (400, 422), None, "order_by"),
    ("projects.get", {"project_id": UNKNOWN}, 404, "NotFoundError", "not found"),
]


@pytest.mark.parametrize(("function", "arguments", "status", "kind", "message"), REFUSALS)
def test_refusals(
    sdk: OfficialSdk,
    function: str,
    arguments: dict[str, Any],
    status: int | tuple[int, ...],
    kind: str | None,
    message: str,
) -> None:
    """Ensure that wrong calls are refused with the status and the words of the service, as the SDK's own errors."""
    answer = sdk.run(refusal, function=function, arguments=arguments)
    assert answer["status"] in (status if isinstance(status, tuple) else (status,))
    assert kind is None or answer["kind"] == kind
    assert message.lower() in str(answer["body"]).lower()
    if answer["status"] == 422:
        assert all({"type", "loc", "msg"} <= set(problem) for problem in answer["body"]["detail"])


def test_the_fast_tier_has_no_markdown(sdk: OfficialSdk, tables_pdf: str) -> None:
    """Ensure that asking a fast job for markdown is refused as the service refuses it."""
    fast = sdk.run(upload_and_parse, path=tables_pdf, tier="fast")
    arguments = {"job_id": fast, "expand": ["markdown"]}
    answer = sdk.run(refusal, function="parsing.get", arguments=arguments)
    assert answer["status"] == 400
    assert "Markdown expansion is not available for FAST tier jobs." in str(answer["body"])


def test_files_of_other_kinds(sdk: OfficialSdk, data_dir: Path) -> None:
    """Ensure that text, markdown, office files and HTML load into the SDK's models as well."""
    everything = ["text", "markdown", "items", "metadata", "job_metadata", "images_content_metadata"]
    for name in (
        "pdfminer-readme.md",
        "mtcars.csv",
        "headings-lists-table.docx",
        "libtiff-contrib.html",
    ):
        job = sdk.run(upload_and_parse, path=str(data_dir / name))
        result = sdk.run(get, job_id=job, expand=everything)
        assert result["job"]["status"] == "COMPLETED", name
        assert result["markdown"]["pages"], name


def test_the_wait_of_the_sdk_ends_when_the_job_does(sdk: OfficialSdk, tables_pdf: str) -> None:
    """Ensure that a small file is parsed within moments."""
    started = time.monotonic()
    sdk.run(upload_and_parse, path=tables_pdf)
    assert time.monotonic() - started < 5
