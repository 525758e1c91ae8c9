"""Responses of the Parse API, as its reference describes them, for the tests of results."""

from __future__ import annotations

from typing import Any

from llama_cloud_ext.jobs.source_identity import SourceIdentity

SOURCE = SourceIdentity("report.pdf", "file:/data/report.pdf", path="/data/report.pdf", extra_info={"team": "finance"})


def box(x: float, y: float) -> list[dict[str, Any]]:
    """One box at a place."""
    return [{"x": x, "y": y, "w": 100.0, "h": 20.0, "label": "text", "confidence": 0.9}]


def heading(level: int, title: str, y: float = 0) -> dict[str, Any]:
    """A heading item."""
    return {"type": "heading", "level": level, "value": title, "md": f"{'#' * level} {title}", "bbox": box(10, y)}


def text(words: str, y: float = 0) -> dict[str, Any]:
    """A paragraph item."""
    return {"type": "text", "value": words, "md": words, "bbox": box(10, y)}


def table(rows: list[list[Any]], **more: Any) -> dict[str, Any]:
    """A table item."""
    lines = ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    return {
        "type": "table",
        "rows": rows,
        "md": "\n".join(lines),
        "csv": "\n".join(",".join(map(str, row)) for row in rows),
        "html": "<table><tr><td colspan=2>x</td></tr></table>" if rows else "",
        "bbox": box(10, 300),
        **more,
    }


def image(name: str, caption: str = "A chart", y: float = 0) -> dict[str, Any]:
    """An image item."""
    return {"type": "image", "caption": caption, "url": name, "md": f"![{caption}]({name})", "bbox": box(10, y)}


def listed(*names: str, host: str = "https://files.example.com", **more: Any) -> dict[str, Any]:
    """An image listing with presigned URLs."""
    return {
        "total_count": len(names),
        "images": [
            {
                "index": place,
                "filename": name,
                "content_type": "image/png",
                "presigned_url": f"{host}/{place}?sig=first",
                "category": "embedded",
                "bbox": {"x": 10, "y": 200, "w": 50, "h": 40},
                **more,
            }
            for place, name in enumerate(names)
        ],
    }


def response(pages: list[list[dict[str, Any]]], **more: Any) -> dict[str, Any]:
    """A whole response, whose text and markdown follow from the items of each page."""

    def joined(items: list[dict[str, Any]], key: str) -> str:
        return "\n\n".join(str(item.get(key) or item.get("md") or "") for item in items)

    numbered = list(enumerate(pages, start=1))
    return {
        "job": {
            "id": "pjb-1",
            "project_id": "p-1",
            "status": "COMPLETED",
            "tier": "agentic",
            "usage": {"credits": 12.5},
            "user_metadata": {"team": "finance"},
            "created_at": "2026-10-16T08:00:00Z",
        },
        "job_metadata": {"job_is_cache_hit": True, "engine": "x"},
        "text": {"pages": [{"page_number": n, "text": joined(items, "value")} for n, items in numbered]},
        "markdown": {
            "pages": [{"page_number": n, "success": True, "markdown": joined(items, "md")} for n, items in numbered]
        },
        "items": {
            "pages": [
                {"page_number": n, "success": True, "page_width": 612, "page_height": 792, "items": items}
                for n, items in numbered
            ]
        },
        "metadata": {"pages": [{"page_number": n, "printed_page_number": f"A-{n}"} for n, _ in numbered]},
        **more,
    }
