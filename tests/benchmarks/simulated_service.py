"""What the simulated cloud knows and answers: jobs that take as long as their file name says, and no HTTP at all.

A job named `report-2.5.pdf` runs for 2.5 s; one whose name starts with `fail` ends FAILED. Nothing is parsed: a
job's state follows from the clock, so the service costs the machine next to nothing and two clients measured one
after the other meet the same one.
"""

from __future__ import annotations

import json
import random
import re
import time
import uuid
from collections import Counter, deque
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, timezone
from typing import Any

PROJECT = "00000000-0000-4000-8000-000000000001"
ORGANIZATION = "00000000-0000-4000-8000-000000000002"

JsonObject = dict[str, Any]


@dataclass
class Scenario:
    """How the service behaves until the next reset.

    Args:
        duration: Seconds that a job runs whose file name gives no number.
        pages: Pages in each result.
        jobs_at_once: Jobs that run at the same time (0: any number); others are PENDING until their turn has come.
        latency: Seconds added to every answer.
        one_in_fails: One request in this many fails (0: none), in a way drawn from `fault_kinds`.
        fault_kinds: "429", "500", "502", "503" (refused before acting), "cut" (connection reset before acting),
            "truncated" (acted on; half of the answer arrives), "slow" (acted on; answered after `slow_seconds`),
            "duplicate" (acted on; the answer comes twice on the connection).
        slow_seconds: How late "slow" answers come.
        one_create_in_lost: One job creation in this many is acted on and its answer lost (0: none).
        lost_kinds: How an answer gets lost, in turn: "cut", "502", "truncated".
        one_job_in_fails: One job in this many ends FAILED (0: none but those named `fail…`).
        rate: Requests allowed in each `rate_window` (0: any number); more are answered 429.
        rate_window: Seconds.
        retry_after: The Retry-After of those 429s, in seconds; the real service sends none.
        surfaces_after: Seconds until a new job appears in listings.
        echo_user_metadata: Whether jobs show the tags that they were created with.
        heed_job_ids: Whether listings honour the `job_ids` filter.
        seed: For the draw of faults.
    """

    duration: float = 0.5
    pages: int = 1
    jobs_at_once: int = 0
    latency: float = 0.0
    one_in_fails: int = 0
    fault_kinds: tuple[str, ...] = ("429", "500", "503", "cut")
    slow_seconds: float = 0.3
    one_create_in_lost: int = 0
    lost_kinds: tuple[str, ...] = ("cut",)
    one_job_in_fails: int = 0
    rate: int = 0
    rate_window: float = 60.0
    retry_after: float | None = None
    surfaces_after: float = 0.0
    echo_user_metadata: bool = True
    heed_job_ids: bool = True
    seed: int = 1

    @classmethod
    def of(cls, options: JsonObject) -> Scenario:
        """Build a scenario from decoded JSON; an unknown name raises, so that a typo measures nothing by mistake."""
        known = {item.name for item in fields(cls)}
        if unknown := set(options) - known:
            raise ValueError(f"unknown scenario options {sorted(unknown)}; known: {sorted(known)}")
        return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in options.items()})


@dataclass
class Job:
    """One parse job; times are Unix seconds, those of its start and its end may be still to come."""

    id: str
    name: str
    created_at: float
    started_at: float
    finished_at: float
    outcome: str
    tier: str
    user_metadata: dict[str, str]
    pages: int
    cancelled_at: float | None = None

    def status(self, now: float) -> str:
        """The v2 status at `now`."""
        if self.cancelled_at is not None:
            return "CANCELLED"
        if now < self.started_at:
            return "PENDING"
        return self.outcome if now >= self.finished_at else "RUNNING"

    def unfinished(self, now: float) -> bool:
        """Whether the job still occupies the service at `now`."""
        return self.cancelled_at is None and now < self.finished_at


@dataclass
class Answer:
    """A response: status, decoded JSON (or bytes), and whether answering created a job."""

    status: int
    body: Any = None
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    created_job: bool = False

    def encoded(self) -> bytes:
        """The body as bytes."""
        if isinstance(self.body, bytes):
            return self.body
        return b"" if self.body is None else json.dumps(self.body).encode()

    def as_http(self) -> bytes:
        """The whole answer as it goes over a connection."""
        body = self.encoded()
        head = f"HTTP/1.1 {self.status} OK\r\ncontent-type: {self.content_type}\r\ncontent-length: {len(body)}\r\n\r\n"
        return head.encode() + body


@dataclass
class Call:
    """A request as the service sees it: `query` keeps repeated keys, `head` is the start of a large body."""

    method: str
    path: str
    query: dict[str, list[str]]
    head: bytes
    size: int
    base_url: str

    def first(self, name: str) -> str | None:
        """The first value of a query parameter."""
        return next(iter(self.query.get(name, [])), None)

    def many(self, name: str) -> list[str]:
        """All values of a repeated or comma-separated query parameter (`name` or `name[]`)."""
        given = self.query.get(name, []) + self.query.get(f"{name}[]", [])
        return [part for value in given for part in value.split(",") if part]

    def multipart_field(self, name: str) -> str | None:
        """A text field of a multipart body."""
        found = re.search(
            rb'name="' + name.encode() + rb'"[^\r\n]*(?:\r\n[^\r\n]+)*\r\n\r\n(.*?)\r\n--', self.head, re.DOTALL
        )
        return found[1].decode() if found else None

    def file_name(self) -> str | None:
        """The file name of a multipart body."""
        found = re.search(rb'filename="([^"]*)"', self.head)
        return found[1].decode() if found else None


def seconds_in_name(name: str) -> float | None:
    """The job duration that a file name gives: the number before its suffix.

    Example:
        >>> seconds_in_name("report-2.5.pdf")
        2.5
    """
    found = re.search(r"(?:^|[-_ ])(\d+(?:\.\d+)?)(?:\.[A-Za-z]\w*)?$", name)
    return float(found[1]) if found else None


class SimulatedService:
    """The state of one simulated cloud: jobs, files and counts."""

    def __init__(self) -> None:
        self.reset(Scenario())

    def reset(self, scenario: Scenario) -> None:
        """Forget everything and behave as `scenario` says."""
        self.scenario = scenario
        self.jobs: dict[str, Job] = {}
        self.files: dict[str, JsonObject] = {}
        self.directories: dict[str, dict[str, JsonObject]] = {}
        self.batches: dict[str, JsonObject] = {}
        self.created: Counter[str] = Counter()
        self.requests: Counter[str] = Counter()
        self.statuses: Counter[str] = Counter()
        self.max_unfinished = 0
        self.lost = 0
        self.creates = 0
        self.bytes_received = 0
        self.connections: set[tuple[str, int]] = set()
        self._allowed: deque[float] = deque()
        self._random = random.Random(scenario.seed)

    def stats(self) -> JsonObject:
        """Everything counted since the last reset, JSON-ready."""
        now = time.time()
        return {
            "requests": sum(self.requests.values()),
            "by_route": dict(self.requests),
            "by_status": dict(self.statuses),
            "jobs_created": sum(self.created.values()),
            "jobs_created_again": sum(count - 1 for count in self.created.values()),
            "creates_lost": self.lost,
            "max_unfinished": self.max_unfinished,
            "unfinished": sum(job.unfinished(now) for job in self.jobs.values()),
            "bytes_received": self.bytes_received,
            "connections": len(self.connections),
            "directories": len(self.directories),
            "jobs": [
                {"id": job.id, "name": job.name, "created_at": job.created_at, "finished_at": job.finished_at}
                for job in self.jobs.values()
            ],
            "scenario": asdict(self.scenario),
        }

    # What goes wrong before the service acts -------------------------------------------------------------------

    def over_the_rate(self) -> bool:
        """Whether this request exceeds the rate; an allowed one is counted."""
        if not self.scenario.rate:
            return False
        now = time.monotonic()
        while self._allowed and self._allowed[0] <= now - self.scenario.rate_window:
            self._allowed.popleft()
        if len(self._allowed) >= self.scenario.rate:
            return True
        self._allowed.append(now)
        return False

    def drawn_fault(self) -> str | None:
        """The way in which this request fails, if it is one of those that do."""
        every = self.scenario.one_in_fails
        if not every or self._random.random() >= 1 / every:
            return None
        return self._random.choice(self.scenario.fault_kinds)

    def lost_answer(self, already: str | None) -> str | None:
        """The way in which this creation's answer gets lost, if it does (`already`: by a fault drawn before)."""
        every = self.scenario.one_create_in_lost
        self.creates += 1
        if already is None and (not every or self.creates % every):
            return None
        self.lost += 1
        return already or self.scenario.lost_kinds[(self.lost - 1) % len(self.scenario.lost_kinds)]

    # Jobs ------------------------------------------------------------------------------------------------------

    def create_job(self, name: str, configuration: JsonObject) -> Job:
        """Start a job for a file of this name."""
        now = time.time()
        seconds = seconds_in_name(name)
        every = self.scenario.one_job_in_fails
        fails = name.startswith("fail") or (every and (sum(self.created.values()) + 1) % every == 0)
        # With so many unfinished ones before it, it has to wait for all but the last few of them.
        ends = sorted(other.finished_at for other in self.jobs.values() if other.unfinished(now))
        at_once = self.scenario.jobs_at_once
        started = ends[-at_once] if at_once and len(ends) >= at_once else now
        job = Job(
            id=f"pjb-{uuid.uuid4().hex}",
            name=name,
            created_at=now,
            started_at=started,
            finished_at=started + (self.scenario.duration if seconds is None else seconds),
            outcome="FAILED" if fails else "COMPLETED",
            tier=str(configuration.get("tier") or "agentic"),
            user_metadata=dict(configuration.get("user_metadata") or {}),
            pages=self.scenario.pages,
        )
        self.jobs[job.id] = job
        self.created[name] += 1
        self.max_unfinished = max(self.max_unfinished, len(ends) + 1)
        return job

    def record(self, job: Job) -> JsonObject:
        """A job as the v2 API shows it."""
        now = time.time()
        status = job.status(now)
        updated = job.finished_at if status in ("COMPLETED", "FAILED") else now
        return {
            "id": job.id,
            "project_id": PROJECT,
            "status": status,
            "created_at": timestamp(job.created_at),
            "updated_at": timestamp(updated),
            "error_message": "PDF_IS_BROKEN: the file could not be read" if status == "FAILED" else None,
            "name": job.name,
            "tier": job.tier,
            "usage": {"credits": 3.0 * job.pages} if status == "COMPLETED" else None,
            "user_metadata": job.user_metadata if self.scenario.echo_user_metadata else None,
        }

    def listed_jobs(self, call: Call) -> list[Job]:
        """The jobs that a listing with these filters shows, newest first."""
        now = time.time()
        wanted = set(call.many("job_ids")) if self.scenario.heed_job_ids else set()
        status, after, before = (
            call.first(name) for name in ("status", "created_at_on_or_after", "created_at_on_or_before")
        )
        found = [
            job
            for job in self.jobs.values()
            if now >= job.created_at + self.scenario.surfaces_after
            and (not wanted or job.id in wanted)
            and (status is None or job.status(now) == status)
            and (after is None or job.created_at >= moment(after))
            and (before is None or job.created_at <= moment(before))
        ]
        return found[::-1]


def missing(what: str) -> Answer:
    """A 404."""
    return Answer(404, {"detail": f"{what} not found"})


def page_of(call: Call, records: list[JsonObject], default_size: int = 50) -> Answer:
    """One page of a listing; the token is the offset."""
    size = min(int(call.first("page_size") or default_size), 1000)
    start = int(call.first("page_token") or 0)
    more = start + size < len(records)
    body = {"items": records[start : start + size], "next_page_token": str(start + size) if more else None}
    return Answer(200, body | {"total_size": len(records)})


def timestamp(seconds: float) -> str:
    """Unix seconds as the API writes times."""
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat().replace("+00:00", "Z")


def moment(text: str) -> float:
    """A time as the API reads it, in Unix seconds."""
    read = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (read if read.tzinfo else read.replace(tzinfo=timezone.utc)).timestamp()
