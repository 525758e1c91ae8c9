"""The one I/O loop: a daemon thread per process with a plain asyncio event loop, on which every request is made.

Synchronous methods hand it a coroutine function and wait (`run`); asynchronous ones hand it over and await
(`run_async`). So everything behaves the same in a script, in a notebook, under uvloop, in a web server's thread pool
and across repeated `asyncio.run` calls, and all callers of one account share one connection pool, rate limiter and job
watcher.

Context variables cross over, and so do cancellation and Ctrl-C. What may block (files, callbacks of the user, parsing
of large results) goes through `in_thread` and `call_user` and never runs on the loop itself.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import contextvars
import functools
import logging
import os
import sys
import threading
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Generic, TypeVar

from typing_extensions import ParamSpec

P = ParamSpec("P")
T = TypeVar("T")

logger = logging.getLogger(__name__)

# How long a cancelled caller waits for the far end to clean up (a cancel request on the wire, closed files).
_CANCEL_GRACE_SECONDS = 2.0
# A blocked main thread sees Ctrl-C, and a blocked event loop sees its own cancellation, between two of these.
_WAIT_SLICE_SECONDS = 0.2
# Items of a stream that may be ready before the consumer has asked for them.
_STREAM_BUFFER = 16
# User callbacks have their own threads: nested ones in the shared pool could wait for each other for ever.
_CALLBACK_THREADS = 8


def _plain_loop() -> asyncio.AbstractEventLoop:
    if sys.platform == "win32":
        return asyncio.ProactorEventLoop()
    return asyncio.SelectorEventLoop()


class _IOThread:
    """The event loop, its thread, and the threads that user callbacks run in."""

    def __init__(self) -> None:
        # Never the caller's loop policy: under uvloop or on another policy this loop stays the plain one.
        self.loop: asyncio.AbstractEventLoop = _plain_loop()
        self.callbacks = ThreadPoolExecutor(_CALLBACK_THREADS, thread_name_prefix="llama-cloud-callback")
        self.thread = threading.Thread(target=self._main, name="llama-cloud-io", daemon=True)
        self.thread.start()

    def _main(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    def stop(self) -> None:
        """Cancel what still runs and stop, so that the interpreter ends without complaints about pending tasks."""
        finished = threading.Event()

        async def wind_down() -> None:
            mine = asyncio.current_task()
            tasks = [task for task in asyncio.all_tasks() if task is not mine]
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks, timeout=_CANCEL_GRACE_SECONDS / 2)
            finished.set()
            self.loop.stop()

        try:
            self.loop.call_soon_threadsafe(lambda: self.loop.create_task(wind_down()))
        except RuntimeError:
            return
        if finished.wait(_CANCEL_GRACE_SECONDS):
            self.thread.join(_WAIT_SLICE_SECONDS)


_lock = threading.Lock()
_io_thread: _IOThread | None = None
# A forked child inherits the parent's loop object without its thread. It must stay referenced and unclosed: closing it
# would close the descriptors that the parent's selector listens on.
_inherited: list[_IOThread] = []
_background: set[asyncio.Task[Any]] = set()


def _current() -> _IOThread:
    global _io_thread  # noqa: PLW0603 - the one per-process singleton of the package
    with _lock:
        if _io_thread is None:
            if sys.is_finalizing():
                raise RuntimeError("the interpreter is shutting down: no new LlamaCloud request can be made")
            _io_thread = _IOThread()
        return _io_thread


def _forget_after_fork() -> None:
    global _io_thread, _lock  # noqa: PLW0603 - see _current
    _lock = threading.Lock()
    if _io_thread is not None:
        _inherited.append(_io_thread)
        _io_thread = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)


@atexit.register
def _stop_at_exit() -> None:
    if _io_thread is not None:
        _io_thread.stop()


def on_io_loop() -> bool:
    """Whether the caller runs on the I/O loop itself; thread ids are reused, so the running loop is compared."""
    return _io_thread is not None and asyncio._get_running_loop() is _io_thread.loop


def _refuse_on_loop(function: Callable[..., Any]) -> None:
    if on_io_loop():
        name = getattr(function, "__qualname__", repr(function))
        raise RuntimeError(
            f"{name}: a synchronous LlamaCloud call was made from the I/O thread and would wait for itself; "
            "use the method's asynchronous twin (its name starts with 'a')"
        )


class _Call(Generic[T]):
    """One coroutine on its way across: started on the I/O loop, awaited from wherever the caller is."""

    def __init__(self, io: _IOThread, function: Callable[[], Awaitable[T]]) -> None:
        self._io = io
        self._function: Callable[[], Awaitable[T]] | None = function
        self._task: asyncio.Task[None] | None = None
        self._cancel_requested = False
        self._result: T | None = None
        self._error: BaseException | None = None
        self.done = threading.Event()
        self.on_done: Callable[[], None] | None = None
        # call_soon_threadsafe copies the caller's context, which the task created in it inherits.
        io.loop.call_soon_threadsafe(self._start)

    def _start(self) -> None:
        self._task = self._io.loop.create_task(self._main())

    async def _main(self) -> None:
        try:
            function, self._function = self._function, None
            if self._cancel_requested:
                raise asyncio.CancelledError  # noqa: TRY301 - cancelled before it began
            assert function is not None  # noqa: S101 - narrowed for the type checker
            self._result = await function()
        except BaseException as error:
            self._error = error
        self.done.set()
        if self.on_done is not None:
            self.on_done()

    def cancel(self) -> None:
        def request() -> None:
            if self._task is not None:
                self._task.cancel()

        self._cancel_requested = True
        self._io.loop.call_soon_threadsafe(request)

    def outcome(self) -> T:
        error, self._error = self._error, None
        if error is not None:
            try:
                raise error
            finally:
                # The traceback keeps this frame, and the frame would keep the error: a cycle that pins its arguments.
                del error
        return self._result  # type: ignore[return-value]  # None only where T is None


def _bind(function: Callable[P, Awaitable[T]], args: Any, kwargs: Any) -> Callable[[], Awaitable[T]]:
    return functools.partial(function, *args, **kwargs)


def _caller_is_cancelled(task: asyncio.Task[Any] | None) -> bool:
    # Inside a running loop the first Ctrl-C only marks the main task; a blocked loop would never look at the mark.
    cancelling = getattr(task, "cancelling", None)
    return cancelling is not None and cancelling() > 0


def _wait(done: threading.Event) -> None:
    task = asyncio.current_task() if asyncio._get_running_loop() is not None else None
    while not done.wait(_WAIT_SLICE_SECONDS):
        if _caller_is_cancelled(task):
            raise asyncio.CancelledError


def _setter_from_afar(event: asyncio.Event) -> Callable[[], None]:
    """What sets an event of the running loop from another thread, also after that loop was closed."""
    loop = asyncio.get_running_loop()

    def set_event() -> None:
        try:
            loop.call_soon_threadsafe(event.set)
        except RuntimeError:
            logger.debug("the caller's event loop was closed before its LlamaCloud call or stream had ended")

    return set_event


def run(function: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run `await function(*args, **kwargs)` on the I/O loop and wait for it: the synchronous half of every method.

    Raises:
        RuntimeError: When called on the I/O loop itself, where waiting would never end.
    """
    _refuse_on_loop(function)
    call = _Call(_current(), _bind(function, args, kwargs))
    try:
        _wait(call.done)
        return call.outcome()
    except BaseException:
        if not call.done.is_set():
            call.cancel()
            call.done.wait(_CANCEL_GRACE_SECONDS)
        raise
    finally:
        del call


async def run_async(function: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run `await function(*args, **kwargs)` on the I/O loop and await it from the caller's own loop."""
    if on_io_loop():
        return await function(*args, **kwargs)
    finished = asyncio.Event()
    call = _Call(_current(), _bind(function, args, kwargs))
    call.on_done = _setter_from_afar(finished)
    if call.done.is_set():
        finished.set()
    try:
        await finished.wait()
        return call.outcome()
    except asyncio.CancelledError:
        if not call.done.is_set():
            call.cancel()
            try:
                await asyncio.wait_for(finished.wait(), _CANCEL_GRACE_SECONDS)
            except asyncio.TimeoutError:
                logger.warning("a cancelled LlamaCloud call did not end within %s s", _CANCEL_GRACE_SECONDS)
        raise
    finally:
        del call


class _Stream(Generic[T]):
    """An async iterator that runs on the I/O loop, read elsewhere: one pump task and a bounded buffer."""

    def __init__(self, io: _IOThread, function: Callable[[], AsyncIterator[T]], notify: Callable[[], None]) -> None:
        self._io = io
        self._function = function
        self._notify = notify
        self._items: deque[T] = deque()
        self._room = asyncio.Semaphore(_STREAM_BUFFER)
        self._call: _Call[None] = _Call(io, self._pump)
        self._call.on_done = notify
        if self._call.done.is_set():
            notify()

    async def _pump(self) -> None:
        iterator = self._function()
        try:
            async for item in iterator:
                await self._room.acquire()
                self._items.append(item)
                self._notify()
        finally:
            aclose = getattr(iterator, "aclose", None)
            if aclose is not None:
                await aclose()

    def poll(self) -> tuple[bool, T | None]:
        """`(True, item)` when one is ready, `(False, None)` when not yet; StopIteration or the error at the end."""
        ended = self._call.done.is_set()
        if self._items:
            item = self._items.popleft()
            self._io.loop.call_soon_threadsafe(self._room.release)
            return True, item
        if ended:
            self._call.outcome()
            raise StopIteration
        return False, None

    def close(self) -> threading.Event:
        if not self._call.done.is_set():
            self._call.cancel()
        return self._call.done


def iterate(function: Callable[P, AsyncIterator[T]], *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
    """Read the async iterator `function(*args, **kwargs)`, which runs on the I/O loop, from synchronous code."""
    _refuse_on_loop(function)
    ready = threading.Event()
    stream: _Stream[T] = _Stream(_current(), functools.partial(function, *args, **kwargs), ready.set)
    try:
        while True:
            ready.clear()
            try:
                got, item = stream.poll()
            except StopIteration:
                return
            if got:
                yield item  # type: ignore[misc]  # an item was ready
            else:
                _wait(ready)
    finally:
        stream.close().wait(_CANCEL_GRACE_SECONDS)


async def iterate_async(
    function: Callable[P, AsyncIterator[T]], *args: P.args, **kwargs: P.kwargs
) -> AsyncGenerator[T, None]:
    """Read the async iterator `function(*args, **kwargs)`, which runs on the I/O loop, from any event loop."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    stream: _Stream[T] = _Stream(_current(), functools.partial(function, *args, **kwargs), _setter_from_afar(ready))
    try:
        while True:
            ready.clear()
            try:
                got, item = stream.poll()
            except StopIteration:
                return
            if got:
                yield item  # type: ignore[misc]  # an item was ready
            else:
                await ready.wait()
    finally:
        done = stream.close()
        deadline = loop.time() + _CANCEL_GRACE_SECONDS
        while not done.is_set() and (left := deadline - loop.time()) > 0:
            ready.clear()
            if not done.is_set():
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(ready.wait(), left)


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """On the I/O loop: run blocking library work (file reads, parsing of a large result) in a worker thread."""
    return await asyncio.to_thread(function, *args, **kwargs)


async def call_user(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """On the I/O loop: run a callback of the user's, which may block or call this package again, in its own threads."""
    context = contextvars.copy_context()
    bound = functools.partial(context.run, function, *args, **kwargs)
    return await asyncio.get_running_loop().run_in_executor(_current().callbacks, bound)


def spawn(coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """On the I/O loop: start a background task that belongs to no caller, hence in an empty context."""
    task = contextvars.Context().run(asyncio.get_running_loop().create_task, coroutine)
    # The loop itself holds tasks weakly.
    _background.add(task)
    task.add_done_callback(_background.discard)
    return task
