"""A loopback server that reads the body of every POST, keeps none of it and answers with its length."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class _Sink(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        remaining = int(self.headers["Content-Length"])
        received = 0
        buffer = bytearray(1024 * 1024)
        while remaining and (count := self.rfile.readinto1(memoryview(buffer)[: min(remaining, len(buffer))])):
            received += count
            remaining -= count
        answer = b'{"received": %d}' % received
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *args: object) -> None:
        """Silent."""


@contextmanager
def upload_sink() -> Iterator[str]:
    """The address of a running sink."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Sink)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/upload"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
