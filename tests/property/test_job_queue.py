"""Whatever happens in whatever order, a job is somebody's or nobody's, and it ends once."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from llama_cloud_ext.local.database import Database
from llama_cloud_ext.local.extract_jobs import ExtractJobs, NewExtraction, NewParsing
from llama_cloud_ext.local.extract_records import ExtractJobRecord
from llama_cloud_ext.local.job_table import CANCELLED, COMPLETED, FAILED, PENDING, RUNNING, JobTable
from llama_cloud_ext.local.jobs import ParseJobRecord

OWNERS = st.sampled_from(["one", "two"])
DOCUMENTS = st.sampled_from(["a", "b"])
TERMINAL = {COMPLETED, FAILED, CANCELLED}


class Queues(RuleBasedStateMachine):
    """Extract jobs and the parse jobs behind them, worked on by two processes that may die."""

    extractions = Bundle("extractions")

    @initialize()
    def open(self) -> None:
        """An empty database."""
        self.folder = tempfile.TemporaryDirectory()
        self.database = Database(Path(self.folder.name) / "test.sqlite3")
        self.parse_jobs = JobTable(self.database, "jobs", ParseJobRecord)
        self.jobs = ExtractJobs(self.database, self.parse_jobs)
        self.held: dict[str, str] = {}
        self.ended: dict[str, str] = {}
        self.count = 0

    def teardown(self) -> None:
        """Close what was opened."""
        self.database.close()
        self.folder.cleanup()

    def table(self, job_id: str) -> JobTable[Any]:
        """Where a job is."""
        return self.jobs if job_id.startswith("ext") else self.parse_jobs

    @rule(target=extractions, document=DOCUMENTS)
    def accept(self, document: str) -> str:
        """A request comes."""
        self.count += 1
        parsing = NewParsing(f"pjb-{self.count}", document, document, {"of": document})
        job_id = f"ext-{self.count}"
        new = NewExtraction(job_id, document, {}, None, document, "file_id", [], parsing)
        used = self.jobs.accept(new).result().parse_job_id
        parsed = self.parse_jobs.get(used).result()
        assert parsed is not None
        assert parsed.configuration == {"of": document}
        assert parsed.status not in {FAILED, CANCELLED}
        return job_id

    @rule(owner=OWNERS, dead=st.booleans(), extracting=st.booleans())
    def claim(self, owner: str, dead: bool, extracting: bool) -> None:
        """A process looks for work; it may know that the other one has died."""
        other = {"one": "two", "two": "one"}[owner]
        table: JobTable[Any] = self.jobs if extracting else self.parse_jobs
        job = table.queue(owner).claim(60.0, gone=[other] if dead else [], alive=[] if dead else [other]).result()
        if job is None:
            return
        assert job.status == RUNNING
        assert job.id not in self.ended
        assert dead or job.id not in self.held, "it was taken from somebody who lives"
        assert self.held.get(job.id) != owner
        if isinstance(job, ExtractJobRecord):
            parsed = self.parse_jobs.get(job.parse_job_id).result()
            assert parsed is None or parsed.finished, "its document is not there yet"
        self.held[job.id] = owner

    @rule(owner=OWNERS, failing=st.booleans(), data=st.data())
    def finish(self, owner: str, failing: bool, data: st.DataObject) -> None:
        """A process ends a job, whether or not it still holds it."""
        if not (known := sorted(self.known())):
            return
        job_id = data.draw(st.sampled_from(known))
        outcome = {"error_message": "no"} if failing else {}
        ended = self.table(job_id).queue(owner).finish(job_id, **outcome).result()
        assert ended == (self.held.get(job_id) == owner)
        if ended:
            del self.held[job_id]
            self.ended[job_id] = FAILED if failing else COMPLETED

    @rule(job_id=extractions)
    def cancel(self, job_id: str) -> None:
        """A user cancels; parsing that nobody waits for goes, too."""
        cancelled = self.jobs.cancel(job_id).result()
        job = self.jobs.get(job_id).result()
        assert (cancelled is None) == (job is None or job_id in self.ended)
        if cancelled is None:
            return
        self.held.pop(job_id, None)
        self.ended[job_id] = CANCELLED
        abandoned = self.jobs.abandon_parsing(cancelled.parse_job_id).result()
        assert abandoned == (cancelled.parse_job_id not in self.ended and not self.waiting_for(cancelled.parse_job_id))
        if abandoned:
            self.held.pop(cancelled.parse_job_id, None)
            self.ended[cancelled.parse_job_id] = CANCELLED

    @rule(job_id=extractions)
    def delete(self, job_id: str) -> None:
        """A user deletes what has ended."""
        known = self.jobs.get(job_id).result()
        assert self.jobs.delete(job_id).result() == (known is not None and job_id in self.ended)

    @rule(owner=OWNERS)
    def close(self, owner: str) -> None:
        """A process ends in order."""
        for table in (self.jobs, self.parse_jobs):
            table.queue(owner).release().result()
        self.held = {job_id: holder for job_id, holder in self.held.items() if holder != owner}

    @rule(owner=OWNERS)
    def renew(self, owner: str) -> None:
        """A process says that it lives, and hears what it has lost."""
        mine = [job for job_id in self.known() if (job := self.table(job_id).get(job_id).result()) is not None]
        for table, kind in ((self.jobs, "ext"), (self.parse_jobs, "pjb")):
            running = [job for job in mine if job.id.startswith(kind)]
            lost = {job.id for job in table.queue(owner).renew(60.0, running).result()}
            assert lost == {job.id for job in running if self.held.get(job.id) != owner}

    def waiting_for(self, parse_job_id: str) -> bool:
        """Whether an extraction that has not ended needs a parse job."""
        jobs = [self.jobs.get(job_id).result() for job_id in self.known() if job_id.startswith("ext")]
        return any(job is not None and job.parse_job_id == parse_job_id and not job.finished for job in jobs)

    def known(self) -> set[str]:
        """The ids of all jobs that there are."""
        pages = [
            table.page([], created_from=None, created_to=None, before=None, limit=100).result()
            for table in (self.jobs, self.parse_jobs)
        ]
        return {job.id for page in pages for job in page.rows}

    @invariant()
    def everything_is_where_it_should_be(self) -> None:
        """What has ended stays as it ended, what is held runs, and the rest waits."""
        for job_id in self.known():
            job = self.table(job_id).get(job_id).result()
            assert job is not None
            expected = self.ended.get(job_id) or (RUNNING if job_id in self.held else PENDING)
            assert job.status == expected
            assert job.finished == (job.status in TERMINAL)


Queues.TestCase.settings = settings(max_examples=20, stateful_step_count=25, deadline=None)
TestQueues = Queues.TestCase
