"""Knows how threads share a bounded number of handles, and how one piece of work is stopped.

Refuses to know what a handle is.

Subtle: to stop is to stop what a handle runs NOW, so the next piece of work must not start on that handle in between.
A turn's lock is held while a stop is being issued, and a thread takes it before it lets go of its handle.

Source: spec/store.md 8.2 (pools and the queue before them), 8.4 (a budget is enforced by cancel).
"""

import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Generic, TypeVar

WAITING_MAX = 64
"""Pieces of work that wait for a handle of a pool; one more is told to come back."""
HOLD_S_MAX = 60.0
"""Longest wait for handles to become idle."""
_AGAIN_S = 0.05
"""Between two stops: work of several statements may have been between two of them."""
T = TypeVar("T")
H = TypeVar("H")


class BusyError(Exception):
    """All handles are taken and the queue is full; nothing was executed."""


class Turn(Generic[H]):
    """One piece of work's time with a handle."""

    def __init__(self) -> None:
        """Begin without a handle."""
        self._handle: H | None = None
        self._lock = threading.Lock()
        self.over = threading.Event()

    def begin(self, handle: H) -> None:
        """Note the handle."""
        with self._lock:
            self._handle = handle

    def end(self) -> None:
        """Let go of the handle; waits while a stop is being issued."""
        with self._lock:
            self._handle = None
        self.over.set()

    def stop(self, stop: Callable[[H], None]) -> None:
        """Call `stop` with the handle if there is one."""
        with self._lock:
            if self._handle is not None:
                stop(self._handle)


class Pool(Generic[H]):
    """Threads that hold one handle each while they work, and a bounded queue before them."""

    def __init__(self, name: str, handles: Sequence[H], stop: Callable[[H], None]) -> None:
        """Start as many threads as there are handles.

        Args:
            name: Of the threads.
            handles: What the threads share.
            stop: Ends what a handle runs now; called from a thread of its own.
        """
        self._free = list(handles)
        self._n_handles = len(handles)
        self._stop = stop
        self._places = threading.BoundedSemaphore(len(handles) + WAITING_MAX)
        self._threads = ThreadPoolExecutor(len(handles), thread_name_prefix=f"store-{name}")
        self._stoppers = ThreadPoolExecutor(len(handles), thread_name_prefix=f"store-{name}-stop")

    def submit(self, work: Callable[[H], T]) -> "Work[T]":
        """Let a thread do the work with a handle.

        Raises:
            BusyError: The queue is full.
        """
        if not self._places.acquire(blocking=False):
            raise BusyError(f"{WAITING_MAX} statements are waiting already")
        turn = Turn[H]()
        future = self._threads.submit(self._run, work, turn)
        future.add_done_callback(lambda _: self._places.release())
        return Work(future, lambda: self._stoppers.submit(self._stopped, turn))

    @contextmanager
    def held(self) -> Generator[None]:
        """Wait until every handle has finished what it runs, and keep them all from beginning anything else.

        One holder at a time: two would wait for each other.

        Raises:
            BusyError: The queue is full, or what runs does not finish in time.
        """
        idle, release = threading.Barrier(self._n_handles + 1, timeout=HOLD_S_MAX), threading.Event()
        try:
            for _ in range(self._n_handles):
                self.submit(lambda _: (idle.wait(), release.wait()))
            idle.wait()
            yield
        except threading.BrokenBarrierError:
            raise BusyError(f"what runs did not finish within {HOLD_S_MAX:.0f} s") from None
        finally:
            idle.abort()
            release.set()

    def close(self) -> list[H]:
        """Finish what runs, drop what waits, and hand the handles back."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        self._stoppers.shutdown(wait=True)
        return self._free

    def _run(self, work: Callable[[H], T], turn: Turn[H]) -> T:
        handle = self._free.pop()  # There are as many handles as threads.
        turn.begin(handle)
        try:
            return work(handle)
        finally:
            turn.end()
            self._free.append(handle)

    def _stopped(self, turn: Turn[H]) -> None:
        while not turn.over.is_set():
            turn.stop(self._stop)
            turn.over.wait(_AGAIN_S)


class Work(Generic[T]):
    """What was submitted.

    Attributes:
        future: Its result.
    """

    def __init__(self, future: Future[T], stop: Callable[[], object]) -> None:
        """Keep the parts."""
        self.future, self._stop = future, stop

    def stop(self) -> None:
        """Drop the work if it waits, and end it if it runs; returns at once."""
        if not self.future.cancel() and not self.future.done():
            self._stop()
