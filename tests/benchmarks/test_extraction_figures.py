"""The rule-based extractor on real documents: what it says is right, and it finds most of what there is."""

from __future__ import annotations

import pytest

from tests.benchmarks.extraction import Score, extraction_of, leaves, pages_of, score, scores, traceable_paths
from tests.benchmarks.extraction_cases import CASES, Case

HALF_A = [case for case in CASES if case.tuned_on]
HALF_B = [case for case in CASES if not case.tuned_on]


@pytest.fixture(scope="module")
def half_b() -> Score:
    """How the documents went that nothing was tuned on."""
    return scores(HALF_B)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_nothing_is_invented(case: Case) -> None:
    """Ensure every value has a citation, and that the page it names has the text."""
    extraction = extraction_of(case)
    assert {path for path, _ in leaves(extraction.data)} == traceable_paths(pages_of(case.path, case.pages), extraction)


@pytest.mark.parametrize("case", HALF_A, ids=lambda case: case.name)
def test_documents_that_rules_are_tuned_on_have_no_wrong_value(case: Case) -> None:
    """Ensure whatever is extracted from them is what a person reads."""
    went = score(case)
    assert went.right == went.extracted, went.wrong


def test_most_is_found(half_b: Score) -> None:
    """Ensure recall on the documents that only judge stays what it was, rounded down."""
    assert half_b.recall >= 0.98


def test_hardly_anything_is_wrong(half_b: Score) -> None:
    """Ensure precision on the documents that only judge stays what it was, rounded down."""
    assert half_b.precision >= 0.99
