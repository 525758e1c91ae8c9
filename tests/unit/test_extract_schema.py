"""What the service takes as a schema: its limits, its keywords, and the path of what it does not take."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from llama_cloud_ext.wire.models.extract_schema import (
    MAX_CHARACTERS,
    MAX_JSON_CHARACTERS,
    MAX_LEVELS,
    MAX_PROPERTIES,
    SchemaProblem,
    schema_problems,
)
from llama_cloud_ext.wire.models.schema_references import MAX_DEPTH, InliningError, inline_references

TEXT = {"type": "string"}
# The older seed's own example, which marks what may be missing as the guides say.
RESUME: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "description": "Candidate name"},
        "experience": {
            "type": "array",
            "description": "Work history",
            "items": {
                "type": "object",
                "properties": {
                    "company": {"type": "string", "description": "Company name"},
                    "title": {"type": "string", "description": "Job title"},
                    "start_date": {"anyOf": [{"type": "string"}, {"type": "null"}], "description": "Start date"},
                },
            },
        },
    },
}


def root(**properties: Any) -> dict[str, Any]:
    """A root object with these fields."""
    return {"type": "object", "properties": properties}


def nested(levels: int) -> dict[str, Any]:
    """Objects within each other, every second one in a list."""
    schema: dict[str, Any] = root(deepest=TEXT)
    for level in range(levels - 1):
        schema = root(inner={"type": "array", "items": schema} if level % 2 else schema)
    return schema


def found(schema: Any) -> list[tuple[str, str]]:
    """Path and message of each problem, each of which has a next step."""
    problems = schema_problems(schema)
    assert all(problem.hint.endswith((".", "?", "}")) for problem in problems)
    return [(problem.path, problem.message) for problem in problems]


def test_schema_of_the_guides_passes_unchanged() -> None:
    """Ensure the seed's example has no problem, and is not changed by the look at it."""
    before = copy.deepcopy(RESUME)
    assert found(RESUME) == []
    assert before == RESUME
    assert inline_references(RESUME) == before


@pytest.mark.parametrize(
    "keywords",
    [
        {"format": "date"},
        {"pattern": "^[A-Z]{3}$", "minLength": 3, "maxLength": 3},
        {"enum": ["visa", "other"]},
        {"const": "visa"},
        {"title": "Card", "description": "The card", "examples": ["visa"], "default": None},
        {"$comment": "no matter", "deprecated": True},
    ],
)
def test_keywords_of_the_official_examples_pass(keywords: dict[str, Any]) -> None:
    """Ensure what the SDK's own example schemas hold is let through, heeded by the service or not."""
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        **root(card={"type": "string", **keywords}),
        "additionalProperties": False,
        # One of those examples requires a name that it does not define.
        "required": ["card", "growthRate"],
    }
    assert found(schema) == []


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ({"type": "number", "default": 0}, "has the default 0, and the service takes none but null"),
        ({"type": "boolean", "default": False}, "has the default False, and the service takes none but null"),
        ({}, "has no type"),
        ({"description": "anything"}, "has no type"),
        ("string", "'string' is not a schema"),
        (True, "True is not a schema"),
        ({"type": "text"}, "has the type 'text', which there is not"),
        ({"type": {"of": "string"}}, "has the type {'of': 'string'}, which there is not"),
        ({"type": ["string", "null"]}, "has several types, ['string', 'null']"),
        ({"type": "string", "description": 5}, "has a description that is no text"),
        ({"type": "string", "descripton": "x"}, "'descripton' is no keyword of JSON schema that the service knows"),
        ({"type": "string", "nullable": True}, "nullable is not supported"),
        ({"type": "string", "not": {"const": "x"}}, "not is not supported"),
        ({"type": "string", "enum": []}, "enum is not a list of values"),
        ({"type": "string", "enum": "a"}, "enum is not a list of values"),
        ({"enum": [["a"]]}, "enum holds lists or objects"),
        ({"anyOf": []}, "anyOf is not a list of schemas"),
        ({"anyOf": {"type": "string"}}, "anyOf is not a list of schemas"),
        ({"type": "array"}, "is a list of unknown items"),
        ({"type": "object"}, "is an object without fields"),
        ({"type": "object", "properties": {}}, "is an object without fields"),
        ({"type": "object", "properties": []}, "is an object without fields"),
        ({**root(a=TEXT), "additionalProperties": TEXT}, "has fields without fixed names"),
        ({**root(a=TEXT), "required": "a"}, "required is not a list of names"),
        ({"type": "object", "properties": {" ": TEXT}}, "has a field named ' '"),
        ({"type": "object", "properties": {5: TEXT}}, "has a field named 5"),
        ({"type": "string", 5: "x"}, "5 is no keyword of JSON schema that the service knows"),
        ({"$ref": "https://example.com/a.json"}, "$ref 'https://example.com/a.json' leads out of the schema"),
        ({"$ref": "#/$defs/Nowhere"}, "$ref '#/$defs/Nowhere' leads nowhere"),
        ({"$ref": {"a": 1}}, "$ref {'a': 1} leads out of the schema"),
        ({"$ref": "#"}, None),
    ],
)
def test_problem_is_named_by_its_path(field: Any, message: str | None) -> None:
    """Ensure each thing that the service does not take is found in a field, in the items of a list and in a union."""
    places = [
        ("total", root(total=field)),
        ("lines[].total", root(lines={"type": "array", "items": root(total=field)})),
        ("pay.total", root(pay={"anyOf": [root(total=field), {"type": "null"}]})),
    ]
    for path, schema in places:
        expected = (path, message) if message else (f"{path} -> the root", RECURSION)
        assert found(schema) == [expected]


RECURSION = "contains itself, and the service takes no recursive schemas"


def test_items_by_position_are_refused() -> None:
    """Ensure a list whose items differ by position is refused at its items, as older JSON schema writes it."""
    positions = root(pair={"type": "array", "items": [TEXT, TEXT]})
    assert found(positions) == [("pair[]", "has a schema for each position")]


@pytest.mark.parametrize("keyword", ["oneOf", "allOf"])
def test_combinations_other_than_any_of_are_refused(keyword: str) -> None:
    """Ensure a keyword that changes the shape is refused together with what is missing without it."""
    assert found(root(a={keyword: [TEXT]})) == [("a", f"{keyword} is not supported"), ("a", "has no type")]


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"type": "array", "items": TEXT}, "the root is of type 'array'"),
        ({"properties": {"a": TEXT}}, "the root has no type"),
        ({"anyOf": [root(a=TEXT)]}, "the root has no type"),
        ({}, "the root has no type"),
        ([], "[] is not a schema"),
    ],
)
def test_root_is_an_object(schema: Any, message: str) -> None:
    """Ensure a root that is no object is refused before anything else of it is looked at."""
    assert found(schema) == [("", message)]


def test_levels_are_counted_in_lists_too() -> None:
    """Ensure seven objects within each other pass, and the eighth is refused where it stands."""
    assert found(nested(MAX_LEVELS)) == []
    ((path, message),) = found(nested(MAX_LEVELS + 1))
    assert path.count("inner") == MAX_LEVELS
    assert message == f"is on level {MAX_LEVELS + 1}, of {MAX_LEVELS} allowed"


def test_properties_are_counted_wherever_they_are_used() -> None:
    """Ensure the fields of a definition count at every place that refers to it."""
    definition = root(**{f"f{number}": {"type": "null"} for number in range(49)})
    schema = {**root(**{f"g{n}": {"$ref": "#/$defs/Many"} for n in range(100)}), "$defs": {"Many": definition}}
    assert found(schema) == []
    schema["properties"]["one_more"] = {"type": "null"}
    assert found(schema)[0] == ("", f"has {MAX_PROPERTIES + 1:,} properties, of {MAX_PROPERTIES:,} allowed")


def test_characters_of_names_descriptions_and_choices_are_counted() -> None:
    """Ensure names, titles, descriptions, enum values and examples count together, and nothing else."""
    field = {"type": "string", "title": "t", "description": "d", "enum": ["e", "ee"], "examples": ["x", ["y"]]}
    schema = root(n=field, long={"type": "string", "description": ""})
    rest = len("ntdeeexylong")
    schema["properties"]["long"]["description"] = "d" * (MAX_CHARACTERS - rest)
    assert found(schema) == []
    schema["properties"]["long"]["description"] += "d"
    message = f"has {MAX_CHARACTERS + 1:,} characters of names, descriptions and enum values, of 120,000 allowed"
    assert found(schema) == [("", message)]


def test_json_is_bounded_as_a_whole() -> None:
    """Ensure a schema that is small in words but large as JSON is refused, as the guides have it."""
    schema = root(**{f"f{number}": {"type": "string", "$comment": "c" * 40} for number in range(2_000)})
    size = len(json.dumps(schema, separators=(",", ":")))
    assert found(schema) == [("", f"is {size:,} characters of JSON, of {MAX_JSON_CHARACTERS:,} allowed")]


def test_values_that_json_does_not_have_are_refused() -> None:
    """Ensure a schema built in Python that cannot be sent is refused here."""
    ((path, message),) = found(root(a={"type": "string", "examples": [{1, 2}]}))
    assert path == ""
    assert "not JSON serializable" in message


def test_definitions_that_grow_without_end_are_refused_at_once() -> None:
    """Ensure definitions that use each other many times each are given up, in time and in memory."""
    fields = {f"f{number}": number for number in range(20)}
    definitions = {
        f"D{depth}": root(**{name: {"$ref": f"#/$defs/D{depth + 1}"} for name in fields}) for depth in range(6)
    }
    schema = {**root(a={"$ref": "#/$defs/D0"}), "$defs": {**definitions, "D6": TEXT}}
    ((_path, message),) = found(schema)
    assert message == "more than 50,000 schemas in all, with the definitions written out"


def test_bottomless_schemas_are_refused() -> None:
    """Ensure neither lists of lists without end nor a value of any depth exhaust the interpreter's stack."""
    lists: dict[str, Any] = TEXT
    for _ in range(5_000):
        lists = {"type": "array", "items": lists}
    ((path, message),) = found(root(a=lists))
    assert path.startswith("a[]")
    assert message == f"more than {MAX_DEPTH} schemas within each other"
    value: list[Any] = []
    for _ in range(5_000):
        value = [value]
    assert found(root(a={"type": "string", "examples": value})) == [("", "holds values that are nested too deeply")]


def test_recursion_is_named_by_the_way_back() -> None:
    """Ensure a definition that comes back to itself is named where it does, directly or through another."""
    node = root(children={"type": "array", "items": {"$ref": "#/$defs/Node"}})
    assert found({"$ref": "#/$defs/Node", "$defs": {"Node": node}}) == [("children[] -> Node", RECURSION)]
    definitions = {"A": root(b={"$ref": "#/definitions/B"}), "B": root(a={"$ref": "#/definitions/A"})}
    schema = {**root(top={"$ref": "#/definitions/A"}), "definitions": definitions}
    assert found(schema) == [("top.b.a -> A", RECURSION)]


def test_references_are_written_out() -> None:
    """Ensure a reference gives way to its target, with what stands beside it in front, and definitions go."""
    schema = {
        **root(
            sender={"$ref": "#/$defs/a~1b", "description": "Who sent it"},
            **{"$ref": {"$ref": "#/properties/sender"}},
            kinds={"enum": ("a", "b")},
        ),
        "$defs": {"a/b": {"type": "string", "description": "A party"}},
    }
    sender = {"type": "string", "description": "Who sent it"}
    assert inline_references(schema) == root(sender=sender, **{"$ref": sender}, kinds={"enum": ["a", "b"]})


def test_missing_definition_names_those_that_are_there() -> None:
    """Ensure the next step after a reference that leads nowhere lists what could have been meant."""
    with pytest.raises(InliningError) as caught:
        inline_references({**root(a={"$ref": "#/$defs/Lines"}), "$defs": {"Line": TEXT}})
    assert caught.value.hint == "Defined are: #/$defs/Line."


def test_problem_reads_as_a_line() -> None:
    """Ensure a problem is printed with its path, and without where it concerns the whole."""
    assert str(SchemaProblem("a[].b", "is wrong", "Mend it.")) == "a[].b: is wrong"
    assert str(SchemaProblem("", "is wrong", "Mend it.")) == "is wrong"
