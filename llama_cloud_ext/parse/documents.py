"""Pages to LlamaIndex Documents: one a page, or one for the whole file.

Pages come from the service's page list, never from looking for separators in the text, so a page that contains "---"
stays one Document. Blank and failed pages are kept and flagged.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from llama_cloud_ext.jobs.source_identity import SourceIdentity
from llama_cloud_ext.parse.metadata import excluded_keys, shorten_error
from llama_cloud_ext.parse.pages import ParsePage

if TYPE_CHECKING:
    from llama_index.core.schema import Document

Kind = Literal["markdown", "text"]
# Between the pages of a whole document. Nothing ever splits on it.
PAGE_GAP = "\n\n"

logger = logging.getLogger(__name__)


def page_count(pages: Sequence[ParsePage]) -> int:
    """Give the number of pages of the document, as far as the result tells.

    Args:
        pages: The result's pages. When only some were parsed (`target_pages`), the highest number counts, so that no
            page number is beyond the count.
    """
    return max((page.number for page in pages), default=0)


def page_documents(pages: Sequence[ParsePage], source: SourceIdentity, kind: Kind) -> list[Document]:
    """Make one Document of each page.

    Args:
        pages: The pages by number.
        source: The file they come from.
        kind: Which text of theirs.

    Returns:
        As many Documents as pages. A blank page has the metadata `page_blank`, a failed one `page_error`.
    """
    from llama_index.core.schema import Document, MediaResource

    shared = source.metadata()
    embed, llm = excluded_keys(shared)
    count = page_count(pages)
    documents = []
    for page in pages:
        text = page_text(page, kind)
        metadata = {**shared, "page_number": page.number, "page_count": count}
        if label := page.page_label:
            metadata["page_label"] = label
        if not text or text.isspace():
            metadata["page_blank"] = True
        if (error := page.error) is not None:
            metadata["page_error"] = shorten_error(error)
        documents.append(
            Document(
                id_=source.page_id(page.number),
                text_resource=MediaResource(text=text),
                metadata=metadata,
                # Copies: readers extend each document's lists in place.
                excluded_embed_metadata_keys=embed.copy(),
                excluded_llm_metadata_keys=llm.copy(),
            )
        )
    return documents


def whole_document(text: str, pages: Sequence[ParsePage], source: SourceIdentity) -> Document:
    """Make one Document of the whole file.

    Args:
        text: Its text or markdown.
        pages: The pages, for their count and failures.
        source: The file.

    Returns:
        The Document; `failed_pages` in its metadata lists the numbers of pages that failed.
    """
    from llama_index.core.schema import Document

    metadata: dict[str, Any] = source.metadata()
    embed, llm = excluded_keys(metadata)
    if pages:
        metadata["page_count"] = page_count(pages)
    if failed := [str(page.number) for page in pages if not page.success]:
        metadata["failed_pages"] = ", ".join(failed)
    return Document(
        id_=source.document_id(),
        text=text,
        metadata=metadata,
        excluded_embed_metadata_keys=embed,
        excluded_llm_metadata_keys=llm,
    )


def join_pages(pages: Sequence[ParsePage], kind: Kind) -> str:
    """Join the pages' texts, leaving out blank ones.

    Args:
        pages: The pages by number.
        kind: Which text of theirs.
    """
    texts = (page_text(page, kind) for page in pages)
    return PAGE_GAP.join(text for text in texts if text and not text.isspace())


def page_text(page: ParsePage, kind: Kind) -> str:
    """Give one page's text of a kind; "" where there is none.

    Args:
        page: The page.
        kind: Which text of it.
    """
    return (page.markdown if kind == "markdown" else page.text) or ""


def warn_about_gaps(pages: Sequence[ParsePage], kind: Kind, file: str, job_id: str | None) -> None:
    """Log, in one line, how many pages came back blank or failed; nothing when all is well.

    Args:
        pages: The pages.
        kind: Which text of theirs was asked for.
        file: The file's name.
        job_id: The job's id.
    """
    failed, blank = [], []
    for page in pages:
        if page.error is not None:
            failed.append(page)
        elif not (text := page_text(page, kind)) or text.isspace():
            blank.append(page)
    if not failed and not blank:
        return
    parts = [f"{len(blank)} blank ({_numbers(blank)})"] if blank else []
    if failed:
        parts.append(f"{len(failed)} failed ({_numbers(failed)}: {shorten_error(failed[0].error or '')})")
    logger.warning("%s (job %s): of %d pages %s", file, job_id, len(pages), " and ".join(parts))


def _numbers(pages: Sequence[ParsePage]) -> str:
    shown = ", ".join(str(page.number) for page in pages[:10])
    return shown if len(pages) <= 10 else f"{shown}, …"
