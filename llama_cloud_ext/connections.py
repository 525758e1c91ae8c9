"""Letting go of connections, which readers and indexes otherwise share and keep for as long as the process lives."""

from __future__ import annotations

from llama_cloud_ext.wire import transport
from llama_cloud_ext.wire.io_loop import run, run_async


def close_connections() -> None:
    """Close all connections of this process, and with them the folders of `local:` addresses.

    Not needed at the end of a program. It is for test suites and long-lived programs that use one address after the
    other: threads and open files of a `local:DIR` end, so that its folder can be deleted. Jobs that run in it go on
    when it is opened again. What `local::memory:` keeps stays. Whatever makes a request afterwards opens a new
    connection; call it when no request is under way.

    Example:
        ```python
        from llama_cloud_ext import LlamaParseReader, close_connections

        LlamaParseReader(base_url="local:./scratch").load_data("report.pdf")
        close_connections()
        ```
    """
    run(transport.close_connections)


async def aclose_connections() -> None:
    """The asynchronous twin of `close_connections`."""
    await run_async(transport.close_connections)
