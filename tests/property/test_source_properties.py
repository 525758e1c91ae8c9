"""Upload sources under arbitrary names, contents and URLs."""

from __future__ import annotations

import hashlib
import io
import pickle
import unicodedata
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any
from urllib.parse import quote

from hypothesis import given, settings
from hypothesis import strategies as st

from llama_cloud_ext.errors import SourceError
from llama_cloud_ext.wire.content_sniffing import sniff_suffix
from llama_cloud_ext.wire.multipart import MultipartBody
from llama_cloud_ext.wire.source_names import clean_name, redact
from llama_cloud_ext.wire.sources import resolve_source

any_text = st.text(st.characters(), max_size=300)
signatures = st.sampled_from(
    [
        b"",
        b"%PDF-",
        b"PK\x03\x04",
        b"PK\x01\x02",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        b"RIFF",
        b"BM",
        b"<?xml",
        b"{",
        b'"a,',
    ]
)


@given(signatures, st.binary(max_size=400), st.binary(max_size=100))
def test_sniffing_never_fails(signature: bytes, head: bytes, tail: bytes) -> None:
    """Ensure that no content, however broken, makes the sniffing raise or answer with something else than a suffix."""
    suffix = sniff_suffix(signature + head, tail)
    assert suffix is None or (suffix.startswith(".") and suffix == suffix.lower())


@given(any_text)
def test_a_cleaned_name_is_safe(raw: str) -> None:
    """Ensure that a cleaned name has no directory, no control character and an encoding, and stays as it is."""
    name = clean_name(raw)
    assert not set(name) & {"/", "\\", "\u202e"}
    assert name not in {".", ".."}
    assert all(unicodedata.category(each) not in {"Cc", "Cs"} for each in name)
    name.encode()
    assert clean_name(name) == name


@given(st.binary(max_size=3000), any_text | st.none() | st.integers())
def test_bytes_resolve_or_raise_a_source_error(data: bytes, file_name: Any) -> None:
    """Ensure that any bytes under any name give a usable source or the one error meant for it."""
    try:
        source = resolve_source(data, extra_info={"file_name": file_name})
    except SourceError:
        assert len(data) == 0 or sniff_suffix(data) is None or len(str(file_name)) > 200
        return
    assert source.name == clean_name(source.name)
    assert 0 < len(source.name) <= 255
    assert source.identity == f"sha256:{hashlib.sha256(data).hexdigest()}"
    assert resolve_source(io.BytesIO(data), extra_info={"file_name": file_name}) == source
    assert pickle.loads(pickle.dumps(source)) == source


@given(
    st.binary(min_size=1, max_size=3000),
    any_text.filter(clean_name),
    st.lists(st.tuples(any_text, any_text), max_size=3).map(
        lambda fields: [
            (n.encode("utf-8", "replace").decode(), v.encode("utf-8", "replace").decode()) for n, v in fields
        ]
    ),
)
@settings(max_examples=60)
async def test_a_body_has_the_length_it_says(data: bytes, name: str, fields: list[tuple[str, str]]) -> None:
    """Ensure that any fields and names give a body of the announced length, with one intact part per field."""
    try:
        source = resolve_source(data, extra_info={"file_name": name})
    except SourceError:
        return
    body = MultipartBody(fields, "file", source)
    encoded = b"".join([chunk async for chunk in body])
    assert len(encoded) == int(body.headers["Content-Length"])
    boundary = body.headers["Content-Type"].partition("boundary=")[2].encode()
    parts = encoded.split(b"--" + boundary + b"\r\n")[1:]
    assert len(parts) == len(fields) + 1
    for part, (_, value) in zip(parts, fields, strict=False):
        headers, _, content = part.partition(b"\r\n\r\n")
        assert content == value.encode() + b"\r\n"
        assert len(BytesParser(policy=HTTP).parsebytes(headers + b"\r\n\r\n").keys()) == 1
    assert parts[-1].endswith(b"\r\n\r\n" + data + b"\r\n--" + boundary + b"--\r\n")


@given(
    st.sampled_from(["", "~", "./", "file://", "memory://", "nosuch://", "zip://", "simplecache::", "http://"]),
    any_text,
)
def test_any_string_is_a_source_or_a_source_error(prefix: str, text: str) -> None:
    """Ensure that any string taken for a path or URL gives a source or the one error meant for it, with a next step."""
    try:
        source = resolve_source(prefix + text)
    except SourceError as caught:
        error = caught
    else:
        assert source.name
        return
    assert error.hint
    assert str(error)


secrets = st.text(st.sampled_from("abcXYZ019-_+="), min_size=8, max_size=20).map(lambda text: f"Zq{text}qZ")


@given(secrets, secrets, any_text, any_text)
def test_url_secrets_stay_in_the_url(password: str, signature: str, segment: str, fragment: str) -> None:
    """Ensure that neither password nor signature reach anything that is stored or shown, and that the URL is whole."""
    path = quote(segment.encode("utf-8", "replace"))
    end = quote(fragment.encode("utf-8", "replace"))
    url = f"https://user:{password}@example.com/{path}?sig={signature}#{end}"
    source = resolve_source(url)
    assert source.url == url
    for shown in (source.name, source.identity, str(source.path), repr(source), redact(f"failed: {url} twice {url}")):
        assert password not in shown
        assert signature not in shown
