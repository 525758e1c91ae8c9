"""The official SDK, refusing every answer that its models do not describe: batches over directories."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

from tests.contract.official_sdk import OfficialSdk


def test_a_batch_from_creation_to_its_jobs(sdk: OfficialSdk) -> None:
    """Ensure that the SDK reads every answer about a batch that extracts, and the jobs behind it."""

    def journey(client: Any, name: str) -> None:
        import time

        import llama_cloud

        schema = {"type": "object", "properties": {"total": {"type": "number"}}}
        saved = client.configurations.create(
            name=name, parameters={"product_type": "extract_v2", "data_schema": schema}
        )
        directory = client.beta.directories.create(name=name, type="ephemeral")
        files = client.beta.directories.files
        ids = [files.upload(directory.id, upload_file=(f"{n}.txt", b"Total: 1.50")).id for n in "ab"]
        job = {"type": "extract_v2", "configuration_id": saved.id}
        batch = client.batches.create(source_directory_id=directory.id, config={"job": job})
        assert (batch.source_directory_id, batch.results) == (directory.id, None)
        assert (batch.config.job.type, batch.config.job.configuration_id) == ("extract_v2", saved.id)
        while batch.status not in {"COMPLETED", "FAILED", "CANCELLED"}:
            time.sleep(0.01)
            batch = client.batches.get(batch.id)
            assert batch.results is None
        batch = client.batches.get(batch.id, expand=["results"])
        assert [result.source_directory_file_id for result in batch.results] == ids
        for result in batch.results:
            assert (result.job_reference.type, result.error_message) == ("extract_v2", None)
            found = client.extract.get(result.job_reference.id)
            while found.status not in {"COMPLETED", "FAILED", "CANCELLED"}:
                time.sleep(0.01)
                found = client.extract.get(found.id)
            assert found.extract_result == {"total": 1.5}
        second = client.batches.create(source_directory_id=directory.id, config={"job": job})
        of_directory = client.batches.list(source_directory_id=directory.id, page_size=1)
        assert [one.id for one in of_directory] == [second.id, batch.id]
        later = client.batches.list(source_directory_id=directory.id, created_at_on_or_after=second.created_at)
        assert [one.id for one in later] == [second.id]
        done = client.batches.list(source_directory_id=directory.id, status="COMPLETED")
        assert batch.id in [one.id for one in done]
        refusals = []
        try:
            client.batches.cancel(batch.id)
        except llama_cloud.ConflictError as error:
            refusals.append(str(error))
        assert "COMPLETED" in refusals[0]

    sdk.run(journey, name=f"batch {uuid.uuid4()}")


def test_the_guides_snippet(sdk: OfficialSdk, tmp_path: Path) -> None:
    """Ensure that the guide's snippet runs to the jobs' ends.

    It differs from the SDK in two places. Its `expires_at` is no argument of the SDK's and goes as an extra field; and
    where it reads the status of a parse job, the SDK has the job inside the answer.
    """

    async def journey(client: Any, folder: str) -> list[list[str]]:
        import asyncio
        from datetime import datetime, timedelta, timezone
        from pathlib import Path

        configuration_id = "cfg-PARSE_AGENTIC"
        expires_at = (datetime.now(timezone.utc) + timedelta(days=2)).isoformat()
        directory = await client.beta.directories.create(
            name="invoice-batch", type="ephemeral", extra_body={"expires_at": expires_at}
        )
        assert directory.expires_at is not None
        for path in Path(folder).glob("*.txt"):  # noqa: ASYNC240 - as the guide has it
            await client.beta.directories.files.upload(directory.id, upload_file=path, display_name=path.name)
        batch = await client.batches.create(
            source_directory_id=directory.id,
            config={"job": {"type": "parse_v2", "configuration_id": configuration_id}},
        )
        while batch.status not in {"COMPLETED", "FAILED", "CANCELLED"}:
            await asyncio.sleep(0.01)
            batch = await client.batches.get(batch.id)
        batch = await client.batches.get(batch.id, expand=["results"])
        seen = []
        for result in batch.results or []:
            assert result.error_message is None
            answer = await client.parsing.get(result.job_reference.id)
            while answer.job.status not in {"COMPLETED", "FAILED", "CANCELLED"}:
                await asyncio.sleep(0.01)
                answer = await client.parsing.get(answer.job.id)
            seen.append([result.job_reference.type, answer.job.status])
        listed = [item.id async for item in client.batches.list(source_directory_id=directory.id)]
        assert listed == [batch.id]
        return seen

    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("Total: 1.50")
    assert sdk.run(journey, folder=str(tmp_path)) == [["parse_v2", "COMPLETED"]] * 2
