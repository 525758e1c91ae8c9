"""What kind of image some bytes are: told by the bytes, and by what came with them only where they say nothing."""

from __future__ import annotations

# File types by their first bytes: (offset, bytes, mimetype, suffix).
_SIGNATURES = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png", ".png"),
    (0, b"\xff\xd8\xff", "image/jpeg", ".jpg"),
    (0, b"GIF8", "image/gif", ".gif"),
    (8, b"WEBP", "image/webp", ".webp"),
    (0, b"II*\x00", "image/tiff", ".tiff"),
    (0, b"MM\x00*", "image/tiff", ".tiff"),
    (4, b"ftypavif", "image/avif", ".avif"),
    (4, b"ftypheic", "image/heic", ".heic"),
    (0, b"\x00\x00\x00\x0cjP  ", "image/jp2", ".jp2"),
    (0, b"\xffO\xffQ", "image/jp2", ".j2k"),
)
SUFFIX_OF_TYPE = {mimetype: suffix for _, _, mimetype, suffix in reversed(_SIGNATURES)} | {
    "image/bmp": ".bmp",
    "image/jpg": ".jpg",
    "image/svg+xml": ".svg",
    "image/x-emf": ".emf",
    "image/x-wmf": ".wmf",
}
TYPE_OF_SUFFIX = {suffix: mimetype for mimetype, suffix in SUFFIX_OF_TYPE.items() if mimetype != "image/jpg"} | {
    ".jpeg": "image/jpeg",
    ".tif": "image/tiff",
}
# How many first bytes `image_type` wants to see (an SVG may start with a long comment).
SNIFFED_BYTES = 1024


def image_type(head: bytes, declared: str | None) -> tuple[str, str] | None:
    """Tell what kind of image these bytes are.

    Args:
        head: The first `SNIFFED_BYTES` of the content.
        declared: The content type that came with it, trusted only where the bytes say nothing.

    Returns:
        Mimetype and suffix, or None when it is no image (an error message in JSON, XML or HTML).
    """
    for offset, signature, mimetype, suffix in _SIGNATURES:
        if head.startswith(signature, offset):
            return mimetype, suffix
    # Two letters alone would take any text that starts with them; the reserved bytes behind the size are always zero.
    if head.startswith(b"BM") and head[6:10] == bytes(4):
        return "image/bmp", ".bmp"
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if b"<svg" in text and text.startswith(b"<"):
        return "image/svg+xml", ".svg"
    declared = (declared or "").split(";")[0].strip().lower()
    if declared.startswith("image/") and not text.startswith((b"{", b"[", b"<")) and _looks_binary(head):
        return declared, SUFFIX_OF_TYPE.get(declared, ".bin")
    return None


def _looks_binary(head: bytes) -> bool:
    return any(byte < 9 or 13 < byte < 32 for byte in head)
