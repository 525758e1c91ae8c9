"""The crop box: ratios of the API to those of the parser, and pictures cut to a box."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any


@dataclass(frozen=True)
class CropBox:
    """The part of each page that is read, as lines across the page: ratios from its left and upper edge.

    Example:
        >>> CropBox.of({"top": 0.25, "right": 0.5})
        CropBox(left=0.0, top=0.25, right=0.5, bottom=1.0)
    """

    left: float = 0.0
    top: float = 0.0
    right: float = 1.0
    bottom: float = 1.0

    @classmethod
    def of(cls, group: dict[str, Any] | None) -> CropBox | None:
        """The `crop_box` of a request; None when it leaves the whole page."""
        edges = {name: float(value) for name, value in (group or {}).items() if value is not None}
        box = cls(**edges)
        return None if box == cls() else box

    def holds(self, rect: Any, width: float, height: float) -> bool:
        """Whether the middle of a rectangle on a page of this size lies in the box."""
        x, y = rect.x + rect.width / 2, rect.y + rect.height / 2
        return bool(self.left * width <= x <= self.right * width and self.top * height <= y <= self.bottom * height)

    def margins(self) -> tuple[float, float, float, float]:
        """What is cut off at the top, right, bottom and left, as shares of the page."""
        return (self.top, 1.0 - self.right, 1.0 - self.bottom, self.left)


def cut_png(png: bytes, boxes: Sequence[tuple[float, float, float, float]]) -> list[bytes]:
    """Cut parts out of a picture.

    Args:
        png: The picture.
        boxes: Left, top, right and bottom of each part, as shares of the picture's width and height. They are clipped
            to the picture, and are at least one pixel wide and high.

    Returns:
        The parts as PNG, in the order of the boxes.
    """
    from PIL import Image

    parts: list[bytes] = []
    with Image.open(BytesIO(png)) as picture:
        width, height = picture.size
        for left, top, right, bottom in boxes:
            x = min(max(int(left * width), 0), width - 1)
            y = min(max(int(top * height), 0), height - 1)
            box = (x, y, max(min(round(right * width), width), x + 1), max(min(round(bottom * height), height), y + 1))
            part = BytesIO()
            picture.crop(box).save(part, format="PNG", compress_level=3)
            parts.append(part.getvalue())
    return parts
