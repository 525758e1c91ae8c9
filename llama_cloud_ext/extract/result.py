"""The result of one extraction: the validated data, where each field was found, and its way into LlamaIndex."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from pydantic_core import SchemaSerializer, core_schema

from llama_cloud_ext.errors import ExtractValidationError
from llama_cloud_ext.extract.data_schema import DataSchema
from llama_cloud_ext.extract.documents import object_documents
from llama_cloud_ext.extract.fields import ExtractField, read_fields
from llama_cloud_ext.extract.job_info import ExtractJobInfo
from llama_cloud_ext.jobs.source_identity import SourceIdentity
from llama_cloud_ext.jobs.stored_response import StoredResponse
from llama_cloud_ext.wire.models.extract_response import ExtractJobRecord
from llama_cloud_ext.wire.models.tolerant import as_mapping, as_objects

if TYPE_CHECKING:
    from llama_index.core.schema import Document
    from pydantic import BaseModel
    from typing_extensions import Self

T = TypeVar("T")
M = TypeVar("M", bound="BaseModel")


class ExtractResult(StoredResponse, Generic[T]):
    """One extraction.

    It pickles, copies and goes through JSON without losing anything; a pickle finds the model's class by its name, and
    after JSON `with_schema` brings it back.

    Args:
        response: The job's record as the service sent it, with `extract_result`.
        source: The file.
        schema: What was asked for.

    Attributes:
        raw: The job's record as the service sent it.
        source: The file.
        schema: What was asked for.

    Example:
        ```python
        from pydantic import BaseModel

        from llama_cloud_ext import LlamaExtract


        class Invoice(BaseModel):
            invoice_number: str | None
            total: float | None


        result = LlamaExtract().extract(Invoice, {"cite_sources": True}, "data/invoice.pdf")
        print(result.data.total)
        for path, field in result.fields.items():
            print(path, field.value, field.citations)
        ```
    """

    def __init__(self, response: dict[str, Any], *, source: SourceIdentity, schema: DataSchema) -> None:
        super().__init__(response, source=source)
        self.schema = schema

    @cached_property
    def data(self) -> T:
        """The data: an instance of the model, or a dict for a JSON schema; a list of them for pages and table rows.

        Raises:
            ExtractValidationError: The data do not fit the model; the error has them, and a message for each path.
        """
        try:
            read: T = self.schema.read(self.extracted)
        except ExtractValidationError as error:
            error.job = self.job.raw
            raise error.with_context(file=self.source.path or self.source.name, job_id=self.job_id or None) from None
        return read

    @property
    def extracted(self) -> Any:
        """The data as the service sent them, unchecked: a dict, or a list of dicts; None without a result."""
        return self.raw.get("extract_result")

    @property
    def objects(self) -> list[Any]:
        """The data as a list, however many objects there are.

        Raises:
            ExtractValidationError: As `data`.
        """
        return list(self.data) if isinstance(self.data, list) else [self.data]

    @cached_property
    def fields(self) -> dict[str, ExtractField]:
        """The fields by path, such as "lines[0].amount", with citations, confidence and reasoning.

        Citations and confidence are there if `cite_sources=True` and `confidence_scores=True` asked for them.
        """
        return read_fields(self.extracted, ExtractJobRecord(self.raw).extract_metadata)

    @cached_property
    def job(self) -> ExtractJobInfo:
        """The job: id, status, tier, usage and credits."""
        return ExtractJobInfo(self.raw)

    @property
    def job_id(self) -> str:
        """The job's id, with which the result can be loaded again."""
        return self.job.id

    def documents(self) -> list[Document]:
        """Make one LlamaIndex Document an object, with its fields as readable text.

        Returns:
            Documents with stable ids. The metadata has the file's (`file_name`, `file_path`, the caller's own), the
            `schema`, the `page_number` for `per_page`, and the object's plain fields, by which can be filtered.
        """
        objects = list(as_objects(self.extracted if isinstance(self.extracted, list) else [self.extracted]))
        return object_documents(objects, self._pages(len(objects)), self.source, schema=self.schema.name)

    @overload
    def with_schema(self, data_schema: type[M]) -> ExtractResult[M]: ...
    @overload
    def with_schema(self, data_schema: Mapping[str, Any]) -> ExtractResult[Any]: ...
    def with_schema(self, data_schema: Any) -> ExtractResult[Any]:
        """Read the same data into another class, for instance after a way through JSON.

        Args:
            data_schema: A Pydantic class, or a JSON schema.

        Raises:
            ConfigurationError: It is no schema that can be extracted.
        """
        return ExtractResult(self.raw, source=self.source, schema=DataSchema.of(data_schema))

    def to_dict(self) -> dict[str, Any]:
        """Give everything but the class, as JSON-able data that `from_dict` reads."""
        return {**super().to_dict(), "schema_name": self.schema.name, "data_schema": self.schema.json_schema}

    @classmethod
    def _restored(cls, data: Mapping[str, Any], response: dict[str, Any], source: SourceIdentity) -> Self:
        return cls(response, source=source, schema=DataSchema(data["schema_name"], data["data_schema"]))

    def _pages(self, count: int) -> list[int | None]:
        """The page of each object: those of `per_page` stand in the order of the pages, and may say which one."""
        configuration = as_mapping(self.raw.get("configuration"))
        said = ExtractJobRecord(self.raw).extract_metadata.field_metadata.page_metadata
        if not isinstance(self.extracted, list) or not (said or configuration.get("extraction_target") == "per_page"):
            return [None] * count
        cited: dict[str, int] = {}
        for path, field in self.fields.items():
            place = path.partition("]")[0]
            if place not in cited and field.page:
                cited[place] = field.page
        whole = configuration.get("target_pages") is None
        return [cited.get(f"[{index}", index + 1 if whole else None) for index in range(count)]

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (self.raw, self.source, self.schema)

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        objects = f", {len(self.extracted)} objects" if isinstance(self.extracted, list) else ""
        return f"ExtractResult({self.schema.name} of {self.source.name!r}, job={self.job_id!r}{objects})"


# Agents keep what tools gave them in their context, which LlamaIndex serialises as JSON: pydantic is told how.
ExtractResult.__pydantic_serializer__ = SchemaSerializer(  # type: ignore[attr-defined]  # looked for by pydantic alone
    core_schema.any_schema(
        serialization=core_schema.plain_serializer_function_ser_schema(lambda result: result.to_dict())
    )
)


def _rebuild(response: dict[str, Any], source: SourceIdentity, schema: DataSchema) -> ExtractResult[Any]:
    return ExtractResult(response, source=source, schema=schema)
