"""Markdown to the items of the API: for markdown files, and for what the office parser makes of its formats. Pure."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from llama_cloud_ext.local.engine.items import (
    code_item,
    heading_item,
    image_item,
    link_item,
    list_item,
    text_item,
)
from llama_cloud_ext.local.engine.tables import TableStyle, table_item

if TYPE_CHECKING:
    from markdown_it.token import Token

Item = dict[str, Any]

_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]+>")
_LINK = re.compile(r"(?<!!)\[((?:[^\[\]]|\\.)*)\]\(<?[^()\s]*>?(?:\s+\"[^\"]*\")?\)")


def items_of_markdown(text: str, style: TableStyle | None = None, *, annotate_links: bool = False) -> list[Item]:
    """The items of a page of markdown, in order.

    Args:
        text: CommonMark with pipe tables.
        style: How tables look in the items' own markdown.
        annotate_links: Keep addresses in the items' markdown; otherwise links leave only their text there. Either way
            each link is an item of its own.

    Returns:
        Items without boxes.

    Example:
        >>> [item["type"] for item in items_of_markdown("# Oaks\\n\\n- red\\n- white\\n\\nSee [more](http://x.org).")]
        ['heading', 'list', 'text', 'link']
    """
    from markdown_it import MarkdownIt

    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    return _Walk(tokens, style or TableStyle(), annotate_links).items()


def plain_text(text: str) -> str:
    """Markdown as plain text, block by block: no marks, no addresses.

    Example:
        >>> plain_text("## A *b*\\n\\n[c](http://d.e)")
        'A b\\n\\nc'
    """
    return "\n\n".join(_plain_lines(item) for item in items_of_markdown(text) if item["type"] != "link").strip()


class _Walk:
    """One walk over the tokens of a document."""

    def __init__(self, tokens: Sequence[Token], style: TableStyle, annotate_links: bool) -> None:
        self._tokens = tokens
        self._style = style
        self._annotate = annotate_links
        self._at = 0

    def items(self, until: str | None = None) -> list[Item]:
        found: list[Item] = []
        while self._at < len(self._tokens):
            token = self._tokens[self._at]
            self._at += 1
            if token.type == until:
                break
            found += self._block(token)
        return found

    def _block(self, token: Token) -> list[Item]:  # noqa: PLR0911 - one return per kind of block
        if token.type == "heading_open":
            inline = self._inline("heading_close")
            return [heading_item(int(token.tag[1]), self._text(inline)), *_links(inline)] if inline.content else []
        if token.type == "paragraph_open":
            return self._paragraph(self._inline("paragraph_close"))
        if token.type in {"fence", "code_block"}:
            return [code_item(token.content.rstrip("\n"), token.info.split(" ")[0] or None)]
        if token.type in {"bullet_list_open", "ordered_list_open"}:
            return self._list(token)
        if token.type == "table_open":
            return self._table()
        if token.type == "html_block":
            value = html.unescape(_TAG.sub("", _BREAK.sub("\n", token.content))).strip()
            return [text_item(token.content.strip(), value=value)] if value else []
        return []  # quotes and rules: what is inside comes by itself

    def _inline(self, until: str) -> Token:
        inline = self._tokens[self._at]
        while self._tokens[self._at].type != until:
            self._at += 1
        self._at += 1
        return inline

    def _paragraph(self, inline: Token) -> list[Item]:
        images = [
            image_item(str(child.attrGet("src") or ""), child.content)
            for child in inline.children or ()
            if child.type == "image"
        ]
        words = [
            child for child in inline.children or () if child.type in {"text", "code_inline"} and child.content.strip()
        ]
        if images and not words:
            return images
        text = self._text(inline)
        return [text_item(text, value=_value(inline)), *images, *_links(inline)] if text.strip() else []

    def _list(self, token: Token) -> list[Item]:
        ordered = token.type.startswith("ordered")
        closing = token.type.replace("open", "close")
        entries: list[Item] = []
        links: list[Item] = []
        while (current := self._tokens[self._at]).type != closing:
            self._at += 1
            if current.type == "list_item_open":
                inside = self.items("list_item_close")
                links += [item for item in inside if item["type"] == "link"]
                entries += _entries([item for item in inside if item["type"] != "link"])
        self._at += 1
        first = token.attrGet("start")
        return [list_item(entries, ordered=ordered, first=int(first) if first else 1), *links] if entries else links

    def _table(self) -> list[Item]:
        rows: list[list[str]] = []
        links: list[Item] = []
        while (token := self._tokens[self._at]).type != "table_close":
            if token.type == "tr_open":
                rows.append([])
            elif token.type == "inline":
                rows[-1].append(_BREAK.sub("\n", _value(token)))
                links += _links(token)
            self._at += 1
        self._at += 1
        return [table_item(rows, self._style), *links]

    def _text(self, inline: Token) -> str:
        return inline.content if self._annotate else _LINK.sub(r"\1", inline.content)


def _entries(inside: list[Item]) -> list[Item]:
    """The blocks of one list entry as a text and nested lists; further paragraphs and code go on with the text."""
    entries: list[Item] = []
    for item in inside:
        if item["type"] == "list":
            entries.append(item)
            continue
        value = str(item.get("value") or item.get("caption") or item["md"])
        if entries and entries[-1]["type"] == "text":
            last = entries[-1]
            entries[-1] = text_item(f"{last['md']}\n\n{item['md']}", value=f"{last['value']}\n\n{value}")
        else:
            entries.append(text_item(item["md"], value=value))
    return entries


def _value(inline: Token) -> str:
    parts: list[str] = []
    for child in inline.children or ():
        if child.type in {"softbreak", "hardbreak"}:
            parts.append("\n")
        elif child.type == "html_inline":
            parts.append("\n" if _BREAK.match(child.content) else "")
        else:
            parts.append(child.content)
    return "".join(parts).strip()


def _links(inline: Token) -> list[Item]:
    links: list[Item] = []
    address: str | None = None
    words: list[str] = []
    for child in inline.children or ():
        if child.type == "link_open":
            address, words = str(child.attrGet("href") or ""), []
        elif child.type == "link_close" and address is not None:
            text = "".join(words).strip()
            if address and text:
                links.append(link_item(text, address))
            address = None
        elif address is not None:
            words.append(child.content)
    return links


def _plain_lines(item: Item) -> str:
    if item["type"] == "list":
        return "\n".join(_plain_lines(inner) for inner in item["items"])
    if item["type"] == "table":
        return "\n".join("\t".join("" if cell is None else str(cell) for cell in row) for row in item["rows"])
    return str(item.get("value") or item.get("caption") or "")
