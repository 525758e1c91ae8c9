"""The crop box: ratios of the API to those of the parser, and pictures cut to a box."""

from __future__ import annotations

from dataclasses import dataclass
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

    def margins(self) -> tuple[float, float, float, float]:
        """What is cut off at the top, right, bottom and left, as shares of the page."""
        return (self.top, 1.0 - self.right, 1.0 - self.bottom, self.left)


def cut_png(png: bytes, left: float, top: float, right: float, bottom: float) -> bytes:
    """Cut a picture to a box.

    Args:
        png: The picture.
        left: As a share of its width, like `right`; `top` and `bottom` are shares of its height. The box is
            clipped to the picture, and is at least one pixel wide and high.
        top: Upper edge.
        right: Right edge.
        bottom: Lower edge.

    Returns:
        The cut picture as PNG.
    """
    from io import BytesIO

    from PIL import Image

    with Image.open(BytesIO(png)) as picture:
        width, height = picture.size
        x = min(max(int(left * width), 0), width - 1)
        y = min(max(int(top * height), 0), height - 1)
        box = (x, y, max(min(round(right * width), width), x + 1), max(min(round(bottom * height), height), y + 1))
        cut = BytesIO()
        picture.crop(box).save(cut, format="PNG")
    return cut.getvalue()
