"""LlamaIndex filters as an index over a directory takes them, or the reason why it cannot."""

from __future__ import annotations

from typing import Any

import pytest
from llama_index.core.vector_stores import FilterCondition, FilterOperator, MetadataFilter, MetadataFilters

from llama_cloud_ext import ConfigurationError, LlamaCloudDirectoryRetriever
from llama_cloud_ext.index.directory_filters import custom_filters
from llama_cloud_ext.wire.models.directory import DirectoryFileOptions, DirectoryOptions
from llama_cloud_ext.wire.models.directory_index import DirectoryIndexOptions, DirectoryRetrievalSettings

MAPPED = {"==": "eq", "!=": "ne", ">": "gt", "<": "lt", ">=": "gte", "<=": "lte", "in": "in", "nin": "nin"}


def one(operator: str, value: Any = 1, key: str = "k") -> MetadataFilter:
    """A single filter."""
    return MetadataFilter(key=key, value=value, operator=FilterOperator(operator))


@pytest.mark.parametrize("operator", [operator.value for operator in FilterOperator])
def test_every_operator_is_mapped_or_refused_by_name(operator: str) -> None:
    """Ensure no operator of LlamaIndex is dropped or changed in silence."""
    value: Any = ["a"] if operator in ("in", "nin", "any", "all") else "a"
    filters = MetadataFilters(filters=[one(operator, value)])
    if operator in MAPPED:
        assert custom_filters(filters) == {"k": {"operator": MAPPED[operator], "value": value}}
    else:
        with pytest.raises(ConfigurationError, match=f"'{operator}' on 'k'"):
            custom_filters(filters)


@pytest.mark.parametrize("condition", [FilterCondition.OR, FilterCondition.NOT])
def test_conditions_that_the_service_cannot_express_are_refused(condition: FilterCondition) -> None:
    """Ensure OR and NOT never become AND, however deep they are."""
    inner = MetadataFilters(filters=[one("==", 1), one("==", 2, "other")], condition=condition)
    for filters in (inner, MetadataFilters(filters=[one(">", 0), inner])):
        with pytest.raises(ConfigurationError, match=f'joined by "{condition.value}"'):
            custom_filters(filters)


def test_nested_ands_are_one() -> None:
    """Ensure nested groups joined by AND, and an OR of one, mean what they say."""
    inner = MetadataFilters(filters=[one("in", ["a", "b"], "team")])
    alone = MetadataFilters(filters=[one("==", "no", "draft")], condition=FilterCondition.OR)
    given = MetadataFilters(filters=[one(">=", 2020, "year"), one("<", 2024.5, "year"), inner, alone])
    assert custom_filters(given) == {
        "year": [{"operator": "gte", "value": 2020}, {"operator": "lt", "value": 2024.5}],
        "team": {"operator": "in", "value": ["a", "b"]},
        "draft": {"operator": "eq", "value": "no"},
    }
    assert custom_filters(None) is None
    assert custom_filters(MetadataFilters(filters=[])) is None


@pytest.mark.parametrize("value", ["b", ["a"]])
def test_several_conditions_on_one_field_are_for_numbers(value: Any) -> None:
    """Ensure a second condition on a text raises instead of replacing the first."""
    operator = "nin" if isinstance(value, list) else "!="
    with pytest.raises(ConfigurationError, match="'k' has several conditions"):
        custom_filters(MetadataFilters(filters=[one("==", "a"), one(operator, value)]))


def test_a_value_of_none_is_refused() -> None:
    """Ensure a filter without a value, which the service does not take, is not sent without it."""
    with pytest.raises(ConfigurationError, match="a value of None"):
        custom_filters({"filters": [{"key": "k", "operator": "==", "value": None}]})


def test_filters_come_together_with_custom_filters_and_files() -> None:
    """Ensure a retriever sends its filters, those in the API's own shape, and the files it is limited to."""
    retriever = LlamaCloudDirectoryRetriever(
        id="idx-1",
        filters=MetadataFilters(filters=[one(">", 1)]),
        custom_filters={"other": {"operator": "eq", "value": "x"}},
        file_ids=["dfl-1"],
        base_url="local::memory:",
    )
    assert retriever.settings == {
        "custom_filters": {"k": {"operator": "gt", "value": 1}, "other": {"operator": "eq", "value": "x"}},
        "static_filters": {"parsed_directory_file_id": {"operator": "in", "value": ["dfl-1"]}},
    }
    with pytest.raises(ConfigurationError, match="in filters and in custom_filters"):
        LlamaCloudDirectoryRetriever(
            id="idx-1",
            filters=MetadataFilters(filters=[one(">", 1)]),
            custom_filters={"k": {"operator": "eq", "value": "x"}},
        )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"topk": 3}, "did you mean 'top_k'"),
        ({"top_k": 0}, "top_k"),
        ({"vector_pipeline_weight": 1.5}, "vector_pipeline_weight"),
        ({"vector_pipeline_weight": 0.0, "full_text_pipeline_weight": 0.0}, "nothing to retrieve by"),
        ({"rerank_top_n": 0}, "rerank.top_n"),
        ({"top_k": 3, "similarity_top_k": 4}, "mean the same"),
        ({"custom_filters": {"a": {"operator": "like", "value": 1}}}, "custom_filters.a.operator"),
        ({"custom_filters": {"a": [{"operator": "gt", "value": "x"}]}}, "custom_filters.a"),
        ({"score_threshold": float("nan")}, "score_threshold"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, Any], message: str) -> None:
    """Ensure a wrong setting raises before any request, naming itself."""
    with pytest.raises(ConfigurationError, match=message):
        LlamaCloudDirectoryRetriever(id="idx-1", base_url="local::memory:", **settings)


@pytest.mark.parametrize(
    ("model", "values", "message"),
    [
        (DirectoryOptions, {"name": "", "type": "user"}, "name"),
        (DirectoryOptions, {"name": "x", "type": "index"}, "'index' is not one of user, ephemeral"),
        (DirectoryOptions, {"name": "x", "expires": 1}, "did you mean 'expires_at'"),
        (DirectoryFileOptions, {"metadata": {"a": {"b": 1}}}, "metadata 'a' is a dict"),
        (DirectoryFileOptions, {"metadata": {"a": [1]}}, "metadata 'a' is a list"),
        (DirectoryFileOptions, {"metadata": {"a": float("inf")}}, "metadata"),
        (DirectoryIndexOptions, {"sync_frequency": "hourly"}, "'hourly' is not one of manual, daily"),
        (DirectoryIndexOptions, {"store_attachments": ["screenshot"]}, "did you mean 'screenshots'"),
        (DirectoryIndexOptions, {"products": [{"product_type": "parse"}]}, "product_config_id"),
        (DirectoryRetrievalSettings, {"static_filters": {"page": 1}}, "static_filters.page"),
    ],
)
def test_options_that_cannot_work_are_refused(model: Any, values: dict[str, Any], message: str) -> None:
    """Ensure a wrong option of a directory, a file or an index raises, naming itself."""
    with pytest.raises(ConfigurationError, match=message):
        model(**values)
