"""What is measured: one function a subject, each giving rows of the table."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from tests.benchmarks.bench import (
    OURS,
    SDK_CLIENT,
    SERVICES,
    TITLES,
    Bench,
    Row,
    arrivals,
    lost_seconds,
    median,
    requests_of,
)
from tests.benchmarks.retrieval import sampled_queries
from tests.benchmarks.stdlib_docstrings import passages
from tests.virtualenvs import ROOT

MIB = 1 << 20
SERVICES_DEFAULT_WORKERS = 4
SERVICES_MOST_WORKERS = 9
QUERIES = 100
IMPORT = "import time; s = time.perf_counter(); {statement}; print(time.perf_counter() - s)"

RETRIEVAL = """
import json, sys
sys.path.insert(0, {root!r})
from tests.benchmarks.retrieval import measurements
print(json.dumps(measurements({passages})))
"""

TWO_HUNDRED_PAGES = """
from pypdf import PdfWriter
writer = PdfWriter()
writer.append({guide!r})
writer.append({guide!r}, pages=(0, 200 - len(writer.pages)))
writer.write({pdf!r})
"""


def time_lost(bench: Bench) -> list[Row]:
    """Seconds between the end of a single job and its returned result."""

    def cell_for(seconds: float) -> Callable[[str], str]:
        def cell(client: str) -> str:
            paths = bench.files(1, seconds)
            answers = bench.repeated(lambda: bench.cloud_task(client, "many", paths=paths))
            return f"{median(answers, lost_seconds):.2f} s, {median(answers, requests_of):.0f} requests"

        return cell

    return [bench.row(f"time lost after a job of {s:g} s", cell_for(s)) for s in bench.plan.durations]


def requests_for_a_long_job(bench: Bench) -> list[Row]:
    """Requests for one job that runs for minutes."""
    seconds = bench.plan.long_job
    if not seconds:
        return []
    paths = bench.files(1, seconds)

    def cell(client: str) -> str:
        answer = bench.cloud_task(client, "many", paths=paths)
        return f"{requests_of(answer):.0f}, {lost_seconds(answer):.1f} s lost"

    return [bench.row(f"requests for a job of {seconds:g} s", cell)]


def many_files(bench: Bench) -> list[Row]:
    """A list of files at eight at a time, and as many at a time as a client does by itself."""
    count, seconds = bench.scaled(32), bench.plan.seconds
    paths = bench.files(count, seconds)

    def cell(client: str, workers: int | None) -> str:
        answers = bench.repeated(lambda: bench.cloud_task(client, "many", paths=paths, workers=workers))
        return f"{median(answers, lambda a: a['seconds']):.1f} s, {median(answers, requests_of):.0f} requests"

    defaults = {OURS: None, SERVICES: SERVICES_DEFAULT_WORKERS}
    return [
        bench.row(f"{count} files of {seconds:g} s, 8 at a time", lambda client: cell(client, 8)),
        bench.row(f"{count} files of {seconds:g} s, by default", lambda c: cell(c, defaults[c]), list(defaults)),
    ]


def thousand_files(bench: Bench) -> list[Row]:
    """A thousand files: time, requests and memory; and once more, from a ledger."""
    count, seconds = bench.scaled(1000), 0.5
    paths = bench.distinct_files(count, seconds)

    def cell(client: str) -> str:
        workers = SERVICES_MOST_WORKERS if client == SERVICES else 32
        answers = bench.repeated(lambda: bench.cloud_task(client, "many", paths=paths, workers=workers))
        worst = min(answers, key=lambda answer: float(answer["arrived"]))
        return (
            f"{arrivals(count, worst)}, {median(answers, lambda a: a['seconds']):.1f} s, "
            f"{median(answers, requests_of):,.0f} requests, peak memory +{median(answers, lambda a: a['mib']):.0f} MiB"
        )

    what = f"{count:,} files of {seconds:g} s, 32 at a time ({TITLES[SERVICES]}: at most {SERVICES_MOST_WORKERS})"
    rows = [bench.row(what, cell)]
    if OURS in bench.plan.clients:
        answers = bench.repeated(lambda: bench.cloud_task(OURS, "from_ledger", paths=paths))
        again = f"{median(answers, lambda a: a['seconds']):.1f} s, {median(answers, requests_of):.0f} requests"
        kept = f"{answers[0]['objects'] / count:.1f} objects and {answers[0]['bytes'] / count:,.0f} bytes a file"
        rows.append(Row(f"… once more, from a ledger of {kept}", {OURS: again}))
    return rows


def directories(bench: Bench) -> list[Row]:
    """`SimpleDirectoryReader(...).load_data()`, which asks for one file after the other."""
    count, seconds = bench.scaled(8), bench.plan.seconds
    paths = bench.files(count, seconds)

    def cell(client: str, **options: Any) -> str:
        answers = bench.repeated(lambda: bench.cloud_task(client, "directory", paths=paths, **options))
        return f"{median(answers, lambda a: a['seconds']):.1f} s, {arrivals(count, answers[0])}"

    what = f"`SimpleDirectoryReader`, {count} files of {seconds:g} s"
    return [
        bench.row(what, cell, [SERVICES, OURS]),
        bench.row(f"{what}, after `prefetch`", lambda client: cell(client, prefetch=True), [OURS]),
    ]


def pipelines(bench: Bench) -> list[Row]:
    """Ingestion pipelines over many files: in one process, and on Ray with two workers that share a ledger."""
    if OURS not in bench.plan.clients:
        return []
    count, seconds = bench.scaled(256), bench.plan.seconds
    paths = bench.distinct_files(count, seconds)
    what = f"`LlamaParseTransform`, {count} files of {seconds:g} s"
    rows = []
    for where, task in (("one process", "pipeline_in_one_process"), ("Ray, 2 workers, one ledger", "pipeline_on_ray")):
        answers = bench.repeated(partial(bench.cloud_task, OURS, task, paths=paths))
        worst = min(answers, key=lambda answer: float(answer["arrived"]))
        again = max(answer["stats"]["jobs_created_again"] for answer in answers)
        billed = f", {again} jobs created again" if again else ""
        cell = (
            f"{median(answers, lambda a: a['seconds']):.1f} s, {arrivals(count, worst)}{billed}; "
            f"again from the ledger {median(answers, lambda a: a['again']):.1f} s, "
            f"{median(answers, requests_of):.0f} requests in both"
        )
        rows.append(Row(f"{what}: {where}", {OURS: cell}))
    return rows


def faults(bench: Bench) -> list[Row]:
    """Requests that fail, answers that get lost, jobs that fail, and a rate that is too low."""
    seconds = min(0.5, bench.plan.seconds)

    def struck(count: int, scenario: dict[str, Any]) -> Callable[[str], str]:
        def cell(client: str) -> str:
            paths = bench.files(count, seconds)
            answers = bench.repeated(lambda: bench.cloud_task(client, "many", paths=paths, scenario=scenario))
            worst = min(answers, key=lambda answer: answer["arrived"])
            again = max(answer["stats"]["jobs_created_again"] for answer in answers)
            billed = f", {again} jobs created again" if again else ""
            return f"{arrivals(count, worst)}, {median(answers, lambda a: a['seconds']):.1f} s{billed}"

        return cell

    rows = []
    for count in (bench.scaled(32), bench.scaled(64)):
        kinds = "429, 500, 503, cut"
        rows.append(
            bench.row(f"one request in five fails ({kinds}), {count} files", struck(count, {"one_in_fails": 5}))
        )
    count = max(8, bench.scaled(32))
    rows.append(bench.row(f"one create answer in five lost, {count} files", struck(count, {"one_create_in_lost": 5})))
    rows.append(failing_jobs(bench, count, seconds))
    if bench.plan.rate:
        rows.append(low_rate(bench))
    return rows


def failing_jobs(bench: Bench, count: int, seconds: float) -> Row:
    """One job in eight (four in quick runs) ends FAILED; ours in its lenient mode."""
    every = min(8, count)
    paths = bench.files(count, seconds, failing_every=every)

    def cell(client: str) -> str:
        task = "many_skipping" if client == OURS else "many"
        return arrivals(count, bench.cloud_task(client, task, paths=paths))

    return bench.row(f"one job in {every} fails, {count} files", cell)


def low_rate(bench: Bench) -> Row:
    """Sixty requests a minute for forty files, once: it takes minutes."""
    paths = bench.files(40, 1.0)

    def cell(client: str) -> str:
        answer = bench.cloud_task(client, "many", paths=paths, scenario={"rate": 60})
        created = answer["stats"]["jobs_created"]
        return f"{arrivals(40, answer)}, {answer['seconds']:.0f} s, {created} jobs created"

    return bench.row("60 requests a minute allowed, 40 files", cell)


def memory(bench: Bench) -> list[Row]:
    """Peak memory of uploading one large file."""
    size = int(400 * bench.plan.scale)
    large = bench.folder / "large-0.pdf"
    with large.open("wb") as file:
        file.truncate(size * MIB)

    def cell(client: str) -> str:
        answers = bench.repeated(lambda: bench.cloud_task(client, "upload", path=str(large)))
        assert all(answer["stats"]["bytes_received"] > size * MIB for answer in answers)
        return f"+{median(answers, lambda a: a['mib']):.0f} MiB"

    row = bench.row(f"peak memory for a {size} MiB upload", cell)
    large.unlink()
    return [row]


def imports(bench: Bench) -> list[Row]:
    """How long imports take in a new process."""

    def seconds(client: str, statement: str) -> float:
        code = IMPORT.format(statement=statement)
        return statistics.median(float(bench.python(client, "-c", code)) for _ in range(2 * bench.plan.runs - 1))

    statements = {
        SERVICES: "from llama_cloud_services import LlamaParse",
        SDK_CLIENT: "import llama_cloud; llama_cloud.LlamaCloud",
        OURS: "from llama_cloud_ext import LlamaParseReader",
    }
    rows = [bench.row("import of the client", lambda client: f"{seconds(client, statements[client]):.2f} s")]
    if OURS in bench.plan.clients:
        core = seconds(OURS, "import llama_index.core")
        package = 1000 * seconds(OURS, "import llama_cloud_ext")
        rows.append(Row("… of which `llama_index.core`", {OURS: f"{core:.2f} s"}))
        rows.append(Row("`import llama_cloud_ext`", {OURS: f"{package:.0f} ms"}))
    return rows


def conversions(bench: Bench) -> list[Row]:
    """Building documents from a long result."""
    if OURS not in bench.plan.clients:
        return []
    pages = 10_000
    answer = bench.task(OURS, "documents", pages=pages)
    share = answer["bare"] / answer["ours"]
    cell = f"{answer['ours']:.2f} s, bare {answer['bare']:.2f} s: {share:.0%} of its speed"
    return [Row(f"`documents()` of {pages:,} pages against bare `Document`s", {OURS: cell})]


def local_speed(bench: Bench) -> list[Row]:
    """A PDF of 200 pages through local LlamaCloud."""
    if OURS not in bench.plan.clients or not bench.plan.own_environment:
        return []
    pdf = bench.folder / "two-hundred-pages.pdf"
    guide = Path(__file__).parents[1] / "data" / "reportlab-userguide.pdf"
    bench.python(OURS, "-c", TWO_HUNDRED_PAGES.format(guide=str(guide), pdf=str(pdf)))
    answer = bench.task(OURS, "local", pdf=str(pdf), data=str(bench.folder / "local"))
    ours = answer.pop("ours")
    shares = "; ".join(f"{taken / ours:.0%} of liteparse for {what}" for what, taken in answer.items())
    return [Row("200-page PDF through local LlamaCloud, beside bare liteparse", {OURS: f"{ours:.2f} s: {shares}"})]


def local_retrieval(bench: Bench) -> list[Row]:
    """Taking in and searching passages with local LlamaCloud's engine, and how good it is at finding known items."""
    if OURS not in bench.plan.clients:
        return []
    passages = round(100_000 * bench.plan.scale)
    answer = json.loads(bench.python(OURS, "-c", RETRIEVAL.format(root=str(ROOT), passages=passages)))
    speeds = ", ".join(f"{kind} {taken:.0f} ms" for kind, taken in answer["median_ms"].items())
    rows = [
        Row(f"local retrieval: taking in {passages:,} passages", {OURS: f"{answer['chunks_a_second']:,.0f} chunks/s"}),
        Row("… median of 100 queries over them", {OURS: speeds}),
    ]
    for what, ranks in answer["mrr"].items():
        qualities = ", ".join(f"{kind} {rank:.3f}" for kind, rank in ranks.items())
        rows.append(Row(f"… MRR@10 of known items, {what}", {OURS: qualities}))
    return rows


def indexes(bench: Bench) -> list[Row]:
    """An index on local LlamaCloud: documents in, waiting for them, queries; all clients at one server."""
    count = bench.scaled(1000)
    path = document_file(bench, count)
    filled: dict[str, str] = {}

    def added(client: str) -> str:
        def once() -> dict[str, Any]:
            filled[client] = bench.new_index()
            return bench.index_task(client, "index_documents", path=path, index_name=filled[client])

        answers = bench.repeated(once)
        arrived = bench.served.documents(filled[client])
        lost = f", {count - arrived} missing" if arrived < count else ""
        return outcome(answers, lambda answer: f"{answer['seconds']:.1f} s") + lost

    def waited(client: str) -> str:
        answers = bench.repeated(lambda: bench.index_task(client, "index_wait", path=path, index_name=filled[client]))
        return outcome(answers, lambda answer: f"{answer['seconds']:.3f} s")

    queries = sampled_queries(QUERIES)

    def asked(client: str) -> str:
        answers = bench.repeated(
            lambda: bench.index_task(client, "index_queries", index_name=filled[client], queries=queries)
        )
        return outcome(answers, _query_times)

    def asked_at_once(client: str) -> str:
        answers = bench.repeated(
            lambda: bench.index_task(client, "index_queries_at_once", index_name=filled[client], queries=queries)
        )
        return outcome(answers, lambda answer: f"{answer['seconds']:.2f} s")

    return [
        bench.row(f"`from_documents`, {count:,} documents", added),
        bench.row(f"`wait_for_completion` for {count:,} documents that are done", waited),
        bench.row(f"{QUERIES} queries, hybrid and re-ranked, one after the other", asked),
        bench.row(f"{QUERIES} queries at once, asynchronously", asked_at_once),
        *streamed_documents(bench),
    ]


def streamed_documents(bench: Bench) -> list[Row]:
    """Many documents from a generator, which the other clients do not take."""
    count = bench.scaled(10_000)
    path = document_file(bench, count)

    def cell(client: str) -> str:
        name = bench.new_index()
        answer = bench.index_task(client, "index_stream", path=path, index_name=name)
        assert bench.served.documents(name) == count
        return (
            f"{answer['seconds']:.1f} s, {count / answer['seconds']:,.0f} documents/s, "
            f"{answer['requests']} requests, peak memory +{answer['mib']:.0f} MiB"
        )

    return [bench.row(f"`from_documents`, {count:,} documents of a generator", cell, [OURS])]


def document_file(bench: Bench, count: int) -> str:
    """A file of so many documents of about 600 characters, an id and a text in each line."""
    path = bench.folder / f"documents-{count}.jsonl"
    bench.folder.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        file.writelines(json.dumps([name, text]) + "\n" for name, text in passages(count))
    return str(path)


def outcome(answers: list[dict[str, Any]], described: Callable[[dict[str, Any]], str]) -> str:
    """The run of median duration and its requests; or the error that it ended with."""
    answer = sorted(answers, key=lambda one: float(one["seconds"]))[len(answers) // 2]
    if answer["error"]:
        return f"{answer['error']} after {answer['seconds']:.1f} s and {answer['requests']} requests"
    return f"{described(answer)}, {answer['requests']:,} requests"


def _query_times(answer: dict[str, Any]) -> str:
    return f"median {answer['client_ms']:.1f} ms, {answer['over_ms']:.1f} ms over the server's own time"


SUBJECTS: dict[str, Callable[[Bench], list[Row]]] = {
    "time": time_lost,
    "long": requests_for_a_long_job,
    "many": many_files,
    "thousand": thousand_files,
    "directories": directories,
    "pipelines": pipelines,
    "faults": faults,
    "memory": memory,
    "imports": imports,
    "documents": conversions,
    "local": local_speed,
    "index": indexes,
    "retrieval": local_retrieval,
}
