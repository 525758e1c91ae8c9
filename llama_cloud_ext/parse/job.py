"""A parse job that was submitted and is collected later, possibly by another process."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from llama_cloud_ext.errors import ConfigurationError
from llama_cloud_ext.jobs.handle import JobHandle
from llama_cloud_ext.jobs.ledger import LedgerPlace
from llama_cloud_ext.jobs.pipeline import CreatedJob, Keep
from llama_cloud_ext.jobs.source_identity import SourceIdentity
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

    def __init__(
        self,
        job_id: str,
        *,
        source: SourceIdentity,
        settings: Settings,
        wanted: Wanted | None = None,
        job_timeout: float | None = None,
        delete_after: bool = False,
        file_id: str | None = None,
        place: LedgerPlace | None = None,
    ) -> None:
        super().__init__(job_id, settings=settings, file_id=file_id, place=place)
        self.source = source
        self._wanted = wanted or Wanted()
        self._job_timeout = job_timeout
        self._delete_after = delete_after

    @classmethod
    def of(cls, created: CreatedJob, source: SourceIdentity, settings: Settings, **options: Any) -> ParseJob:
        """The handle of a job that was just created here, which knows its place among the unfinished ones."""
        job = cls(created.job_id, source=source, settings=settings, file_id=created.file_id, **options)
        job._created_here(created)
        return job

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
        return json.dumps(
            {
                "job_id": self.job_id,
                "source": self.source.to_dict(),
                "base_url": self._settings.base_url,
                "project_id": self._settings.project_id,
                "organization_id": self._settings.organization_id,
                "contents": list(self._wanted.contents),
                "assets": list(self._wanted.assets),
                "keep": self._wanted.keep,
                "job_timeout": self._job_timeout,
                "delete_after": self._delete_after,
                "file_id": self._file_id,
                "ledger": self._place_as_json(),
            }
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
        try:
            data = json.loads(text)
            return cls(
                data["job_id"],
                source=SourceIdentity.from_dict(data["source"]),
                settings=settings
                or Settings.resolve(
                    base_url=data["base_url"],
                    project_id=data["project_id"],
                    organization_id=data["organization_id"],
                ),
                wanted=Wanted(tuple(data["contents"]), tuple(data["assets"]), data["keep"]),
                job_timeout=data["job_timeout"],
                delete_after=data["delete_after"],
                file_id=data["file_id"],
                place=cls._place_of_json(data.get("ledger")),
            )
        except (KeyError, TypeError, json.JSONDecodeError) as error:
            raise ConfigurationError(
                f"this is not a parse job as to_json writes it: {type(error).__name__}: {error}",
                hint="Keep the text of ParseJob.to_json() unchanged.",
            ) from error

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
