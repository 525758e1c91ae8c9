"""Presigned download URLs."""

from __future__ import annotations

import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from llama_cloud_ext.local import Simulation
from llama_cloud_ext.local.presigned import Signer
from llama_cloud_ext.local.request_errors import RequestError
from tests.local.clients import FILES, local_client, upload_file


def query_of(url: str) -> dict[str, str]:
    """The query of a URL, undecoded names and values being plain here."""
    return dict(pair.split("=") for pair in urlsplit(url).query.split("&"))


def test_a_signature_covers_everything() -> None:
    """Ensure changing blob, expiry, name or type of a signed URL makes it invalid."""
    signer = Signer(b"secret")
    url = signer.url("http://a", "files/1", name="n", content_type="t", expires=time.time() + 60)
    query = query_of(url)
    signer.check("files/1", query)
    changed = {"expires": str(int(query["expires"]) + 1), "name": "m", "type": "u", "signature": "0" * 64}
    for name, value in changed.items():
        with pytest.raises(RequestError, match="not valid"):
            signer.check("files/1", {**query, name: value})
    for blob, fields in [("files/2", query), ("files/1", {})]:
        with pytest.raises(RequestError, match="not valid"):
            signer.check(blob, fields)
    with pytest.raises(RequestError, match="not valid"):
        Signer(b"other").check("files/1", query)


def test_expired_urls_are_refused() -> None:
    """Ensure a URL ends at its expiry."""
    signer = Signer(b"secret")
    url = signer.url("http://a", "files/1", name="n", content_type="t", expires=time.time() - 1)
    with pytest.raises(RequestError, match="expired"):
        signer.check("files/1", query_of(url))


def test_the_secret_is_private_and_lasting(tmp_path: Path) -> None:
    """Ensure the key is made once, readable by its owner only, and the same for every process of the folder."""
    url = Signer.of_folder(tmp_path).url("http://a", "files/1", name="n", content_type="t", expires=2e9)
    key = tmp_path / "presigned.key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert len(key.read_bytes()) == 32
    assert list(tmp_path.iterdir()) == [key]
    assert Signer.of_folder(tmp_path).url("http://a", "files/1", name="n", content_type="t", expires=2e9) == url


async def test_urls_expire_over_http(tmp_path: Path) -> None:
    """Ensure an expired or altered URL is a 403, and a fresh one for the same file works."""
    async with local_client(tmp_path, simulate=Simulation(download_seconds=1)) as client:
        record = await upload_file(client, b"content")
        content = f"{FILES}/{record['id']}/content"
        url = (await client.get(content)).json()["url"]
        assert (await client.get(url.replace(record["id"], "../llamacloud.sqlite3"))).status_code == 403
        while (response := await client.get(url)).status_code == 200:
            assert response.content == b"content"
        assert (response.status_code, response.json()) == (403, {"detail": "This download URL has expired."})
        fresh = (await client.get(content, params={"expires_at_seconds": 60})).json()["url"]
        assert (await client.get(fresh)).content == b"content"


async def test_head_and_names(tmp_path: Path) -> None:
    """Ensure HEAD gives the length alone, and the file's name is offered whatever characters it has."""
    async with local_client(tmp_path) as client:
        record = await upload_file(client, b"content", "naïve report.txt")
        url = (await client.get(f"{FILES}/{record['id']}/content")).json()["url"]
        response = await client.head(url)
        assert (response.headers["content-length"], response.content) == ("7", b"")
        assert response.headers["content-disposition"] == "attachment; filename*=UTF-8''na%C3%AFve%20report.txt"
