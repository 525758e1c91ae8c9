"""Nodes: text, sections, relationships, images in their place, and survival in splitters."""

from __future__ import annotations

import base64
import json
from typing import Any

from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.schema import ImageNode, MetadataMode, NodeRelationship, TextNode
from llama_index.core.storage.docstore.utils import doc_to_json, json_to_doc

from llama_cloud_ext.parse.nodes import build_nodes
from llama_cloud_ext.parse.result import ParseResult
from tests.unit.parse_samples import SOURCE, heading, image, listed, response, table, text

PAGES = [
    [
        {"type": "header", "md": "Annual report", "items": [text("Annual report")]},
        text("before any heading", 10),
        heading(1, "Alpha", 50),
        text("under alpha", 100),
        heading(2, "Beta", 150),
        {"type": "list", "ordered": False, "md": "- x\n- y", "items": [text("x"), text("y")]},
        {"type": "code", "md": "```py\n1\n```", "value": "1", "language": "py"},
        {"type": "footer", "md": "", "items": [text("page 1")]},
    ],
    [
        text("still under beta", 10),
        image("chart.png", y=100),
        table([["a", "b"], ["1", "2"]]),
        heading(2, "Gamma", 400),
        text("under gamma", 450),
        heading(1, "Omega", 500),
        {"type": "hologram", "md": "of a new type"},
        text("   "),
        {"type": "text", "md": None, "value": None},
    ],
]


def make(**more: Any) -> ParseResult:
    return ParseResult(response(PAGES, **more), source=SOURCE)


def by_text(nodes: list[TextNode]) -> dict[str, TextNode]:
    return {node.text.splitlines()[0]: node for node in nodes}


def test_order_types_pages_and_sections() -> None:
    """Ensure nodes come in reading order with page, type and the path of the headings, across pages."""
    told = [(n.metadata["page_number"], n.metadata["item_type"], n.metadata.get("section")) for n in make().nodes()]
    assert told == [
        (1, "text", None),
        (1, "heading", "Alpha"),
        (1, "text", "Alpha"),
        (1, "heading", "Alpha > Beta"),
        (1, "list", "Alpha > Beta"),
        (1, "code", "Alpha > Beta"),
        (2, "text", "Alpha > Beta"),
        (2, "image", "Alpha > Beta"),
        (2, "table", "Alpha > Beta"),
        (2, "heading", "Alpha > Gamma"),
        (2, "text", "Alpha > Gamma"),
        (2, "heading", "Omega"),
        (2, "hologram", "Omega"),
    ]


def test_page_margins_on_request() -> None:
    """Ensure page headers and footers come only when asked for, without becoming part of a section."""
    nodes = make().nodes(page_margins=True)
    margins = [
        (n.text, n.metadata["item_type"], n.metadata.get("section")) for n in nodes if "_" in n.metadata["item_type"]
    ]
    assert margins == [("Annual report", "header_text", None), ("page 1", "footer_text", None)]


def test_relationships_agree_both_ways() -> None:
    """Ensure SOURCE, PREVIOUS, NEXT, PARENT and CHILD link one consistent tree."""
    result = make()
    nodes = result.nodes()
    known = {node.node_id: node for node in nodes}
    assert len(known) == len(nodes)
    (document,) = result.documents(split_by_page=False)
    for place, node in enumerate(nodes):
        assert node.source_node is not None
        assert node.source_node.node_id == node.ref_doc_id == document.id_
        assert node.source_node.hash == document.hash
        assert (node.prev_node.node_id if node.prev_node else None) == (nodes[place - 1].node_id if place else None)
        assert (node.next_node is None) == (place == len(nodes) - 1)
        if node.next_node is not None:
            assert node.next_node.node_id == nodes[place + 1].node_id
            assert node.next_node.hash == nodes[place + 1].hash
        if node.parent_node is not None:
            siblings = known[node.parent_node.node_id].child_nodes or []
            assert node.node_id in [child.node_id for child in siblings]
        for child in node.child_nodes or []:
            parent = known[child.node_id].parent_node
            assert parent is not None
            assert parent.node_id == node.node_id
    found = by_text(nodes)
    children = [known[c.node_id].text for c in found["# Alpha"].child_nodes or []]
    assert children == ["under alpha", "## Beta", "## Gamma"]
    assert found["before any heading"].parent_node is None


def test_box_is_one_hidden_json_string() -> None:
    """Ensure a node carries its box with the page size for citing, and no model ever sees it."""
    node = make().nodes()[0]
    assert json.loads(node.metadata["bbox"]) == {
        "boxes": [{"x": 10, "y": 10, "w": 100, "h": 20}],
        "page_width": 612,
        "page_height": 792,
    }
    for mode in (MetadataMode.EMBED, MetadataMode.LLM):
        assert "bbox" not in node.get_content(mode)
    assert all(isinstance(value, (str, int, float, bool)) for value in node.metadata.values())


def test_table_node_points_to_its_table() -> None:
    """Ensure a table's node holds its markdown, or html on request, and names its entry in `tables`."""
    result = make()
    (found,) = result.tables
    node = next(n for n in result.nodes() if n.metadata["item_type"] == "table")
    assert node.metadata["table_id"] == found.id == node.node_id
    assert node.text == found.markdown
    html = next(n for n in result.nodes(table_form="html") if n.metadata["item_type"] == "table")
    assert html.text == found.html


def test_merged_table_has_one_node() -> None:
    """Ensure the empty remainder of a table that runs across pages makes no node."""
    pages = [[table([["a"]], merged_from_pages=[1, 2])], [table([], merged_into_page=1), text("after")]]
    nodes = ParseResult(response(pages), source=SOURCE).nodes()
    assert [n.metadata["item_type"] for n in nodes] == ["table", "text"]


def test_image_nodes_stand_in_their_place() -> None:
    """Ensure an image that an item shows keeps its place, name, category and section; bytes are optional."""
    result = make(images_content_metadata=listed("chart.png", category="layout"))
    node = next(n for n in result.nodes() if isinstance(n, ImageNode))
    assert node.metadata["image_name"] == "chart.png"
    assert node.metadata["image_category"] == "layout"
    assert node.metadata["section"] == "Alpha > Beta"
    assert node.text == "![A chart](chart.png)"
    assert (node.image, node.image_mimetype) == (None, "image/png")


def test_image_nodes_can_hold_their_bytes() -> None:
    """Ensure downloaded bytes come out of the node as they went in, also after storing."""
    content = b"QUJD" * 3  # valid base64 itself
    result = make(images_content_metadata=listed("chart.png"))
    document = result.documents(split_by_page=False)[0].as_related_node_info()
    nodes = build_nodes(result.pages, SOURCE, document, contents={"chart.png": (content, "image/jpeg")})
    node = next(n for n in nodes if isinstance(n, ImageNode))
    stored = json_to_doc(json.loads(json.dumps(doc_to_json(node))))
    assert isinstance(stored, ImageNode)
    for each in (node, stored):
        assert each.image_mimetype == "image/jpeg"
        assert each.image == base64.b64encode(content).decode()
        assert each.resolve_image().read() == content  # type: ignore[union-attr]


def test_images_that_no_item_shows_stand_where_their_box_says() -> None:
    """Ensure saved images are placed by their box, at the page's end without one, and screenshots are left out."""
    images = listed("page_1_a.png", "page_1_b.png", "page_1_c.png", "page_2_d.png")
    for entry, place in zip(images["images"], (75, None, 5, 20), strict=True):
        entry["bbox"] = None if place is None else {"x": 1, "y": place, "w": 5, "h": 5}
    images["images"].append({"filename": "page_1_s.png", "category": "screenshot", "index": 4})
    pages = [[text("top", 10), heading(1, "Title", 50), text("low", 100)], []]
    nodes = ParseResult(response(pages, images_content_metadata=images), source=SOURCE).nodes()
    told = [(n.text or n.metadata["image_name"], n.metadata.get("section")) for n in nodes]
    assert told == [
        ("page_1_c.png", None),
        ("top", None),
        ("# Title", "Title"),
        ("page_1_a.png", "Title"),
        ("low", "Title"),
        ("page_1_b.png", "Title"),
        ("page_2_d.png", "Title"),
    ]


def test_ids_do_not_change() -> None:
    """Ensure the same file gives the same node ids in another job."""
    assert [n.node_id for n in make().nodes()] == [n.node_id for n in make(job={"id": "pjb-2"}).nodes()]
    assert make().nodes()[0].hash == make(job={"id": "pjb-2"}).nodes()[0].hash


def test_nodes_survive_a_splitter() -> None:
    """Ensure chunks of 256 tokens keep page, section, box and source, however deep and long the headings are."""
    deep = [heading(level, f"Chapter {level} " + "on many things " * 20) for level in range(1, 7)]
    result = ParseResult(response([[*deep, text("A sentence of words. " * 400)]]), source=SOURCE)
    chunks = IngestionPipeline(transformations=[SentenceSplitter(chunk_size=256)]).run(nodes=result.nodes())
    long = [chunk for chunk in chunks if chunk.metadata["item_type"] == "text"]
    assert len(long) > 5
    (document,) = result.documents(split_by_page=False)
    for chunk in long:
        assert chunk.metadata["page_number"] == 1
        assert chunk.metadata["section"].startswith("…")
        assert json.loads(chunk.metadata["bbox"])["page_width"] == 612
        assert chunk.ref_doc_id == document.id_
        assert NodeRelationship.SOURCE in chunk.relationships
        assert "bbox" not in chunk.get_content(MetadataMode.EMBED)


def test_items_without_type_are_told_by_their_shape() -> None:
    """Ensure an item whose type is missing or spelt otherwise is still read for what it is."""
    pages = [
        [{"level": 2, "md": "## T"}, {"rows": [["a"]], "md": "|a|"}, {"url": "i.png", "caption": "c"}, {"md": "p"}]
    ]
    nodes = ParseResult(response(pages), source=SOURCE).nodes()
    assert [n.metadata["item_type"] for n in nodes] == ["heading", "table", "image", "text"]
    assert nodes[2].metadata["image_name"] == "i.png"


async def test_anodes_without_images_need_no_connection() -> None:
    """Ensure the asynchronous twin gives the same nodes."""
    assert [n.to_dict() for n in await make().anodes()] == [n.to_dict() for n in make().nodes()]
