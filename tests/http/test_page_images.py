"""The pictures of pages: authorised, whole, and asked for again when they did not come."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import respx

from llama_cloud_ext.errors import ConfigurationError, NotFoundError, PermissionDeniedError, TransportError
from llama_cloud_ext.wire import io_loop, page_images
from llama_cloud_ext.wire.downloads import Download
from llama_cloud_ext.wire.retry import RetryPolicy
from llama_cloud_ext.wire.settings import Settings
from llama_cloud_ext.wire.transport import Connection
from tests.http.loopback import Mischief, Reply, loopback, reply, truncated
from tests.http.test_parse_endpoints import HOST, SCOPE, call, query

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40
SCREENSHOT = "/api/v1/files/f-1/page_screenshots/0"


@pytest.fixture
def service() -> Iterator[respx.Router]:
    with respx.mock(base_url=HOST, assert_all_called=True) as router:
        yield router


@pytest.mark.parametrize(
    ("function", "suffix"),
    [(page_images.list_screenshots, "page_screenshots"), (page_images.list_figures, "page-figures")],
)
def test_lists(service: respx.Router, function: Any, suffix: str) -> None:
    """Ensure lists are asked for by the file's encoded id, and what is no record is passed over."""
    record = {"file_id": "f/1", "page_index": 0}
    route = service.get(url__startswith=f"{HOST}/api/v1/files/").respond(json=[record, None])
    assert call(function, "f/1") == [record]
    assert route.calls.last.request.url.raw_path.startswith(f"/api/v1/files/f%2F1/{suffix}?".encode())
    assert query(route.calls.last.request) == SCOPE


def test_screenshot(service: respx.Router) -> None:
    """Ensure a picture is fetched with the key, for any media type, and comes as it is."""
    route = service.get(SCREENSHOT).respond(content=PNG, content_type="image/png")
    assert call(page_images.screenshot, "f-1", 0) == Download(PNG, "image/png")
    request = route.calls.last.request
    assert (request.headers["authorization"], request.headers["accept"]) == ("Bearer llx-test", "*/*")
    assert query(request) == SCOPE


def test_figure(service: respx.Router) -> None:
    """Ensure a figure's name is one segment, whatever stands in it."""
    route = service.get(url__startswith=f"{HOST}/api/v1/files/").respond(content=PNG, content_type="image/jpeg")
    assert call(page_images.figure, "f-1", 12, "img p1/2?.png").content == PNG
    path = route.calls.last.request.url.raw_path.partition(b"?")[0]
    assert path == b"/api/v1/files/f-1/page-figures/12/img%20p1%2F2%3F.png"


def test_a_picture_without_a_media_type(service: respx.Router) -> None:
    """Ensure a picture whose host names no type says None."""
    service.get(SCREENSHOT).respond(content=PNG)
    assert call(page_images.screenshot, "f-1", 0) == Download(PNG, None)


def test_faults_pass(service: respx.Router) -> None:
    """Ensure a picture is asked for again after a lost, refused-for-now or empty answer."""
    route = service.get(SCREENSHOT).mock(
        side_effect=[
            httpx.ReadError("reset"),
            httpx.Response(503),
            httpx.Response(200, content=b""),
            httpx.Response(200, content=PNG),
        ]
    )
    assert call(page_images.screenshot, "f-1", 0).content == PNG
    assert route.call_count == 4


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [(404, NotFoundError, "no such page"), (403, PermissionDeniedError, "no such page")],
)
def test_refusals(service: respx.Router, status: int, kind: type[Exception], words: str) -> None:
    """Ensure a refusal is no picture, is asked for once and says why."""
    route = service.get(SCREENSHOT).respond(status, json={"detail": words})
    with pytest.raises(kind, match=words):
        call(page_images.screenshot, "f-1", 0)
    assert route.call_count == 1


def test_a_web_page_is_no_picture(service: respx.Router) -> None:
    """Ensure the login page of a proxy is not taken for a picture."""
    service.get(SCREENSHOT).respond(html="<html><body>Log in</body></html>")
    with pytest.raises(TransportError, match="web page"):
        call(page_images.screenshot, "f-1", 0)


def test_a_redirect_is_followed_without_the_key() -> None:
    """Ensure a picture that lives in a store elsewhere is fetched from there, and the key stays here."""
    with respx.mock as router:
        router.get(f"{HOST}{SCREENSHOT}").respond(302, headers={"Location": "https://store.test/x.png"})
        store = router.get("https://store.test/x.png").respond(content=PNG)
        assert call(page_images.screenshot, "f-1", 0).content == PNG
    assert "authorization" not in store.calls.last.request.headers


def over_the_wire(*replies: Reply, budget: float = 20.0) -> tuple[Download, int]:
    """A screenshot fetched from a real socket, and how many requests it took."""

    async def fetch() -> tuple[Download, int]:
        async with loopback(*replies) as served:
            settings = Settings.resolve(api_key="llx-test", base_url=served.url, environ={}, timeout=1.0)
            connection = Connection(settings, policy=RetryPolicy(budget=budget))
            try:
                return await page_images.screenshot(connection, "f-1", 0), len(served.received)
            finally:
                await connection.aclose()

    return io_loop.run(fetch)


@pytest.mark.parametrize(
    "fault", [truncated(PNG[:100], len(PNG)), Mischief.RESET, Mischief.SILENCE, reply(b""), reply(b"busy", status=502)]
)
def test_a_picture_comes_whole_or_not_at_all(fault: Reply) -> None:
    """Ensure a cut, missing, slow or empty answer is asked for again, and the picture is whole then."""
    found, requests = over_the_wire(fault, reply(PNG, headers=["Content-Type: image/png"]))
    assert (found, requests) == (Download(PNG, "image/png"), 2)


def test_a_picture_that_stays_cut_is_an_error() -> None:
    """Ensure what never comes whole is an error when the time is up, not half a picture."""
    with pytest.raises(TransportError):
        over_the_wire(*[truncated(PNG[:100], len(PNG))] * 20, budget=1.0)


@pytest.mark.parametrize(("file_id", "name"), [("", "x"), ("..", "x"), ("f", ""), ("f", "..")])
def test_what_cannot_be_an_id(file_id: str, name: str) -> None:
    """Ensure ids and names that would address something else are refused before anything is sent."""
    with pytest.raises(ConfigurationError, match="is not an id"):
        call(page_images.figure, file_id, 0, name)
