"""The result of one parsed file, and its way into LlamaIndex: Documents, nodes, tables, images, files."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, NoReturn

from llama_cloud_ext.errors import ConfigurationError, EmptyResultError
from llama_cloud_ext.jobs.source_identity import SourceIdentity
from llama_cloud_ext.parse.documents import Kind, join_pages, page_documents, warn_about_gaps, whole_document
from llama_cloud_ext.parse.images import ParseImage
from llama_cloud_ext.parse.job_info import ParseJobInfo
from llama_cloud_ext.parse.metadata import clean_text
from llama_cloud_ext.parse.nodes import ImageContents, TableForm, build_nodes
from llama_cloud_ext.parse.pages import ParsePage, loaded_lists
from llama_cloud_ext.parse.result_files import ResultFiles
from llama_cloud_ext.parse.tables import Table, read_tables
from llama_cloud_ext.wire import io_loop
from llama_cloud_ext.wire.models.parse_response import ParseResponse

if TYPE_CHECKING:
    from llama_index.core.schema import Document, RelatedNodeInfo, TextNode

__all__ = ["ParseImage", "ParseJobInfo", "ParsePage", "ParseResult", "SourceIdentity", "Table"]


class ParseResult(ResultFiles):
    """One parsed file.

    Reading it never raises, whatever the service sent. What was not fetched says so instead of looking empty.
    It pickles, copies and goes through JSON without losing anything but the connection (never the API key): after that,
    downloads use the environment's settings, or those given to `connect`.

    Args:
        response: The JSON of `GET /api/v2/parse/{job_id}` as the service sent it.
        source: The file it was parsed from.
        settings: The connection for downloads; None takes the environment's.

    Example:
        >>> result = ParseResult(
        ...     {"job": {"id": "pjb-1"}, "markdown": {"pages": [{"page_number": 1, "markdown": "# Hello"}]}},
        ...     source=SourceIdentity("a.pdf", "file:/data/a.pdf", path="/data/a.pdf"),
        ... )
        >>> result
        ParseResult('a.pdf', job='pjb-1', 1 page)
        >>> result.documents()[0].metadata["page_number"]
        1
    """

    @cached_property
    def job(self) -> ParseJobInfo:
        """The job: id, status, tier, usage and credits, tags, cache use."""
        return ParseJobInfo(self.raw)

    @property
    def job_id(self) -> str:
        """The job's id, with which the result can be loaded again."""
        return self.job.id

    @property
    def markdown(self) -> str:
        """The whole document in markdown: its pages, joined by blank lines.

        Raises:
            ConfigurationError: When no markdown was fetched.
        """
        return self._whole_text("markdown")

    @property
    def text(self) -> str:
        """The whole document as plain text: its pages, joined by blank lines.

        Raises:
            ConfigurationError: When no text was fetched.
        """
        return self._whole_text("text")

    @property
    def tables(self) -> list[Table]:
        """The tables; one that runs across pages appears once.

        Raises:
            ConfigurationError: When the result was loaded without items.
        """
        return self._tables[0]

    @property
    def table_fragments(self) -> list[Table]:
        """What the service left on the later pages of merged tables: empty, with `merged_into_page`.

        Raises:
            ConfigurationError: When the result was loaded without items.
        """
        return self._tables[1]

    @property
    def failed_pages(self) -> list[ParsePage]:
        """The pages that the service could not parse."""
        return [page for page in self.pages if not page.success]

    def page(self, number: int) -> ParsePage:
        """Find a page.

        Args:
            number: 1-based page number.

        Raises:
            KeyError: When the result has no such page.
        """
        for page in self.pages:
            if page.number == number:
                return page
        raise KeyError(number)

    def raise_if_blank(self) -> None:
        """Check that there is something to read.

        Raises:
            EmptyResultError: When no page holds anything, considering whatever was fetched. Images alone do not count.
        """
        view = ParseResponse(self.raw)
        whole = (view.markdown_full, view.text_full)
        if any(not page.blank for page in self.pages) or any(text and not text.isspace() for text in whole):
            return
        failed = self.failed_pages
        raise EmptyResultError(
            job_id=self.job_id or None,
            product="parse",
            status=self.job.status or None,
            reason=f"{len(failed)} of {len(self.pages)} pages failed: {failed[0].error}" if failed else None,
            file=self.source.name,
            job=self.job.raw,
            hint="Is the file blank, or scanned? A higher tier reads images of text; "
            "`processing_options.ocr_parameters.languages` names the language.",
        )

    def documents(self, split_by_page: bool = True, kind: Kind | None = None) -> list[Document]:
        """Make LlamaIndex Documents.

        Args:
            split_by_page: One Document a page (the default), or one for the whole file.
            kind: "markdown" or "text"; by default markdown where it was fetched.

        Returns:
            Documents with stable ids and flat metadata (`file_name`, `file_path`, `page_number`, `page_count`,
            `page_label` and the caller's own). Blank and failed pages are kept, flagged `page_blank` and `page_error`,
            and counted in one logged warning.

        Raises:
            ConfigurationError: When that kind was not fetched.
        """
        chosen = kind or self._default_kind
        if chosen not in ("markdown", "text"):
            raise ConfigurationError(f"there is no kind {chosen!r}", option="kind", hint="Use 'markdown' or 'text'.")
        if split_by_page:
            if chosen not in self._loaded:
                self._missing(chosen)
            documents = page_documents(self.pages, self.source, chosen)
        else:
            documents = [whole_document(self._whole_text(chosen), self.pages, self.source)]
        warn_about_gaps(self.pages, chosen, self.source.name, self.job_id or None)
        return documents

    def nodes(
        self, *, with_images: bool = False, table_form: TableForm = "markdown", page_margins: bool = False
    ) -> list[TextNode]:
        """Make a linked tree of LlamaIndex nodes from the structured items.

        Args:
            with_images: Download the images, so that ImageNodes hold their bytes. It also brings in images that no item
                shows; without it, only where their list was loaded (`load("images_content_metadata")`).
            table_form: Whether a table's node holds "markdown" or "html"; its `table_id` is the id in `tables`.
            page_margins: Keep page headers and footers too.

        Returns:
            TextNodes and ImageNodes in reading order, with SOURCE (the whole document), PREVIOUS, NEXT, PARENT and
            CHILD (a heading and what stands under it), and in the metadata page, `item_type`, `section` and `bbox`.

        Raises:
            ConfigurationError: When the result was loaded without items.
            DownloadError: When an image could not be fetched.
        """
        contents = io_loop.run(self._image_contents) if with_images else None
        return self._nodes(contents, table_form, page_margins)

    async def anodes(
        self, *, with_images: bool = False, table_form: TableForm = "markdown", page_margins: bool = False
    ) -> list[TextNode]:
        """Do what `nodes` does, asynchronously."""
        contents = await io_loop.run_async(self._image_contents) if with_images else None
        return self._nodes(contents, table_form, page_margins)

    def __len__(self) -> int:
        return len(self.pages)

    def __iter__(self) -> Iterator[ParsePage]:
        return iter(self.pages)

    def __bool__(self) -> bool:
        # A result without pages is still a result: `if result:` must not take it for a missing one.
        return True

    def __repr__(self) -> str:
        parts = [_count(len(self.pages), "page")]
        if "items" in self._loaded and self.tables:
            parts.append(_count(len(self.tables), "table"))
        if self.failed_pages:
            parts.append(_count(len(self.failed_pages), "failed page"))
        return f"{type(self).__name__}({self.source.name!r}, job={self.job_id!r}, {', '.join(parts)})"

    @cached_property
    def _loaded(self) -> frozenset[str]:
        return frozenset(loaded_lists(self.raw))

    @cached_property
    def _tables(self) -> tuple[list[Table], list[Table]]:
        if "items" not in self._loaded:
            self._missing("items")
        return read_tables(self.pages, self.source)

    @property
    def _default_kind(self) -> Kind:
        if "markdown" in self._loaded or self._whole("markdown") is not None:
            return "markdown"
        if "text" in self._loaded or self._whole("text") is not None:
            return "text"
        return self._missing("markdown")

    def _whole(self, kind: Kind) -> str | None:
        """The document as the service joined it (`markdown_full`, `text_full`), when that was fetched."""
        view = ParseResponse(self.raw)
        whole = view.markdown_full if kind == "markdown" else view.text_full
        return None if whole is None else clean_text(whole)

    def _whole_text(self, kind: Kind) -> str:
        if kind in self._loaded:
            return join_pages(self.pages, kind)
        whole = self._whole(kind)
        return self._missing(kind) if whole is None else whole

    def _nodes(self, contents: ImageContents | None, table_form: TableForm, page_margins: bool) -> list[TextNode]:
        if "items" not in self._loaded:
            self._missing("items")
        return build_nodes(
            self.pages,
            self.source,
            self._document_info(),
            table_form=table_form,
            page_margins=page_margins,
            contents=contents,
        )

    def _document_info(self) -> RelatedNodeInfo:
        """What the nodes' SOURCE says: the whole document, as `documents(split_by_page=False)` makes it."""
        kind: Kind = "markdown" if "markdown" in self._loaded else "text"
        text = join_pages(self.pages, kind) if kind in self._loaded else self._whole(kind) or ""
        return whole_document(text, self.pages, self.source).as_related_node_info()

    def _missing(self, part: str) -> NoReturn:
        if part != "text" and self.job.tier == "fast":
            problem = f"the fast tier makes no {part}"
            hint = "Parse with tier='cost_effective' or higher, or use kind='text'."
        else:
            problem = f"this result was loaded without {part}"
            hint = f"Fetch it with `result.load({part!r})`."
        raise ConfigurationError(problem, hint=hint, file=self.source.name, job_id=self.job_id or None)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
