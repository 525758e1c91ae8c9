"""A parse job that was submitted and is collected later, possibly by another process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from llama_cloud_ext.jobs.handle import JobHandle
from llama_cloud_ext.jobs.pipeline import CreatedJob, Keep
from llama_cloud_ext.parse.pipeline import ParsePipeline, Wanted
from llama_cloud_ext.parse.result import ParseResult
from llama_cloud_ext.wire.job_slots import JobSlots
from llama_cloud_ext.wire.parse_jobs import PARSE_JOBS
from llama_cloud_ext.wire.settings import Settings
from llama_cloud_ext.wire.transport import connection_for


class ParseJob(JobHandle[ParseResult]):
    """A handle on a parse job: ask for its status, collect its result, or cancel it.

    Handles can be pickled and used in another process: a pickle holds the connection's API key, so treat it as a
    secret. The JSON form (`to_json`) holds no key and finds one in the environment, or in the settings handed to
    `from_json`.

    Args:
        job_id: The job.
        source: The file it parses.
        settings: The connection to the service.
        wanted: What of the result is fetched.
        job_timeout: The most seconds that `result` waits, or None.
        delete_after: Whether job and upload are deleted once the result has been fetched.
        file_id: The upload to delete with it.
        place: Its entry in a ledger, where it has one.

    Example:
        ```python
        from llama_cloud_ext import LlamaParseReader

        job = LlamaParseReader().submit("data/report.pdf")
        print(job.status())
        documents = job.result().documents()
        ```
    """

    kind = PARSE_JOBS

    def __init__(self, job_id: str, *, wanted: Wanted | None = None, **shared: Any) -> None:
        super().__init__(job_id, **shared)
        self._wanted = wanted or Wanted()

    async def _result(self) -> ParseResult:
        pipeline = ParsePipeline(
            connection_for(self._settings),
            slots=JobSlots(1),
            job_timeout=self._job_timeout,
            delete_after=self._delete_after,
        )
        file = self.source.path or self.source.name

        async def collect(job: CreatedJob, keep: Keep | None) -> dict[str, Any]:
            return await pipeline.collect(job, self._wanted, file=file, keep=keep)

        response = await self._collected(collect)
        result = ParseResult(response, source=self.source, settings=self._settings)
        result.raise_if_blank()
        return result

    def to_json(self) -> str:
        """The handle as JSON text, without the API key."""
        return self._as_json(
            contents=list(self._wanted.contents), assets=list(self._wanted.assets), keep=self._wanted.keep
        )

    @classmethod
    def from_json(cls, text: str, *, settings: Settings | None = None) -> ParseJob:
        """Read what `to_json` wrote.

        Args:
            text: The JSON text.
            settings: The connection to use; by default the API key comes from the environment.

        Raises:
            ConfigurationError: The text is no handle, or no API key is to be found.
        """

        def wanted(data: Mapping[str, Any]) -> dict[str, Any]:
            return {"wanted": Wanted(tuple(data["contents"]), tuple(data["assets"]), data["keep"])}

        return cls._of_json(text, settings, wanted)

    def connect(self, settings: Settings) -> ParseJob:
        """The same job through another connection, for instance with another API key."""
        return ParseJob(
            self.job_id,
            source=self.source,
            settings=replace(settings, project_id=settings.project_id or self._settings.project_id),
            wanted=self._wanted,
            job_timeout=self._job_timeout,
            delete_after=self._delete_after,
            file_id=self._file_id,
            place=self._place,
        )

    def __repr__(self) -> str:
        return f"ParseJob({self.job_id!r}, file={self.source.name!r}, host={self._settings.host!r})"
