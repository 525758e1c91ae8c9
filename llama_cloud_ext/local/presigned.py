"""Download URLs that carry their own permission and expire.

A URL names a blob, an expiry and an HMAC-SHA256 over both. The key lives in the data folder (mode 0600), so that URLs
stay valid across restarts and between the processes that share the folder.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlencode

from llama_cloud_ext.local.request_errors import RequestError

DEFAULT_EXPIRY = 3600.0
"""Seconds a URL lives unless asked otherwise."""

LONGEST_EXPIRY = 7 * 24 * 3600.0
"""Seconds a URL may live at most: what S3 allows for its presigned URLs."""

ROUTE = "/presigned"


class Signer:
    """Signs and checks download URLs.

    Args:
        key: The secret.

    Example:
        >>> signer = Signer(b"secret")
        >>> url = signer.url("http://localhost", "files/1", name="a.pdf", content_type="application/pdf", expires=2e9)
        >>> url.startswith("http://localhost/presigned/files/1?expires=2000000000")
        True
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    @classmethod
    def of_folder(cls, root: Path) -> Signer:
        """Load a data folder's secret, creating it once."""
        path = root / "presigned.key"
        try:
            return cls(path.read_bytes())
        except FileNotFoundError:
            pass
        # Written aside and linked into place: of two processes that start at once one wins, and none reads half a key.
        draft = root / f"presigned.{uuid.uuid4().hex}"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(descriptor, secrets.token_bytes(32))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        except OSError:  # a filesystem without hard links
            if not path.exists():
                draft.replace(path)
        draft.unlink(missing_ok=True)
        return cls(path.read_bytes())

    def url(self, base: str, blob: str, *, name: str, content_type: str, expires: float) -> str:
        """Sign a URL.

        Args:
            base: Scheme and host of the server as the client knows it, without a final slash.
            blob: The blob's path below the data folder.
            name: File name to offer to the downloader.
            content_type: MIME type to answer with.
            expires: Unix time of the expiry.

        Returns:
            The URL.
        """
        query = {"expires": str(int(expires)), "name": name, "type": content_type}
        return f"{base}{ROUTE}/{blob}?{urlencode({**query, 'signature': self._signature(blob, query)})}"

    def check(self, blob: str, query: Mapping[str, str]) -> None:
        """Check what a client asks for.

        Raises:
            RequestError: 403 when the signature is wrong or the URL has expired.
        """
        signed = {name: query.get(name, "") for name in ("expires", "name", "type")}
        if not hmac.compare_digest(self._signature(blob, signed), query.get("signature", "")):
            raise RequestError(403, "The signature of this download URL is not valid.")
        if time.time() >= int(signed["expires"]):
            raise RequestError(403, "This download URL has expired.")

    def _signature(self, blob: str, query: Mapping[str, str]) -> str:
        message = "\n".join([blob, query["expires"], query["name"], query["type"]])
        return hmac.new(self._key, message.encode(), hashlib.sha256).hexdigest()
