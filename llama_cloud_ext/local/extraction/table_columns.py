"""What the rows of a table are read for, and which column belongs to which property."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from llama_cloud_ext.local.extraction.label_words import words_of_label
from llama_cloud_ext.local.extraction.labels import LEAST_FIT, fit
from llama_cloud_ext.local.extraction.schema_fields import Field
from llama_cloud_ext.local.extraction.values import Conventions, ReadValue

_SUMS = frozenset({"total", "subtotal"})


@dataclass(frozen=True)
class Cell:
    """A value of a row, with where it is from.

    Attributes:
        read: The value.
        raw: The cell as it is on the page.
        page: Number of the page.
        score: How sure it is, up to 1.
    """

    read: ReadValue
    raw: str
    page: int
    score: float


Row = dict[str, Cell]
"""Values by the name of the property; those without one are left out."""


@dataclass(frozen=True)
class Wanted:
    """What a row may give, and how to read it.

    Attributes:
        properties: Those with a single value.
        conventions: How the document writes numbers and dates.
        is_label: Whether a text is the label of something that follows a table, such as its tax.
    """

    properties: Sequence[Field]
    conventions: Conventions
    is_label: Callable[[str], bool]

    @property
    def least(self) -> int:
        """Columns that a header must name, and values that a row must have: one might be a coincidence."""
        return min(2, len(self.properties))

    def ends(self, first: str) -> bool:
        """Whether a row that begins so belongs to the table no more."""
        return bool(_SUMS.intersection(words_of_label(first))) or self.is_label(first)

    def columns_of(self, header: Sequence[str]) -> dict[int, tuple[Field, float]]:
        """The property of each column, with how well it fits; each property has the column that fits it best."""
        fits = sorted(
            (
                (fit(cell, field), column, index)
                for column, cell in enumerate(header)
                if cell
                for index, field in enumerate(self.properties)
            ),
            key=lambda found: (-found[0], found[1], found[2]),
        )
        columns: dict[int, tuple[Field, float]] = {}
        taken: set[int] = set()
        for score, column, index in fits:
            if score >= LEAST_FIT and column not in columns and index not in taken:
                columns[column] = (self.properties[index], score)
                taken.add(index)
        return columns
