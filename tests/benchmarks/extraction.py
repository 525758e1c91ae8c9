"""Measures the rule-based extractor on real documents: how much it finds, how much of that is right, how fast it is.

    python -m tests.benchmarks.extraction            # one JSON object
    python -m tests.benchmarks.extraction --wrong    # also what of half A it misses or gets wrong

Recall is the share of the values that a person reads which were extracted rightly; precision is the share of the
extracted values that are right. `traceable` is the share of the extracted values whose citation is text of the page it
names. Rules were tuned on half A; half B judges them.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from llama_cloud_ext.local.engine import parse_document
from llama_cloud_ext.local.extraction import Extraction, ExtractionRequest, SourcePage, extract
from tests.benchmarks.extraction_cases import CASES, ROOT, Case

Leaf = tuple[str, Any]


@dataclass
class Score:
    """What became of the values of some documents.

    Attributes:
        wanted: Values that a person reads.
        extracted: Values that were extracted.
        right: Extracted values that a person reads too.
        traceable: Extracted values that the cited page has.
        wrong: What differs, in words.
    """

    wanted: int = 0
    extracted: int = 0
    right: int = 0
    traceable: int = 0
    wrong: list[str] = field(default_factory=list)

    def __iadd__(self, other: Score) -> Score:
        self.wanted += other.wanted
        self.extracted += other.extracted
        self.right += other.right
        self.traceable += other.traceable
        self.wrong += other.wrong
        return self

    @property
    def recall(self) -> float:
        """Of the values that there are."""
        return self.right / self.wanted if self.wanted else 1.0

    @property
    def precision(self) -> float:
        """Of the values that were extracted."""
        return self.right / self.extracted if self.extracted else 1.0


@cache
def pages_of(path: str, numbers: tuple[int, ...] | None) -> tuple[SourcePage, ...]:
    """The parsed pages of a document."""
    result = parse_document(
        ROOT / path, Path(path).name, {"tier": "agentic", "version": "latest"}, should_stop=lambda: False
    )
    return tuple(
        SourcePage(page.number, page.text, page.markdown, page.items, page.width, page.height)
        for page in result.pages
        if numbers is None or page.number in numbers
    )


def extraction_of(case: Case) -> Extraction:
    """What the rule-based extractor makes of a case."""
    request = ExtractionRequest(case.schema, target=case.target, cite_sources=True, confidence_scores=True)
    return extract(pages_of(case.path, case.pages), request, llm=None)


def leaves(data: Any, path: str = "") -> Iterator[Leaf]:
    """The paths and values of everything that is not None."""
    if isinstance(data, dict):
        for name, value in data.items():
            yield from leaves(value, f"{path}.{name}" if path else name)
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from leaves(value, f"{path}[{index}]")
    elif data is not None:
        yield path, data


def cited(metadata: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """The paths and the citations of all leaves that have one."""
    if isinstance(metadata, dict) and isinstance(metadata.get("citation"), list):
        for citation in metadata["citation"]:
            yield path, citation
    elif isinstance(metadata, dict):
        for name, value in metadata.items():
            yield from cited(value, f"{path}.{name}" if path else name)
    elif isinstance(metadata, list):
        for index, value in enumerate(metadata):
            yield from cited(value, f"{path}[{index}]")


def traceable_paths(pages: Iterable[SourcePage], extraction: Extraction) -> set[str]:
    """The paths of the values whose cited text the cited page has."""
    texts = {page.page_number: _without_space(f"{page.text}\n{page.markdown}\n{page.items}") for page in pages}
    (metadata,) = extraction.field_metadata.values()
    return {
        path
        for path, citation in cited(metadata)
        if _without_space(citation["matching_text"]) in texts.get(citation["page"], "")
    }


def _without_space(text: str) -> str:
    return "".join(text.split())


def score(case: Case) -> Score:
    """How a case went."""
    extraction = extraction_of(case)
    wanted, extracted = dict(leaves(case.expected)), dict(leaves(extraction.data))
    right = {path for path, value in extracted.items() if path in wanted and wanted[path] == value}
    traceable = traceable_paths(pages_of(case.path, case.pages), extraction)
    wrong = [
        f"{case.name}: {path}: {extracted.get(path)!r}, not {wanted.get(path)!r}"
        for path in {**wanted, **extracted}
        if path not in right
    ]
    return Score(len(wanted), len(extracted), len(right), len(traceable & set(extracted)), wrong)


def scores(cases: Iterable[Case]) -> Score:
    """How some cases went together."""
    total = Score()
    for case in cases:
        total += score(case)
    return total


def milliseconds_a_page(cases: Iterable[Case]) -> float:
    """How long extraction takes, parsing left out."""
    cases = list(cases)
    pages = sum(len(pages_of(case.path, case.pages)) for case in cases)
    start = time.perf_counter()
    for case in cases:
        extraction_of(case)
    return 1000 * (time.perf_counter() - start) / pages


def measurements() -> dict[str, Any]:
    """Both halves."""
    halves = {
        "half A (tuned on)": [case for case in CASES if case.tuned_on],
        "half B": [case for case in CASES if not case.tuned_on],
    }
    return {
        name: {
            "documents": len(cases),
            "values": (total := scores(cases)).wanted,
            "extracted": total.extracted,
            "right": total.right,
            "precision": round(total.precision, 3),
            "recall": round(total.recall, 3),
            "traceable": round(total.traceable / max(total.extracted, 1), 3),
            "recall_by_document": {case.name: round(score(case).recall, 2) for case in cases},
        }
        for name, cases in halves.items()
    } | {"milliseconds_a_page": round(milliseconds_a_page(CASES), 1)}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measurements(), indent=1) + "\n")
    if "--wrong" in sys.argv:
        sys.stdout.write("\n".join(scores(case for case in CASES if case.tuned_on).wrong) + "\n")
