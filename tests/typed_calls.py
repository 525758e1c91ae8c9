"""Calls as users write them. Nothing here runs: `mypy` checks it together with the package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from typing_extensions import assert_type

from llama_cloud_ext import LlamaParseReader, OutputOptions, ParseJob, ParseResult


def options_may_be_dicts_or_models() -> None:
    LlamaParseReader(
        api_key="llx-...",
        tier="agentic",
        target_pages=[1, 3],
        images=["screenshot"],
        output_options={"markdown": {"tables": {"output_tables_as_markdown": True}}},
        crop_box={"top": 0.1},
        webhook_configurations=[{"webhook_url": "https://example.com/parsed"}],
    )
    LlamaParseReader(output_options=OutputOptions(markdown={"annotate_links": True}), target_pages=range(1, 4))


def mistakes_show_before_the_program_runs() -> None:
    LlamaParseReader(tierr="fast")  # type: ignore[call-arg]
    LlamaParseReader(tier="quick")  # type: ignore[arg-type]
    LlamaParseReader().load_data("report.pdf", fsystem=None)  # type: ignore[call-arg]


async def one_file_gives_one_result_and_several_a_list(reader: LlamaParseReader) -> None:
    assert_type(reader.parse("report.pdf"), ParseResult | Any)
    assert_type(reader.parse(b"%PDF-"), ParseResult | Any)
    assert_type(reader.parse(["report.pdf", Path("letter.pdf")]), list[ParseResult | Any])
    assert_type(reader.submit("report.pdf"), ParseJob | Any)
    assert_type(reader.submit(file for file in ("report.pdf", Path("letter.pdf"))), list[ParseJob | Any])
    assert_type(await reader.aparse("report.pdf"), ParseResult | Any)
    assert_type(await reader.asubmit(["report.pdf"]), list[ParseJob | Any])
    async for result in reader.astream(["report.pdf"]):
        print(result.job.id, len(result.pages))
