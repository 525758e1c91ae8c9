"""Joining the parts of a divided document."""

from __future__ import annotations

from typing import Any

import pytest

from llama_cloud_ext.jobs.source_identity import SourceIdentity
from llama_cloud_ext.parse.partition import _merge, _Part
from llama_cloud_ext.parse.result import ParseResult

SOURCE = SourceIdentity("a.pdf", "file:/a.pdf", path="/a.pdf")


def part(first: int, **parts: Any) -> _Part:
    pages = [{"page_number": number, "markdown": f"page {number}"} for number in (first, first + 1)]
    return _Part([first, first + 1], response={"job": {"id": f"pjb-{first}"}, "markdown": {"pages": pages}, **parts})


def test_images_of_equal_names_say_nothing_of_their_page() -> None:
    """Ensure an image that is renamed, as another part has one of that name, is not put on the part's first page."""
    listing = {"images_content_metadata": {"images": [{"filename": "image_0.png", "presigned_url": "https://x/0"}]}}
    result = ParseResult(_merge([part(1, **listing), part(3, **listing)]), source=SOURCE)
    assert len({image.filename for image in result.images}) == 2
    assert [image.page_number for image in result.images] == [None, None]


@pytest.mark.parametrize("junk", [None, 5, "text", [], ["text"], {"pages": 5}])
@pytest.mark.parametrize("name", ["job", "text", "items", "metadata", "job_metadata", "images_content_metadata"])
def test_junk_in_one_part_loses_no_page(name: str, junk: Any) -> None:
    """Ensure a response field of any shape, in any part, does not keep the pages from being joined."""
    for parts in ([part(1, **{name: junk}), part(3)], [part(1), part(3, **{name: junk})]):
        assert [page.number for page in ParseResult(_merge(parts), source=SOURCE).pages] == [1, 2, 3, 4]
