"""Documents to chunks: every mode of `transform_config`, pages, offsets, ids."""

from __future__ import annotations

import socket
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llama_cloud_ext.local.retrieval import Embedder, check_transform_config
from llama_cloud_ext.local.retrieval.splitters import sentences
from tests.local.retrieval_database import split

PARAGRAPH = "The quick brown fox jumps over the lazy dog. It does so every day, and nobody knows why. "
TEXTS = st.text(
    alphabet=st.one_of(st.sampled_from("ab .!?\n|#`"), st.characters(exclude_categories=["Cs"])), max_size=400
)


def advanced(chunking: dict[str, Any], segmentation: dict[str, Any] | None = None) -> dict[str, Any]:
    """An advanced `transform_config`."""
    return {"mode": "advanced", "chunking_config": chunking, "segmentation_config": segmentation}


CONFIGS = [
    {"mode": "auto", "chunk_size": 40, "chunk_overlap": 10},
    {"mode": "auto", "chunk_size": 40, "chunk_overlap": 0},
    advanced({"mode": "token", "chunk_size": 30, "chunk_overlap": 5}),
    advanced({"mode": "character", "chunk_size": 50, "chunk_overlap": 20}),
    advanced({"mode": "sentence", "chunk_size": 40, "paragraph_separator": "\n\n"}, {"mode": "element"}),
    advanced({"mode": "none"}, {"mode": "none"}),
]


def assert_covered(text: str, **options: Any) -> None:
    """Every word of the text is in a chunk, and every chunk is where it says it is."""
    chunks = split(text, **options)
    covered = set()
    for chunk in chunks:
        assert chunk.start_char_idx is not None
        assert chunk.end_char_idx is not None
        assert text[chunk.start_char_idx : chunk.end_char_idx] == chunk.text
        assert chunk.text.strip()
        covered.update(range(chunk.start_char_idx, chunk.end_char_idx))
    missing = [place for place, letter in enumerate(text) if not letter.isspace() and place not in covered]
    assert not missing
    assert [chunk.position for chunk in chunks] == list(range(len(chunks)))


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_nothing_of_a_text_is_left_out(config: dict[str, Any]) -> None:
    """Ensure chunks cover a long text, one that repeats itself too, and know their places in it."""
    assert_covered(PARAGRAPH * 40, transform_config=config)
    assert_covered("a a a " * 300, transform_config=config)
    assert_covered(
        f"# One\n\n{PARAGRAPH}\n\n|a|b|\n|-|-|\n|1|2|\n\n```\ncode  here\n```\n## Two\n" * 9, transform_config=config
    )


@settings(max_examples=150, deadline=None)
@given(text=TEXTS, config=st.sampled_from(CONFIGS), pages=st.lists(st.integers(0, 400), max_size=4))
def test_nothing_of_any_text_is_left_out(text: str, config: dict[str, Any], pages: list[int]) -> None:
    """Ensure the same for any text with any pages."""
    assert_covered(text, transform_config=config, page_positions=[0, *sorted(pages)])


@settings(max_examples=100, deadline=None)
@given(text=TEXTS)
def test_sentences_joined_are_the_text(text: str) -> None:
    """Ensure cutting into sentences loses nothing."""
    assert "".join(sentences(text)) == text


def test_chunks_never_cross_pages_and_name_theirs() -> None:
    """Ensure pages are segments, that an empty page counts, and that chunks carry number and label."""
    text = f"{PARAGRAPH * 30}\f\f{PARAGRAPH * 30}"
    second = text.index("\f") + 1
    chunks = split(text, metadata={"a": 1}, page_positions=[0, second, second + 1], transform_config=CONFIGS[0])
    assert {chunk.metadata["page_number"] for chunk in chunks} == {1, 3}
    for chunk in chunks:
        assert chunk.metadata["page_label"] == str(chunk.metadata["page_number"])
        assert chunk.metadata["a"] == 1
        assert "\f" not in chunk.text


def test_without_segmentation_chunks_cross_pages_and_name_where_they_start() -> None:
    """Ensure segmentation `none` ignores pages for cutting but not for naming."""
    (chunk,) = split("one two", page_positions=[0, 4], transform_config=advanced({"mode": "none"}, {"mode": "none"}))
    assert (chunk.text, chunk.metadata["page_number"]) == ("one two", 1)
    chunks = split(
        "one two",
        page_positions=[0, 4],
        transform_config=advanced({"mode": "character", "chunk_size": 4}, {"mode": "none"}),
    )
    assert [chunk.metadata["page_number"] for chunk in chunks] == [1, 2]


def test_a_page_separator_makes_pages() -> None:
    """Ensure a text without known pages is cut at the separator that the configuration names."""
    config = advanced({"mode": "none"}, {"mode": "page", "page_separator": "\n---\n"})
    chunks = split("one\n---\ntwo", transform_config=config)
    assert [(chunk.text, chunk.metadata["page_number"]) for chunk in chunks] == [("one", 1), ("two", 2)]


def test_elements_of_markdown_are_segments() -> None:
    """Ensure sections, tables and code do not share chunks, and that a heading inside code is none."""
    table, code = "| x | y |\n|---|---|\n| 1 | 2 |", "```\n# no heading\n```"
    text = f"Intro\n\n# A\n\nText of a.\n\n{table}\n\nAfter.\n\n{code}\n\n## B\nText of b."
    chunks = split(text, transform_config=advanced({"mode": "none"}, {"mode": "element"}))
    assert [chunk.text for chunk in chunks] == [
        "Intro",
        "# A\n\nText of a.",
        table,
        "After.",
        code,
        "## B\nText of b.",
    ]


def test_sizes_are_kept() -> None:
    """Ensure chunks stay within the size, counted in tokens or characters, and repeat each other's ends."""
    from llama_index.core.utils import get_tokenizer

    count = get_tokenizer()
    by_token = split(PARAGRAPH * 30, transform_config=advanced({"mode": "token", "chunk_size": 30, "chunk_overlap": 8}))
    assert len(by_token) > 10
    assert all(len(count(chunk.text)) <= 30 for chunk in by_token)
    starts = [chunk.start_char_idx or 0 for chunk in by_token]
    ends = [chunk.end_char_idx or 0 for chunk in by_token]
    assert all(start < end for start, end in zip(starts[1:], ends[:-1], strict=True))
    by_character = split(PARAGRAPH * 9, transform_config=advanced({"mode": "character", "chunk_size": 50}))
    assert all(len(chunk.text) <= 50 for chunk in by_character)
    by_default = split(PARAGRAPH * 200)
    assert all(512 < len(count(chunk.text)) <= 1024 for chunk in by_default[:-1])


def test_semantic_chunks_follow_the_embedding() -> None:
    """Ensure semantic chunking breaks where the subject changes, and asks for an embedding."""
    text = "Cats purr. Cats sleep. Cats purr again. Stocks fell today. Stocks rose later. Stocks fell again."
    config = advanced({"mode": "semantic", "buffer_size": 1, "breakpoint_percentile_threshold": 80})
    chunks = split(text, transform_config=config, embedder=Embedder())
    assert len(chunks) > 1
    assert "".join(chunk.text for chunk in chunks).replace(" ", "") == text.replace(" ", "")
    with pytest.raises(ValueError, match="semantic"):
        split(text, transform_config=config)


def test_ids_are_stable() -> None:
    """Ensure a document's chunks have the same ids each time, and others than another document's."""
    ids = [chunk.id for chunk in split(PARAGRAPH * 20, "one", transform_config=CONFIGS[0])]
    assert ids == [chunk.id for chunk in split(PARAGRAPH * 20, "one", transform_config=CONFIGS[0])]
    assert len({*ids, *(chunk.id for chunk in split(PARAGRAPH * 20, "two", transform_config=CONFIGS[0]))}) == 2 * len(
        ids
    )


def test_chunks_have_metadata_of_their_own() -> None:
    """Ensure changing one chunk's metadata changes no other's, nor the document's."""
    metadata = {"a": 1}
    first, second, *_ = split(PARAGRAPH * 20, metadata=metadata, transform_config=CONFIGS[0])
    first.metadata["b"] = 2
    assert (second.metadata, metadata) == ({"a": 1}, {"a": 1})


def test_space_is_no_chunk() -> None:
    """Ensure a document of nothing but space has no chunks."""
    assert split(" \n\f ") == []
    assert split("") == []


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ({"mode": "clever"}, "clever"),
        ({"mode": "auto", "chunk_size": 0}, "chunk_size"),
        ({"mode": "auto", "chunk_size": 10, "chunk_overlap": 10}, "chunk_overlap"),
        ({"mode": "auto", "chunk_overlap": -1}, "chunk_overlap"),
        ({"mode": "auto", "separator": " "}, "separator"),
        (advanced({"mode": "fuzzy"}), "fuzzy"),
        (advanced({"mode": "none", "chunk_size": 3}), "chunk_size"),
        (advanced({"mode": "semantic", "breakpoint_percentile_threshold": 200}), "breakpoint_percentile_threshold"),
        (advanced({"mode": "semantic", "buffer_size": 0}), "buffer_size"),
        (advanced({"mode": "token", "separator": ""}), "separator"),
        (advanced({"mode": "none"}, {"mode": "chapter"}), "chapter"),
        (advanced({"mode": "none"}, {"mode": "element", "page_separator": "x"}), "page_separator"),
    ],
    ids=str,
)
def test_what_cannot_be_done_is_refused_by_name(config: dict[str, Any], named: str) -> None:
    """Ensure a configuration that cannot be followed raises before anything is cut, naming what is wrong."""
    with pytest.raises(ValueError, match=named):
        check_transform_config(config)
    with pytest.raises(ValueError, match=named):
        split("text", transform_config=config)


def test_a_small_default_overlap_follows_a_small_size() -> None:
    """Ensure a chunk size below the default overlap is no error that nobody made."""
    assert len(split(PARAGRAPH * 20, transform_config={"mode": "auto", "chunk_size": 50})) > 5


def test_splitting_needs_no_network_and_short_texts_no_llama_index(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure no connection is opened, and that what fits one chunk is cut without importing LlamaIndex or NumPy."""

    def refused(*_: object) -> None:
        raise AssertionError("splitting opened a connection")

    monkeypatch.setattr(socket.socket, "connect", refused)
    assert len(split(PARAGRAPH * 100)) > 1
    code = (
        "import sys; from tests.local.retrieval_database import split; assert len(split('short')) == 1; "
        "assert not {'llama_index', 'numpy', 'tiktoken'} & sys.modules.keys(), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
