"""The extractor without a model: it reads what labels say, and leaves the rest null.

A value must stand beside, below or after a label that fits its field, in a table under a header that fits, or have a
form that leaves no doubt (the only e-mail address of the document, the only currency). Everything has its place in the
text; nothing is computed, translated or guessed. Confidence is how well the label fits times how plain the value is:
a measure of these rules, not a probability.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from llama_cloud_ext.local.extraction.label_words import words_of_label
from llama_cloud_ext.local.extraction.labels import LEAST_FIT, PREPOSITIONS, fit, words_of_field
from llama_cloud_ext.local.extraction.outcomes import NOTHING, Outcome, Tree
from llama_cloud_ext.local.extraction.pairs import LONGEST_PARAGRAPH, QUALITY, Pair, pairs_of_items, pairs_of_lines
from llama_cloud_ext.local.extraction.request import SourcePage
from llama_cloud_ext.local.extraction.schema_fields import Field
from llama_cloud_ext.local.extraction.segments import Line, lines_of, within
from llama_cloud_ext.local.extraction.table_columns import Row, Wanted
from llama_cloud_ext.local.extraction.table_rows import rows_of
from llama_cloud_ext.local.extraction.unlabelled import value_without_label
from llama_cloud_ext.local.extraction.values import Conventions, ReadValue, read_value, sort_of

NOTE = (
    "No model read this document: without llm= a rule-based extractor reads values by their labels, and leaves null "
    "what it does not find. Confidence says how well a label and a value fit, and is no probability."
)

_FORMLESS = frozenset({"text", "code", "choice"})
"""Sorts of values that must end where the rules are sure of it; the others have a form of their own."""

_LEAST_SCORE = 0.6
"""Of a label and its position together: a label that leaves out what the document says must stand clearly."""
_AMBIGUOUS = 0.8
"""What is left of the confidence where another place says something else."""


@dataclass(frozen=True)
class _Candidate:
    field: Field
    pair: Pair
    read: ReadValue
    score: float

    @property
    def outcome(self) -> Outcome:
        pair = self.pair
        # Where letters are spaced out, the page has not the value's own text.
        text = self.read.text if self.read.text in pair.raw else pair.raw
        return Outcome(
            self.read.value, text, pair.page, pair.label, self.score, f'Read {pair.position} the label "{pair.label}".'
        )


@dataclass(frozen=True)
class _Region:
    """A part of the document: all of it, or what stands below a heading in its column."""

    pages: Sequence[SourcePage]
    lines: Sequence[Line]
    is_whole: bool


def extract_by_rules(pages: Sequence[SourcePage], root: Field) -> Tree:
    """One object from some pages.

    Args:
        pages: All of a document, or one page of it.
        root: The schema's fields.

    Returns:
        Outcomes in the shape of the data.
    """
    lines = [line for page in pages for line in lines_of(page.text, page.page_number)]
    reader = _Reader(pages, lines, root)
    return reader.object(root, _Region(pages, lines, is_whole=True))


def extract_rows_by_rules(pages: Sequence[SourcePage], root: Field) -> list[Tree]:
    """One object a row of the tables whose headers fit the schema."""
    lines = [line for page in pages for line in lines_of(page.text, page.page_number)]
    wanted = Wanted(_scalars(root), _conventions(lines), lambda text: False)
    return [_row(row, root.properties) for row in rows_of(pages, lines, wanted)]


def _scalars(field: Field) -> list[Field]:
    return [inner for inner in field.properties if inner.kind not in {"object", "array", "unknown"}]


def _conventions(lines: Iterable[Line]) -> Conventions:
    return Conventions.of(segment.text for line in lines for segment in line.segments)


def _row(row: Row, properties: Sequence[Field]) -> dict[str, Tree]:
    tree: dict[str, Tree] = {}
    for field in properties:
        cell = row.get(field.name)
        if field.kind == "object":
            tree[field.name] = _row({}, field.properties)
        elif field.kind == "array":
            tree[field.name] = []
        elif cell is None:
            tree[field.name] = NOTHING
        else:
            text = cell.read.text if cell.read.text in cell.raw else cell.raw
            tree[field.name] = Outcome(
                cell.read.value, text, cell.page, "", cell.score, "Read in a table under a header that fits."
            )
    return tree


class _Reader:
    def __init__(self, pages: Sequence[SourcePage], lines: Sequence[Line], root: Field) -> None:
        self._conventions = _conventions(lines)
        self._labelled = [field for field in _all_fields(root) if field.name]
        self._vocabulary = frozenset(word for field in self._labelled for word in words_of_field(field))
        self._labels: dict[str, bool] = {}
        self._item_pairs = [pair for page in pages for pair in pairs_of_items(page, self._is_label)]

    def object(self, field: Field, region: _Region) -> dict[str, Tree]:
        """An object, its labels looked for in a region."""
        pairs = pairs_of_lines(region.lines, self._is_label) + (self._item_pairs if region.is_whole else [])
        chosen = self._chosen(_scalars(field), pairs, region)
        tree: dict[str, Tree] = {}
        for inner in field.properties:
            if inner.kind == "object":
                tree[inner.name] = self._nested(inner, field, region)
            elif inner.kind == "array":
                tree[inner.name] = self._array(inner, pairs, region)
            else:
                tree[inner.name] = chosen.get(inner.name, NOTHING)
        return tree

    # -- one value a field --------------------------------------------------------------------------------------

    def _chosen(self, fields: Sequence[Field], pairs: Sequence[Pair], region: _Region) -> dict[str, Outcome]:
        """The best label of each field; a place goes to the field that it fits best."""
        by_field = {field.name: self._candidates(field, pairs) for field in fields}
        candidates = sorted((found for some in by_field.values() for found in some), key=lambda found: -found.score)
        chosen: dict[str, Outcome] = {}
        taken: set[tuple[int, ...]] = set()
        for candidate in candidates:
            name, place = candidate.field.name, candidate.pair.place
            if name in chosen or place in taken:
                continue
            taken.add(place)
            chosen[name] = self._settled(candidate, by_field[name])
        for field in fields:
            if field.name not in chosen:
                outcome = value_without_label(field, fields, region.pages, region.lines, whole=region.is_whole)
                if outcome is not None:
                    chosen[field.name] = outcome
        return chosen

    def _candidates(self, field: Field, pairs: Sequence[Pair]) -> list[_Candidate]:
        sort = sort_of(field)
        vocabulary = words_of_field(field)
        found = []
        for pair in pairs:
            if vocabulary.isdisjoint(words_of_label(pair.label)):
                continue
            score = fit(pair.label, field) * QUALITY[pair.position]
            read = read_value(pair.value, field, self._conventions)
            if pair.position == "after" and read is not None and read.text == pair.value and sort not in _FORMLESS:
                score = fit(pair.label, field) * QUALITY["beside"]  # nothing else is there
            if score < _LEAST_SCORE or not self._is_sure(pair, sort) or _is_preposition(pair):
                continue
            if read is None and pair.position == "under a heading" and sort == "text":
                read = ReadValue(pair.value, pair.value, 0.8) if len(pair.value) <= LONGEST_PARAGRAPH else None
            if read is not None and (pair.position != "after" or pair.value.startswith(read.text)):
                found.append(_Candidate(field, pair, read, score * read.quality))
        return found

    @staticmethod
    def _is_sure(pair: Pair, sort: str) -> bool:
        """Whether a value ends where the pair says. Codes after a label are words with digits."""
        if sort not in _FORMLESS or (pair.whole and (sort != "code" or pair.position == "after a colon")):
            return True
        if sort == "code":  # with a digit it is no word of a sentence
            return any(character.isdigit() for character in pair.value)
        return sort == "choice"

    @staticmethod
    def _settled(best: _Candidate, candidates: Sequence[_Candidate]) -> Outcome:
        rivals = [other for other in candidates if other.score > best.score - 0.05]
        if "total" in words_of_label(best.field.name):
            best = max((other for other in rivals if other.score == best.score), key=lambda other: other.pair.place)
        outcome = best.outcome
        if len({str(other.read.value) for other in rivals}) > 1:
            reasoning = f"{outcome.reasoning} Other places say something else."
            confidence = _AMBIGUOUS * best.score
            return Outcome(outcome.value, outcome.text, outcome.page, outcome.label, confidence, reasoning)
        return outcome

    # -- objects in objects, lists ------------------------------------------------------------------------------

    def _nested(self, field: Field, parent: Field, region: _Region) -> Tree:
        section = self._section(field, parent, region)
        if section is not None:
            return self.object(field, section)
        alone = sum(other.kind == "object" for other in parent.properties) == 1
        if alone or not region.is_whole:
            return self.object(field, region)
        return self.object(_told_apart(field), region)

    def _section(self, field: Field, parent: Field, region: _Region) -> _Region | None:
        """What stands below the label of an object, in its column."""
        others = [other for other in parent.properties if other.kind == "object" and other.name != field.name]
        for line in region.lines:
            for index, segment in enumerate(line.segments):
                if fit(segment.text, field) < LEAST_FIT:
                    continue
                right = line.segments[index + 1].start if index + 1 < len(line.segments) else 10_000
                lines = within(region.lines, segment, right=right)
                end = next((at for at, below in enumerate(lines) if _starts_another(below, others)), len(lines))
                if any(below.segments for below in lines[:end]):
                    return _Region(region.pages, lines[:end], is_whole=False)
        return None

    def _array(self, field: Field, pairs: Sequence[Pair], region: _Region) -> Tree:
        entry = field.entry
        if entry is None:
            return []
        if entry.kind == "object":
            if not region.is_whole:
                return []
            wanted = Wanted(_scalars(entry), self._conventions, self._is_label_beyond(entry))
            return [_row(row, entry.properties) for row in rows_of(region.pages, region.lines, wanted)]
        if entry.kind in {"array", "unknown"}:
            return []
        return self._listed(field, entry, pairs)

    def _listed(self, field: Field, entry: Field, pairs: Sequence[Pair]) -> Tree:
        """Values that a comma or a semicolon sets apart beside the array's label."""
        one = Field(field.name, "string", field.description, parents=field.parents)
        fitting = [pair for pair in pairs if pair.whole and fit(pair.label, one) >= LEAST_FIT]
        best = max(fitting, key=lambda pair: fit(pair.label, one) * QUALITY[pair.position], default=None)
        if best is None:
            return []
        values: list[Tree] = []
        score = fit(best.label, one) * QUALITY[best.position]
        for part in best.value.replace(";", ",").split(","):
            named = Field(field.name, entry.kind, entry.description, entry.format, entry.choices)
            read = read_value(part, named, self._conventions)
            if read is not None:
                text = read.text if read.text in best.raw else best.raw
                values.append(Outcome(read.value, text, best.page, best.label, score * read.quality))
        return values

    def _is_label_beyond(self, entry: Field) -> Callable[[str], bool]:
        others = [field for field in self._labelled if field not in entry.properties and field.kind != "array"]
        return lambda text: any(fit(text, field) >= LEAST_FIT for field in others)

    def _is_label(self, text: str) -> bool:
        known = self._labels.get(text)
        if known is None and " " not in text and any(map(str.isdigit, text)):
            return False  # "INV-42" is no label, though it begins with a label's word
        if known is None:
            words = words_of_label(text)
            known = not self._vocabulary.isdisjoint(words) and any(
                fit(text, field) >= LEAST_FIT for field in self._labelled
            )
            self._labels[text] = known
        return known


def _is_preposition(pair: Pair) -> bool:
    return pair.position != "after a colon" and PREPOSITIONS.issuperset(words_of_label(pair.label))


def _all_fields(field: Field) -> Iterable[Field]:
    yield field
    for inner in field.properties:
        yield from _all_fields(inner)
    if field.entry is not None:
        yield from _all_fields(field.entry)


def _starts_another(line: Line, others: Sequence[Field]) -> bool:
    return any(fit(segment.text, other) >= LEAST_FIT for segment in line.segments for other in others)


def _told_apart(field: Field) -> Field:
    """An object whose labels must name it: of two parties' e-mail addresses, "email" is neither's."""
    return replace(field, properties=tuple(replace(inner, needs_parent=True) for inner in field.properties))
