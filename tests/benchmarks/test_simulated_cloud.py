"""The simulated cloud itself: what it is told to do, it does."""

from __future__ import annotations

import time
import urllib.error

import httpx
import pytest

from tests.benchmarks.simulated_cloud import SimulatedCloud
from tests.benchmarks.simulated_service import seconds_in_name


def create(cloud: SimulatedCloud, name: str, **configuration: object) -> httpx.Response:
    """Upload a file of this name and parse it."""
    files = {"configuration": (None, httpx.Response(200, json=configuration).text), "file": (name, b"%PDF-1.7")}
    return httpx.post(f"{cloud.base_url}/api/v2/parse/upload", files=files)


@pytest.mark.parametrize(
    ("name", "seconds"), [("job-2.5.pdf", 2.5), ("a-7-0.3.PDF", 0.3), ("4.pdf", 4.0), ("plain.pdf", None)]
)
def test_durations_come_from_file_names(name: str, seconds: float | None) -> None:
    """Ensure that the number before the suffix is the job's duration."""
    assert seconds_in_name(name) == seconds


def test_a_job_takes_its_time_and_then_gives_its_result(simulated_cloud: SimulatedCloud) -> None:
    """Ensure that a job runs for as long as its name says and then has one page."""
    job = create(simulated_cloud, "job-0.2.pdf", user_metadata={"tag": "x"}).json()
    url = f"{simulated_cloud.base_url}/api/v2/parse/{job['id']}"
    assert (job["status"], job["user_metadata"]) == ("RUNNING", {"tag": "x"})
    time.sleep(0.25)
    body = httpx.get(url, params={"expand": "markdown"}).json()
    assert body["job"]["status"] == "COMPLETED"
    assert body["markdown"]["pages"][0]["markdown"] == "# Page 1 of job-0.2.pdf"
    assert simulated_cloud.stats()["max_unfinished"] == 1


def test_failing_jobs(simulated_cloud: SimulatedCloud) -> None:
    """Ensure that a job named so, or every n-th one, ends FAILED with a reason."""
    simulated_cloud.reset(one_job_in_fails=2)
    for name in ("a-0.pdf", "b-0.pdf", "fail-0.pdf"):
        create(simulated_cloud, name)
    listed = httpx.get(f"{simulated_cloud.base_url}/api/v2/parse").json()["items"]
    assert {job["name"]: job["status"] for job in listed} == {
        "a-0.pdf": "COMPLETED",
        "b-0.pdf": "FAILED",
        "fail-0.pdf": "FAILED",
    }


@pytest.mark.parametrize("kind", ["cut", "truncated", "502"])
def test_lost_answers_leave_their_job(simulated_cloud: SimulatedCloud, kind: str) -> None:
    """Ensure that a lost create answer reaches nobody although its job runs."""
    simulated_cloud.reset(one_create_in_lost=1, lost_kinds=[kind])
    if kind == "502":
        assert create(simulated_cloud, "job-1.pdf").status_code == 502
    else:
        with pytest.raises(httpx.TransportError):
            create(simulated_cloud, "job-1.pdf")
    assert simulated_cloud.stats()["jobs_created"] == 1
    assert simulated_cloud.stats()["creates_lost"] == 1


def test_faults_strike_before_acting(simulated_cloud: SimulatedCloud) -> None:
    """Ensure that a request that fails creates no job, in each of the ways to fail."""
    simulated_cloud.reset(one_in_fails=1, fault_kinds=["503"])
    assert create(simulated_cloud, "job-1.pdf").status_code == 503
    simulated_cloud.reset(one_in_fails=1, fault_kinds=["cut"])
    with pytest.raises(httpx.TransportError):
        create(simulated_cloud, "job-1.pdf")
    assert simulated_cloud.stats()["jobs_created"] == 0
    assert simulated_cloud.stats()["by_status"] == {"cut": 1}


def test_the_rate_is_a_sliding_window(simulated_cloud: SimulatedCloud) -> None:
    """Ensure that requests above the rate get a 429 with the Retry-After that was asked for."""
    simulated_cloud.reset(rate=2, rate_window=0.3, retry_after=1.5)
    url = f"{simulated_cloud.base_url}/api/v1/projects"
    with httpx.Client() as client:  # making one for each request can take longer than the window
        answers = [client.get(url) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert answers[-1].headers["retry-after"] == "1.5"
        time.sleep(0.35)
        assert client.get(url).status_code == 200


def test_an_unknown_scenario_option_is_refused(simulated_cloud: SimulatedCloud) -> None:
    """Ensure that a mistyped scenario does not silently measure another one."""
    with pytest.raises(urllib.error.HTTPError):
        simulated_cloud.reset(one_in_fail=5)
