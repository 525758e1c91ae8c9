"""Structured items to a linked tree of LlamaIndex nodes.

Every node knows its file, page, item type, section ("A > B") and box. Relationships run both ways: SOURCE to the whole
document, PREVIOUS and NEXT in reading order, PARENT and CHILD between a heading and what stands under it.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from llama_cloud_ext.jobs.source_identity import SourceIdentity
from llama_cloud_ext.parse.documents import page_count
from llama_cloud_ext.parse.images import ParseImage, image_metadata, image_name
from llama_cloud_ext.parse.metadata import clean_text, excluded_keys
from llama_cloud_ext.parse.outline import PlacedItem, walk
from llama_cloud_ext.parse.pages import ParsePage
from llama_cloud_ext.wire.models.parse_items import ImageItem, Item, TableItem

if TYPE_CHECKING:
    from llama_index.core.schema import ImageNode, RelatedNodeInfo, TextNode

TableForm = Literal["markdown", "html"]
# Bytes and mimetype of the images that were downloaded, by the service's file name.
# Stands for an image that is listed, but that no item shows.
_IMAGE: Item = ImageItem({"type": "image"})
ImageContents = Mapping[str, tuple[bytes, str]]


def build_nodes(
    pages: Sequence[ParsePage],
    source: SourceIdentity,
    document: RelatedNodeInfo,
    *,
    table_form: TableForm = "markdown",
    page_margins: bool = False,
    contents: ImageContents | None = None,
) -> list[TextNode]:
    """Build the nodes of a document.

    Args:
        pages: The pages, with items.
        source: The file they come from.
        document: What SOURCE points to.
        table_form: What a table's node holds.
        page_margins: Keep the items of page headers and footers too.
        contents: Downloaded images; without them an ImageNode has its caption and name only.

    Returns:
        The nodes in reading order, linked. Images that no item shows stand where their box says, else at the end of
        their page; full-page screenshots are left out.
    """
    return _Builder(pages, source, document, table_form, contents or {}).build(page_margins=page_margins)


class _Builder:
    def __init__(
        self,
        pages: Sequence[ParsePage],
        source: SourceIdentity,
        document: RelatedNodeInfo,
        table_form: TableForm,
        contents: ImageContents,
    ) -> None:
        self.pages = pages
        self.source = source
        self.document = document
        self.table_form = table_form
        self.contents = contents
        self.shared = source.metadata()
        self.count = page_count(pages)
        self.images = {image_name(image.filename): image for page in pages for image in page.images}

    def build(self, *, page_margins: bool) -> list[TextNode]:
        placed = [item for item in walk(self.pages) if (page_margins or item.margin is None) and not self._empty(item)]
        nodes: list[TextNode] = []
        parents: list[int | None] = []
        place_of: dict[tuple[int, str], int] = {}
        for item, loose in _interleave(self.pages, placed, self._loose_images(placed)):
            parent = next(
                (place_of[key] for h in reversed(item.headings) if (key := (h.page.number, h.path)) in place_of), None
            )
            if loose is None:
                place_of[item.page.number, item.path] = len(nodes)
                nodes.append(self._node(item))
            else:
                nodes.append(self._loose_node(item, loose))
            parents.append(parent)
        self._link(nodes, parents)
        return nodes

    def _empty(self, item: PlacedItem) -> bool:
        return item.is_table_fragment or (not item.text and item.kind != "image")

    def _node(self, item: PlacedItem) -> TextNode:
        from llama_index.core.schema import TextNode

        if item.kind == "image":
            return self._image_node(item)
        fields = self._fields(item)
        text = item.text
        if isinstance(item.item, TableItem):
            fields["metadata"]["table_id"] = fields["id_"]
            if self.table_form == "html":
                text = clean_text(item.item.html) or text
        return TextNode(text=text, **fields)

    def _image_node(self, item: PlacedItem) -> ImageNode:
        name = item.image
        image = self.images.get(name)
        fields = self._fields(item)
        if image is not None:
            fields["metadata"] = {**image_metadata(image, self.count), **fields["metadata"]}
        elif name:
            fields["metadata"]["image_name"] = name
        return self._with_content(image, item.text, fields)

    def _loose_node(self, item: PlacedItem, image: ParseImage) -> ImageNode:
        """A node for an image that no item shows; `item` is a stand-in that only knows the place."""
        fields = self._fields(item)
        fields["id_"] = self.source.image_id(image.page_number, image.filename)
        fields["metadata"] |= image_metadata(image, self.count)
        return self._with_content(image, "", fields)

    def _with_content(self, image: ParseImage | None, text: str, fields: dict[str, Any]) -> ImageNode:
        from llama_index.core.schema import ImageNode

        content, mimetype = self.contents.get(image.filename, (None, image.mimetype)) if image else (None, None)
        encoded = base64.b64encode(content).decode("ascii") if content is not None else None
        return ImageNode(text=text, image=encoded, image_mimetype=mimetype, **fields)

    def _fields(self, item: PlacedItem) -> dict[str, Any]:
        page = item.page
        metadata = {**self.shared, "page_number": page.number, "page_count": self.count}
        if label := page.page_label:
            metadata["page_label"] = label
        metadata["item_type"] = item.kind if item.margin is None else f"{item.margin}_{item.kind}"
        if section := item.section:
            metadata["section"] = section
        if box := item.box_json:
            metadata["bbox"] = box
        embed, llm = excluded_keys(self.shared)
        return {
            "id_": self.source.item_id(page.number, item.path),
            "metadata": metadata,
            "excluded_embed_metadata_keys": embed,
            "excluded_llm_metadata_keys": llm,
        }

    def _loose_images(self, placed: Sequence[PlacedItem]) -> dict[int, list[ParseImage]]:
        shown = {item.image for item in placed}
        return {
            page.number: loose
            for page in self.pages
            if (loose := [i for i in page.images if i.category != "screenshot" and image_name(i.filename) not in shown])
        }

    def _link(self, nodes: list[TextNode], parents: Sequence[int | None]) -> None:
        from llama_index.core.schema import NodeRelationship, RelatedNodeInfo

        # Without the neighbours' metadata: it would be stored with every node again, up to four times.
        infos = [RelatedNodeInfo(node_id=node.node_id, node_type=node.get_type(), hash=node.hash) for node in nodes]
        children: dict[int, list[RelatedNodeInfo]] = {}
        for place, parent in enumerate(parents):
            if parent is not None:
                children.setdefault(parent, []).append(infos[place])
        for place, (node, parent) in enumerate(zip(nodes, parents, strict=True)):
            relationships: dict[Any, Any] = {NodeRelationship.SOURCE: self.document}
            if place:
                relationships[NodeRelationship.PREVIOUS] = infos[place - 1]
            if place + 1 < len(nodes):
                relationships[NodeRelationship.NEXT] = infos[place + 1]
            if parent is not None:
                relationships[NodeRelationship.PARENT] = infos[parent]
            if place in children:
                relationships[NodeRelationship.CHILD] = children[place]
            node.relationships.update(relationships)


def _interleave(
    pages: Sequence[ParsePage], placed: Sequence[PlacedItem], loose: Mapping[int, list[ParseImage]]
) -> Iterator[tuple[PlacedItem, ParseImage | None]]:
    """Put the images that no item shows between the items of their pages: before the first item that is lower."""
    by_page: dict[int, list[PlacedItem]] = {}
    for item in placed:
        by_page.setdefault(item.page.number, []).append(item)
    headings: tuple[PlacedItem, ...] = ()
    for page in pages:
        images = sorted(loose.get(page.number, ()), key=_image_top)
        for item in by_page.get(page.number, ()):
            top = min((box["y"] for box in item.boxes), default=None)
            while images and top is not None and _image_top(images[0]) < top:
                yield PlacedItem(page, "", _IMAGE, headings), images.pop(0)
            yield item, None
            if item.margin is None:
                headings = (*item.headings, item) if item.level else item.headings
        for image in images:
            yield PlacedItem(page, "", _IMAGE, headings), image


def _image_top(image: ParseImage) -> float:
    return image.bbox["y"] if image.bbox else float("inf")
