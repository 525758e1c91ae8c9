"""The I/O loop carries calls, errors, context and cancellation between threads and loops."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import subprocess
import sys
import textwrap
import threading
import time
import weakref
from collections.abc import AsyncIterator

import pytest

from llama_cloud_ext.wire import io_loop

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


async def double(number: int) -> int:
    await asyncio.sleep(0)
    return number * 2


async def count(limit: int) -> AsyncIterator[int]:
    for number in range(limit):
        yield number


def test_run_works_in_plain_python_and_again_on_the_same_loop() -> None:
    """Ensure repeated synchronous calls share one thread."""
    names = {io_loop.run(_thread_name) for _ in range(3)}
    assert names == {"llama-cloud-io"}


async def _thread_name() -> str:
    return threading.current_thread().name


def test_run_async_across_several_event_loops() -> None:
    """Ensure the same code serves several asyncio.run calls after one another."""
    assert [asyncio.run(io_loop.run_async(double, n)) for n in range(3)] == [0, 2, 4]


async def test_run_inside_a_running_loop() -> None:
    """Ensure a synchronous call works while an event loop runs in the same thread (as in a notebook)."""
    assert io_loop.run(double, 21) == 42


def test_run_from_many_threads() -> None:
    """Ensure worker threads may call at once."""
    results: list[int] = []
    threads = [threading.Thread(target=lambda n=n: results.append(io_loop.run(double, n))) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [n * 2 for n in range(20)]


def test_a_sync_call_on_the_io_loop_raises_instead_of_waiting_for_itself() -> None:
    """Ensure the deadlock is an error that names the function and the way out."""

    async def nested() -> int:
        return io_loop.run(double, 1)

    with pytest.raises(RuntimeError, match=r"double.*asynchronous twin"):
        io_loop.run(nested)


def test_context_variables_cross_over() -> None:
    """Ensure tracing context reaches the far side, and spawned background work sees none of it."""

    async def read() -> str:
        return variable.get()

    async def read_in_background() -> str:
        return await io_loop.spawn(read())

    variable.set("caller")
    assert io_loop.run(read) == "caller"
    assert io_loop.run(read_in_background) == "unset"


def test_errors_cross_over_even_those_that_end_interpreters() -> None:
    """Ensure SystemExit raised over there arrives here and the loop lives on."""

    async def leave() -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        io_loop.run(leave)
    assert io_loop.run(double, 2) == 4


def test_an_error_does_not_keep_its_arguments_alive() -> None:
    """Ensure a handled error leaves no reference cycle that pins big arguments."""

    class Big:
        pass

    async def fail(big: Big) -> None:
        raise ValueError("no")

    big = Big()
    reference = weakref.ref(big)
    gc.disable()
    try:
        with contextlib.suppress(ValueError):
            io_loop.run(fail, big)
        del big
        io_loop.run(double, 1)
        assert reference() is None
    finally:
        gc.enable()


async def test_cancelling_the_caller_cancels_the_far_side() -> None:
    """Ensure a cancelled await reaches the coroutine on the I/O loop, whose clean-up is waited for."""
    seen: list[str] = []

    async def wait_for_ever() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.05)
            seen.append("cleaned up")

    task = asyncio.create_task(io_loop.run_async(wait_for_ever))
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen == ["cleaned up"]


@pytest.mark.parametrize("running_loop", [False, True], ids=["script", "inside asyncio.run"])
def test_ctrl_c_ends_a_waiting_sync_call_at_once(running_loop: bool) -> None:
    """Ensure the first Ctrl-C is enough, also where a running loop would swallow it."""
    program = textwrap.dedent(
        f"""
        import asyncio, os, signal, threading, time
        from llama_cloud_ext.wire import io_loop

        async def sleep():
            try:
                await asyncio.sleep(30)
            finally:
                print("far end cancelled", flush=True)

        async def main():
            io_loop.run(sleep)

        # Whoever runs the tests in the background has it ignored, and so has every child.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
        started = time.monotonic()
        try:
            asyncio.run(main()) if {running_loop} else io_loop.run(sleep)
        except (KeyboardInterrupt, asyncio.CancelledError):
            print("interrupted", time.monotonic() - started < 5)
        """
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout.split("\n")[:2] == ["far end cancelled", "interrupted True"], done.stderr


async def test_streams_reach_any_loop_and_stop_early() -> None:
    """Ensure a stream is read in order from another loop and from sync code, and is closed when left early."""
    assert [n async for n in io_loop.iterate_async(count, 40)] == list(range(40))
    assert list(io_loop.iterate(count, 40)) == list(range(40))

    closed = threading.Event()

    async def endless() -> AsyncIterator[int]:
        try:
            while True:
                yield 1
                await asyncio.sleep(0)
        finally:
            closed.set()

    stream = io_loop.iterate(endless)
    assert next(stream) == 1
    stream.close()  # type: ignore[attr-defined]
    assert closed.wait(2)


def test_a_stream_does_not_run_far_ahead_of_its_reader() -> None:
    """Ensure the buffer is bounded: a slow reader holds the producer back."""
    made: list[int] = []

    async def produce() -> AsyncIterator[int]:
        for number in range(100):
            made.append(number)
            yield number

    stream = io_loop.iterate(produce)
    next(stream)
    time.sleep(0.1)
    assert len(made) <= 18
    assert len(list(stream)) == 99


def test_a_stream_raises_its_error_after_what_came_before_it() -> None:
    """Ensure items before an error are delivered, then the error."""

    async def breaks() -> AsyncIterator[int]:
        yield 1
        raise ValueError("broken")

    stream = io_loop.iterate(breaks)
    assert next(stream) == 1
    with pytest.raises(ValueError, match="broken"):
        next(stream)


def test_callbacks_may_call_back_synchronously_without_deadlock() -> None:
    """Ensure forty callbacks, each making a synchronous call, all end."""

    async def call_out(n: int) -> int:
        return await io_loop.call_user(lambda: io_loop.run(double, n))

    async def many() -> list[int]:
        return await asyncio.gather(*(call_out(n) for n in range(40)))

    assert io_loop.run(many) == [n * 2 for n in range(40)]


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork on Windows")
def test_a_forked_child_gets_a_loop_of_its_own_and_the_parent_keeps_working() -> None:
    """Ensure fork after use leaves both processes able to make requests."""
    program = textwrap.dedent(
        """
        import asyncio, os
        from llama_cloud_ext.wire import io_loop

        async def answer():
            await asyncio.sleep(0.01)
            return 42

        assert io_loop.run(answer) == 42
        pid = os.fork()
        if pid == 0:
            os._exit(0 if io_loop.run(answer) == 42 else 1)
        status = os.waitpid(pid, 0)[1]
        print(status, io_loop.run(answer))
        """
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout.strip() == "0 42", done.stderr


def test_works_under_uvloop() -> None:
    """Ensure a caller on uvloop is served, and the I/O loop itself stays a plain asyncio loop."""
    uvloop = pytest.importorskip("uvloop", reason="uvloop has no Windows build")

    async def kind() -> str:
        return type(asyncio.get_running_loop()).__module__

    async def main() -> tuple[int, str]:
        return await io_loop.run_async(double, 4), await io_loop.run_async(kind)

    loop = uvloop.new_event_loop()
    try:
        number, module = loop.run_until_complete(main())
    finally:
        loop.close()
    assert number == 8
    assert module.startswith("asyncio")


def test_the_process_ends_cleanly_with_work_in_flight() -> None:
    """Ensure exit with a pending background task is silent and quick."""
    program = textwrap.dedent(
        """
        import asyncio
        from llama_cloud_ext.wire import io_loop

        async def start():
            io_loop.spawn(asyncio.sleep(60))

        io_loop.run(start)
        """
    )
    started = time.monotonic()
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert time.monotonic() - started < 10
