"""What a retrieval is asked for: presets, filters, re-ranking, the indexes of a composite, and what makes them."""

from __future__ import annotations

from datetime import date
from enum import Enum
from typing import Any, get_args

import pytest
from pydantic import BaseModel, Field

from llama_cloud_ext.errors import ConfigurationError
from llama_cloud_ext.wire.models.retrieval import (
    MetadataFilter,
    MetadataFilters,
    PresetRetrievalParams,
    ReRankConfig,
    RetrieverPipeline,
    inference_schema,
)
from llama_cloud_ext.wire.models.settling import answered, as_fields, settle

YEAR: dict[str, Any] = {"key": "year", "operator": ">=", "value": 2024}
NESTED: dict[str, Any] = {
    "condition": "or",
    "filters": [YEAR, {"condition": "not", "filters": [{"key": "draft", "operator": "==", "value": "yes"}]}],
}


class Paper(BaseModel):
    """Metadata as a user describes it."""

    year: int


def test_what_is_off_or_zero_is_sent() -> None:
    """Ensure False, 0, 0.0, "" and empty lists arrive, and None alone does not."""
    sent = PresetRetrievalParams(
        alpha=0.0,
        dense_similarity_top_k=0,
        enable_reranking=False,
        class_name="",
        retrieval_mode=None,
        search_filters={"filters": []},
        search_filters_inference_schema={},
    ).to_body()
    assert sent == {
        "alpha": 0.0,
        "dense_similarity_top_k": 0,
        "enable_reranking": False,
        "class_name": "",
        "search_filters": {"filters": [], "condition": "and"},
        "search_filters_inference_schema": {},
    }
    assert PresetRetrievalParams().to_body() == {}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"dense_similarity_topk": 3}, "dense_similarity_topk: unknown option; did you mean 'dense_similarity_top_k'?"),
        ({"alpha": 1.5}, "alpha: Input should be less than or equal to 1"),
        ({"rerank_top_n": 0}, "rerank_top_n: Input should be greater than or equal to 1"),
        ({"retrieval_mode": "chunk"}, "retrieval_mode: 'chunk' is not one of .*; did you mean 'chunks'?"),
        ({"search_filters": {"filter": []}}, "search_filters.filter: unknown option; did you mean 'filters'?"),
        ({"search_filters": 3}, "search_filters: "),
    ],
)
def test_presets_that_cannot_work(options: dict[str, Any], words: str) -> None:
    """Ensure an error says which option, and which one was meant."""
    with pytest.raises(ConfigurationError, match=words.replace("?", r"\?")):
        PresetRetrievalParams(**options)


@pytest.mark.parametrize("operator", get_args(MetadataFilter.model_fields["operator"].annotation))
def test_operators(operator: str) -> None:
    """Ensure every operator travels as it is spelled."""
    one = {"key": "a", "operator": operator, "value": ["x", 1, 0.5]}
    assert MetadataFilters(filters=[one]).to_body() == {"filters": [one], "condition": "and"}


def test_emptiness_is_asked_for_without_a_value() -> None:
    """Ensure a filter without a value sends that it has none, as the service wants the field."""
    assert MetadataFilter(key="a", operator="is_empty").to_body() == {"key": "a", "operator": "is_empty", "value": None}


@pytest.mark.parametrize("value", [0, 1, -0.5, "", "1", True, False, [], ["a"], [1, 2], [0.5], ["a", 1]])
def test_values_keep_their_type(value: Any) -> None:
    """Ensure a number stays one and a string stays one: the service tells them apart."""
    sent = MetadataFilter(key="a", value=value).to_body()["value"]
    assert sent == value
    assert type(sent) is type(value)


def test_filters_of_all_kinds_nest() -> None:
    """Ensure dicts and models may be mixed at any depth."""
    inner = MetadataFilters(filters=[MetadataFilter(**YEAR)], condition="not")
    made = MetadataFilters(filters=[{"condition": "or", "filters": [YEAR, inner]}])
    assert made.to_body()["filters"] == [
        {"condition": "or", "filters": [YEAR, {"condition": "not", "filters": [YEAR]}]},
    ]
    assert MetadataFilters(**NESTED).to_body() == NESTED


def test_filters_of_other_packages() -> None:
    """Ensure objects of other packages work at any depth, enums and fields that are None included."""

    class Operator(str, Enum):
        GTE = ">="

    class TheirFilter(BaseModel):
        key: str
        value: Any = None
        operator: Operator | None = None

    class TheirFilters(BaseModel):
        filters: list[Any]
        condition: str | None = None

    class OlderFilter:
        def dict(self, **_: Any) -> dict[str, Any]:
            return {"key": "old", "value": 1}

    year = TheirFilter(key="year", value=2024, operator=Operator.GTE)
    theirs = TheirFilters(filters=[year, TheirFilters(filters=[TheirFilter(key="a")], condition="not")])
    preset = PresetRetrievalParams(search_filters=theirs)
    assert preset.to_body()["search_filters"] == {
        "condition": "and",
        "filters": [YEAR, {"condition": "not", "filters": [{"key": "a", "operator": "==", "value": None}]}],
    }
    assert MetadataFilters(filters=[year, OlderFilter()]).to_body()["filters"] == [
        YEAR,
        {"key": "old", "operator": "==", "value": 1},
    ]
    loose = {"filters": [{**YEAR, "operator": None}], "condition": "or"}
    assert MetadataFilters(**loose).to_body()["filters"][0]["operator"] == "=="


@pytest.mark.parametrize(
    ("one", "words"),
    [
        ({**YEAR, "operator": "=>"}, r"filters\[1\].operator: '=>' is not one of ==, "),
        ({**YEAR, "operator": "containing"}, r"filters\[1\].operator: .*; did you mean 'contains'\?"),
        ({**YEAR, "value": {"a": 1}}, r"filters\[1\].value: a value of type dict cannot be compared with 'year'"),
        ({**YEAR, "value": date(2024, 1, 1)}, r"filters\[1\].value: a value of type date .*\n.*dates are written"),
        ({**YEAR, "value": [1, [2]]}, r"filters\[1\].value: a value of type list cannot be compared with 'year'"),
        ({**YEAR, "value": float("inf")}, r"filters\[1\].value: inf cannot be compared with 'year'"),
        ({"key": "", "value": 1}, r"filters\[1\].key: "),
        ({"value": 1}, r"filters\[1\].key: Field required"),
        ({"keys": "a", "value": 1}, r"filters\[1\].keys: unknown option; did you mean 'key'\?"),
        ({"filters": [YEAR, {"key": "b", "operator": "~"}]}, r"filters\[1\].filters\[1\].operator: '~' is not one of "),
        ({"filters": [YEAR], "condition": "nor"}, r"filters\[1\].condition: 'nor' is not one of and, or, not"),
        ("year >= 2024", r"filters\[1\]: str is no filter"),
        (None, r"filters\[1\]: NoneType is no filter"),
    ],
)
def test_filters_that_cannot_work(one: Any, words: str) -> None:
    """Ensure an error names the filter by its place, its key and its operator."""
    with pytest.raises(ConfigurationError, match=words):
        MetadataFilters(filters=[YEAR, one])


def test_filters_are_a_list() -> None:
    """Ensure a single filter is not taken for a list of them."""
    with pytest.raises(ConfigurationError, match="filters: "):
        MetadataFilters(filters=YEAR)


@pytest.mark.parametrize("kind", ["system_default", "llm", "cohere", "bedrock", "score", "disabled"])
def test_reranking(kind: str) -> None:
    """Ensure every kind of re-ranking can be asked for."""
    assert ReRankConfig(type=kind, top_n=1).to_body() == {"type": kind, "top_n": 1}
    with pytest.raises(ConfigurationError, match="did you mean 'cohere'"):
        ReRankConfig(type="coheer")


def test_the_index_of_a_composite_has_a_name_and_a_description() -> None:
    """Ensure the two fields that the service requires are sent as None where there is nothing to say."""
    assert RetrieverPipeline(pipeline_id="p").to_body() == {"pipeline_id": "p", "name": None, "description": None}
    with pytest.raises(ConfigurationError, match="pipeline_id: Field required"):
        RetrieverPipeline(name="x")
    with pytest.raises(ConfigurationError, match=r"preset_retrieval_parameters\.alpa: .*did you mean 'alpha'"):
        RetrieverPipeline(pipeline_id="p", preset_retrieval_parameters={"alpa": 1})


def test_settle() -> None:
    """Ensure None stays, a model stays itself, and dicts and others' objects become the model."""

    class Theirs(BaseModel):
        number: int = Field(alias="top_n")
        type: str | None = None

    class Older:
        def dict(self, **options: Any) -> dict[str, Any]:
            assert options == {"by_alias": True, "exclude_none": True}
            return {"top_n": 2}

    mine = ReRankConfig(top_n=2)
    assert settle(ReRankConfig, None) is None
    assert settle(ReRankConfig, mine) is mine
    for other in ({"top_n": 2, "type": None}, Theirs(top_n=2), Older()):
        assert settle(ReRankConfig, other) == mine


@pytest.mark.parametrize("value", [3, "llm", [("top_n", 3)], ReRankConfig, object()])
def test_what_cannot_be_settled(value: Any) -> None:
    """Ensure what is no such thing is refused by its type, without showing it."""
    with pytest.raises(ConfigurationError, match=f"{type(value).__name__} is no ReRankConfig"):
        settle(ReRankConfig, value)


def test_a_model_of_another_kind_is_read_by_its_fields() -> None:
    """Ensure models of ours are taken apart like others' objects, so that what does not fit is named."""
    assert as_fields(RetrieverPipeline(pipeline_id="p"), "x") == {"pipeline_id": "p"}
    with pytest.raises(ConfigurationError, match="pipeline_id: unknown option"):
        settle(ReRankConfig, RetrieverPipeline(pipeline_id="p"))


def test_what_the_service_answered_is_taken_as_it_stands() -> None:
    """Ensure new fields and new values of a newer service break nothing, and that known ones go back unchanged."""
    record = {
        "pipeline_id": "p",
        "name": "one",
        "added": {"a": 1},
        "preset_retrieval_parameters": {
            "alpha": 7.0,
            "retrieval_mode": "shiny",
            "added": True,
            "search_filters": {"filters": [{"key": "a", "operator": "~", "value": None}], "condition": "xor"},
            "rerank_top_n": None,
        },
    }
    made = answered(RetrieverPipeline, record)
    assert isinstance(made.preset_retrieval_parameters, PresetRetrievalParams)
    assert (made.name, made.description, made.preset_retrieval_parameters.alpha) == ("one", None, 7.0)
    assert made.to_body() == {
        "pipeline_id": "p",
        "name": "one",
        "description": None,
        "preset_retrieval_parameters": {
            "alpha": 7.0,
            "retrieval_mode": "shiny",
            "search_filters": {"filters": [{"key": "a", "operator": "~", "value": None}], "condition": "xor"},
        },
    }
    assert answered(RetrieverPipeline, {"preset_retrieval_parameters": "junk"}).pipeline_id is None


def test_inference_schemas() -> None:
    """Ensure a JSON schema, a pydantic class and an instance of one all give a JSON schema."""
    schema = Paper.model_json_schema()
    assert inference_schema(None) is None
    assert inference_schema(schema) is schema
    assert inference_schema(Paper) == inference_schema(Paper(year=1)) == schema
    with pytest.raises(ConfigurationError, match="int has no schema") as info:
        inference_schema(3)
    assert info.value.option == "search_filters_inference_schema"
