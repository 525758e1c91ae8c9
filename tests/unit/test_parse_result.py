"""ParseResult: what it says of pages and job, what it says when something was not fetched, and how it travels."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys

import pytest

from llama_cloud_ext.errors import ConfigurationError, EmptyResultError
from llama_cloud_ext.parse.result import ParseResult
from llama_cloud_ext.wire.settings import Settings
from tests.unit.parse_samples import SOURCE, heading, response, table, text

PAGES = [[heading(1, "One"), text("first page")], [text("second page"), table([["a", "b"], ["1", "2"]])]]


def make(**more: object) -> ParseResult:
    return ParseResult(response(PAGES, **more), source=SOURCE)


def test_job_carries_id_status_tier_cost_tags_and_cache_use() -> None:
    """Ensure the job behind a result is visible, its cost and its cache use included."""
    job = make().job
    assert (job.id, job.status, job.tier, job.credits, job.from_cache) == ("pjb-1", "COMPLETED", "agentic", 12.5, True)
    assert job.user_metadata == {"team": "finance"}
    assert job.metadata["engine"] == "x"
    assert job.usage == {"credits": 12.5}
    assert job.created_at is not None
    assert "12.5" in repr(job)


def test_cache_use_is_unknown_where_the_service_is_silent() -> None:
    """Ensure no cache use is claimed that the service did not report."""
    assert make(job_metadata=None).job.from_cache is None


def test_pages_merge_all_lists() -> None:
    """Ensure a page has its text, markdown, items and metadata from the four lists of the response."""
    raw = response(PAGES)
    raw["metadata"]["pages"][1] = {
        "page_number": 2,
        "confidence": 0.75,
        "printed_page_number": 7,
        "speaker_notes": "say it",
        "slide_section_name": "Intro",
        "watermark": "DRAFT",
        "original_orientation_angle": 90,
        "cost_optimized": True,
    }
    raw["markdown"]["pages"][1] |= {"header": "Report", "footer": "page 2"}
    page = ParseResult(raw, source=SOURCE).page(2)
    assert page.text is not None
    assert page.text.startswith("second page")
    assert page.markdown is not None
    assert "| 1 | 2 |" in page.markdown
    assert [item.type for item in page.items or ()] == ["text", "table"]
    assert (page.header, page.footer, page.confidence, page.page_label) == ("Report", "page 2", 0.75, "7")
    assert (page.speaker_notes, page.slide_section, page.watermark) == ("say it", "Intro", "DRAFT")
    assert (page.orientation, page.cost_optimized, page.width, page.height) == (90, True, 612, 792)
    assert page.success
    assert page.error is None


def test_pages_without_numbers_follow_their_place() -> None:
    """Ensure missing, null, repeated and broken page numbers lose no page."""
    raw = {
        "text": {"pages": [{"page_number": 5, "text": "a"}, {"text": "b"}, {"page_number": 5, "text": "c"}, None]},
        "markdown": {"pages": [{"page_number": n, "markdown": m} for n, m in ((5, "A"), (6, "B"), (8, "C"), (9, "D"))]},
    }
    pages = ParseResult(raw, source=SOURCE).pages
    assert [(page.number, page.text, page.markdown) for page in pages] == [
        (5, "a", "A"),
        (6, "b", "B"),
        (8, "c", "C"),
        (9, "", "D"),
    ]


def test_unknown_page_raises_key_error() -> None:
    """Ensure asking for a page that is not there says so."""
    with pytest.raises(KeyError):
        make().page(3)


def test_failed_page_is_kept_with_its_error() -> None:
    """Ensure a page that the service could not parse stays in place and says why."""
    raw = response(PAGES)
    raw["markdown"]["pages"][0] = {"page_number": 1, "success": False, "error": "model refused"}
    result = ParseResult(raw, source=SOURCE)
    assert len(result) == 2
    assert [(page.number, page.error) for page in result.failed_pages] == [(1, "model refused")]
    assert "1 failed page" in repr(result)
    assert "model refused" in repr(result.pages[0])


def test_repr_counts() -> None:
    """Ensure a result can be recognised in a log or a notebook."""
    assert repr(make()) == "ParseResult('report.pdf', job='pjb-1', 2 pages, 1 table)"


def test_whole_texts_join_the_pages_unaltered() -> None:
    """Ensure the whole text is the pages' own, dollar signs and separators included."""
    result = ParseResult(
        {"text": {"pages": [{"page_number": 1, "text": "costs $5 and $6"}, {"page_number": 2, "text": "a\n---\nb"}]}},
        source=SOURCE,
    )
    assert result.text == "costs $5 and $6\n\na\n---\nb"
    assert not hasattr(result, "_repr_markdown_")


def test_whole_markdown_without_pages_is_used() -> None:
    """Ensure a result that was loaded with `markdown_full` alone has its markdown."""
    result = ParseResult({"markdown_full": "# All"}, source=SOURCE)
    assert result.markdown == "# All"
    assert result.documents(split_by_page=False)[0].text == "# All"
    with pytest.raises(ConfigurationError, match="load"):
        result.documents()


@pytest.mark.parametrize("ask", ["nodes", "tables", "table_fragments"])
def test_items_that_were_not_fetched_are_not_empty(ask: str) -> None:
    """Ensure a result without items says how to get them instead of looking empty."""
    result = make(items=None)
    with pytest.raises(ConfigurationError, match=r"without items(.|\n)*load\('items'\)"):
        getattr(result, ask)() if ask == "nodes" else getattr(result, ask)


def test_fast_tier_says_that_it_makes_no_markdown() -> None:
    """Ensure nobody is told to fetch what a tier does not make."""
    result = ParseResult({"job": {"tier": "fast"}, "text": {"pages": [{"text": "a"}]}}, source=SOURCE)
    assert result.documents()[0].text == "a"
    with pytest.raises(ConfigurationError, match="fast tier makes no markdown"):
        result.documents(kind="markdown")
    with pytest.raises(ConfigurationError, match="fast tier makes no items"):
        result.nodes()
    with pytest.raises(ConfigurationError, match="without text"):
        _ = make(text=None).text


def test_unknown_kind_is_refused() -> None:
    """Ensure a misspelt kind is named."""
    with pytest.raises(ConfigurationError, match="html"):
        make().documents(kind="html")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "raw",
    [
        {},
        {"markdown": {"pages": []}},
        {"text": {"pages": [{"page_number": 1, "text": " \n"}]}},
        {"items": {"pages": [{"page_number": 1, "items": [{"type": "image", "md": "![](a.png)", "url": "a.png"}]}]}},
        {"markdown": {"pages": [{"page_number": 1, "success": False, "error": "broken"}]}},
        {"markdown_full": "  "},
    ],
)
def test_result_without_content_raises(raw: dict[str, object]) -> None:
    """Ensure a success without one page that holds anything is an error with file and job."""
    result = ParseResult({"job": {"id": "pjb-9", "status": "COMPLETED"}, **raw}, source=SOURCE)
    with pytest.raises(EmptyResultError) as caught:
        result.raise_if_blank()
    assert caught.value.job_id == "pjb-9"
    assert "report.pdf" in str(caught.value)
    if "broken" in str(raw):
        assert "broken" in str(caught.value)


@pytest.mark.parametrize(
    "raw",
    [
        {"text": {"pages": [{"text": ""}, {"text": "x"}]}},
        {"items": {"pages": [{"items": [{"type": "table", "rows": [[1]]}]}]}},
        {"items": {"pages": [{"items": [{"type": "header", "items": [{"type": "text", "md": "x"}]}]}]}},
        {"text_full": "x"},
    ],
)
def test_any_content_is_enough(raw: dict[str, object]) -> None:
    """Ensure one page with content in any fetched form is a result."""
    ParseResult(raw, source=SOURCE).raise_if_blank()


def test_result_travels_without_its_connection() -> None:
    """Ensure pickle and JSON keep everything but the key."""
    settings = Settings.resolve(api_key="llx-very-secret", environ={})
    result = ParseResult(response(PAGES), source=SOURCE, settings=settings)
    assert b"llx-very-secret" not in pickle.dumps(result)
    assert "llx-very-secret" not in result.to_json()
    for other in (
        pickle.loads(pickle.dumps(result)),
        ParseResult.from_json(result.to_json()),
        ParseResult.from_dict(json.loads(json.dumps(result.to_dict()))),
    ):
        assert other == result
        assert other._settings is None
        assert other.documents() == result.documents()
        assert [node.to_dict() for node in other.nodes()] == [node.to_dict() for node in result.nodes()]


def test_copies_keep_the_connection() -> None:
    """Ensure copy and deepcopy give results that can go on downloading, and that deep ones are independent."""
    settings = Settings.resolve(api_key="llx-1", environ={})
    result = ParseResult(response(PAGES), source=SOURCE, settings=settings)
    deep = copy.deepcopy(result)
    assert copy.copy(result) == result == deep
    assert copy.copy(result)._settings is deep._settings is settings
    deep.raw["job"]["id"] = "other"
    assert result.job_id == "pjb-1"


def test_stored_rubbish_is_refused() -> None:
    """Ensure reading something else than a stored result says so."""
    with pytest.raises(ConfigurationError, match="no stored ParseResult"):
        ParseResult.from_dict({"pages": []})
    with pytest.raises(ConfigurationError, match="no JSON"):
        ParseResult.from_json("{")


def test_connect_takes_options_or_settings() -> None:
    """Ensure a stored result can be given a connection in either form."""
    result = make()
    assert result.connect(api_key="llx-1", base_url="https://cloud.example.com") is result
    assert result._settings is not None
    assert result._settings.base_url == "https://cloud.example.com"
    settings = Settings.resolve(api_key="llx-2", environ={})
    assert make().connect(settings)._settings is settings


def test_result_is_a_collection_of_pages() -> None:
    """Ensure results iterate over pages, have a length, and are true even without pages."""
    result = make()
    assert [page.number for page in result] == [1, 2]
    assert len(ParseResult({}, source=SOURCE)) == 0
    assert ParseResult({}, source=SOURCE)
    assert result != "something else"


@pytest.mark.parametrize("junk", [None, [], "x", 3, {"job": [], "text": "x", "markdown": {"pages": {}}}])
def test_junk_reads_as_an_empty_result(junk: object) -> None:
    """Ensure reading never raises, whatever came."""
    result = ParseResult(junk, source=SOURCE)  # type: ignore[arg-type]
    assert result.pages == []
    assert result.job_id == ""
    assert result.images == []
    assert "0 pages" in repr(result)


def test_import_stays_light() -> None:
    """Ensure the module loads none of the heavy libraries by itself."""
    code = (
        "import sys, llama_cloud_ext.parse.result; "
        "heavy = {'pandas', 'httpx', 'PIL', 'llama_index', 'starlette', 'anyio', 'numpy'}; "
        "sys.exit(', '.join(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""
