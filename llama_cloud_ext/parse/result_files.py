"""What a parse result downloads: its images as Documents or files, the XLSX file of its tables, the output PDF."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from llama_cloud_ext.parse.assets import IMAGES, OUTPUT_PDF, XLSX, Assets
from llama_cloud_ext.parse.documents import page_count
from llama_cloud_ext.parse.images import ParseImage, to_image_document
from llama_cloud_ext.parse.nodes import ImageContents
from llama_cloud_ext.parse.outline import walk
from llama_cloud_ext.parse.pages import ParsePage, all_images, read_pages
from llama_cloud_ext.parse.stored_result import StoredResult
from llama_cloud_ext.wire import io_loop

if TYPE_CHECKING:
    from llama_index.core.schema import ImageDocument


class ResultFiles(StoredResult):
    """The pages and images of a result, and the downloads that belong to it."""

    @cached_property
    def pages(self) -> list[ParsePage]:
        """All pages by number, failed and blank ones included."""
        return read_pages(self.raw)

    @cached_property
    def images(self) -> list[ParseImage]:
        """The images that the job saved, as far as their list was loaded; downloads load it themselves."""
        return all_images(self.raw, self.pages)

    def image_documents(
        self, category: str | Iterable[str] | None = None, pages: int | Iterable[int] | None = None
    ) -> list[ImageDocument]:
        """Download the images as ImageDocuments that hold the bytes.

        Args:
            category: Only "screenshot", "embedded" or "layout" images, or several of them.
            pages: Only those on this page or these pages (1-based).

        Returns:
            ImageDocuments with mimetype, page, box and the image's name and category in their metadata.

        Raises:
            DownloadError: When an image could not be fetched, or what came is no image.
        """
        return io_loop.run(self._image_documents, category, pages)

    async def aimage_documents(
        self, category: str | Iterable[str] | None = None, pages: int | Iterable[int] | None = None
    ) -> list[ImageDocument]:
        """Do what `image_documents` does, asynchronously."""
        return await io_loop.run_async(self._image_documents, category, pages)

    def save_images(
        self,
        directory: str | PathLike[str],
        category: str | Iterable[str] | None = None,
        pages: int | Iterable[int] | None = None,
    ) -> list[Path]:
        """Download the images into a folder, streamed, several at a time.

        Args:
            directory: The folder; made if missing. Files of the same names are replaced.
            category: Only "screenshot", "embedded" or "layout" images, or several of them.
            pages: Only those on this page or these pages (1-based).

        Returns:
            The paths. Names come from the service's, made safe, with the suffix that the content calls for.

        Raises:
            DownloadError: When an image could not be fetched, or what came is no image; nothing of it is written.
        """
        return io_loop.run(self._save_images, Path(directory), category, pages)

    async def asave_images(
        self,
        directory: str | PathLike[str],
        category: str | Iterable[str] | None = None,
        pages: int | Iterable[int] | None = None,
    ) -> list[Path]:
        """Do what `save_images` does, asynchronously."""
        return await io_loop.run_async(self._save_images, Path(directory), category, pages)

    def output_pdf(self) -> bytes:
        """Download the PDF that the job saved (`output_options.save_output_pdf`).

        Raises:
            DownloadError: When the job made none, or it could not be fetched.
        """
        return io_loop.run(self._output_pdf)

    async def aoutput_pdf(self) -> bytes:
        """Do what `output_pdf` does, asynchronously."""
        return await io_loop.run_async(self._output_pdf)

    def save_output_pdf(self, path: str | PathLike[str]) -> Path:
        """Download the PDF that the job saved into a file.

        Args:
            path: The file; one that exists is replaced.

        Raises:
            DownloadError: When the job made none, or it could not be fetched; nothing is written.
        """
        return io_loop.run(self._save_output_pdf, Path(path))

    async def asave_output_pdf(self, path: str | PathLike[str]) -> Path:
        """Do what `save_output_pdf` does, asynchronously."""
        return await io_loop.run_async(self._save_output_pdf, Path(path))

    def save_xlsx(self, path: str | PathLike[str]) -> Path:
        """Download the tables as one XLSX file (`output_options.tables_as_spreadsheet`).

        Args:
            path: The file; one that exists is replaced.

        Raises:
            DownloadError: When the job made none, or it could not be fetched; nothing is written.
        """
        return io_loop.run(self._save_xlsx, Path(path))

    async def asave_xlsx(self, path: str | PathLike[str]) -> Path:
        """Do what `save_xlsx` does, asynchronously."""
        return await io_loop.run_async(self._save_xlsx, Path(path))

    async def _chosen_images(
        self, category: str | Iterable[str] | None, pages: int | Iterable[int] | None
    ) -> list[ParseImage]:
        # The service answers null for what it was not asked for.
        if self.raw.get(IMAGES) is None and self._job_id():
            await self._load([IMAGES])
        categories = {category} if isinstance(category, str) else None if category is None else set(category)
        numbers = {pages} if isinstance(pages, int) else None if pages is None else set(pages)
        return [
            image
            for image in self.images
            if (categories is None or image.category in categories)
            and (numbers is None or image.page_number in numbers)
        ]

    def _assets(self) -> Assets:
        return Assets(self._connection, self._job_id(), self.raw, self.source.name)

    async def _image_documents(
        self, category: str | Iterable[str] | None, pages: int | Iterable[int] | None
    ) -> list[ImageDocument]:
        images = await self._chosen_images(category, pages)
        contents = await self._assets().image_contents(images) if images else []

        def convert() -> list[ImageDocument]:
            sections = {placed.image: placed.section for placed in walk(self.pages) if placed.image}
            count = page_count(self.pages)
            labels: dict[int | None, str | None] = {page.number: page.page_label for page in self.pages}
            return [
                to_image_document(
                    image,
                    content,
                    mimetype,
                    self.source,
                    page_count=count,
                    page_label=labels.get(image.page_number),
                    sections=sections,
                )
                for image, (content, mimetype) in zip(images, contents, strict=True)
            ]

        return await io_loop.in_thread(convert)

    async def _image_contents(self) -> ImageContents:
        images = [image for image in await self._chosen_images(None, None) if image.category != "screenshot"]
        contents = await self._assets().image_contents(images) if images else []
        return {image.filename: content for image, content in zip(images, contents, strict=True)}

    async def _save_images(
        self, directory: Path, category: str | Iterable[str] | None, pages: int | Iterable[int] | None
    ) -> list[Path]:
        images = await self._chosen_images(category, pages)
        return await self._assets().save_images(images, directory) if images else []

    async def _output_pdf(self) -> bytes:
        return await self._assets().content(OUTPUT_PDF)

    async def _save_output_pdf(self, path: Path) -> Path:
        return await self._assets().save(OUTPUT_PDF, path)

    async def _save_xlsx(self, path: Path) -> Path:
        return await self._assets().save(XLSX, path)
