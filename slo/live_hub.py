"""Knows how one answer serves every tab that waits for it, and how many may wait; refuses to know events and HTTP.

A panel that is asked the same of is answered once in each tick, however many look: whoever comes first asks the store,
in a thread, and all others of that tick wait for the same answer. It is written down there too, once for all of them.

Source: spec/ui.md 2 (one query per panel, parameters and tick; 64 streams per replica).
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import msgspec

from slo.panel_asked import PanelAsked
from slo.panel_desk import Aim, PanelDesk
from slo.panel_facts import SharedAnswers
from slo.panel_shown import Answer, told
from telemetry.panel import Panel

STREAMS_MAX = 64
"""Streams of one replica."""
ANSWERS_MAX = 1_000
"""Answers that are remembered, until their tick is over."""
THREADS_MAX = 4
"""Questions to the store at the same time."""
SHARED_MAX = 50
"""Answers of a moment that are remembered for whoever asks without a stream."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """An answer, and the same as JSON.

    Attributes:
        aim: Which time it is of.
        answer: The answer.
        data: What is told of it.
    """

    aim: Aim
    answer: Answer
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class _Running:
    """An answer of a tick, and when that tick is over."""

    tick: int
    end_ms: int
    future: asyncio.Future[Written]


class Hub:
    """Answers for all streams of one process; used within one event loop.

    Args:
        desk: Answers panels.
        now_ms: Reads the wall clock, unix milliseconds.
        moment: Answers of a moment; None remembers none beside those of streams.
    """

    def __init__(
        self, desk: PanelDesk, now_ms: Callable[[], int], moment: SharedAnswers[Written] | None = None
    ) -> None:
        self._desk, self._now_ms = desk, now_ms
        self._moment = moment or SharedAnswers[Written](0.0, lambda: 0.0, SHARED_MAX)
        self._running: OrderedDict[tuple[str, str], _Running] = OrderedDict()
        self._swept_ms = 0
        self._threads = ThreadPoolExecutor(THREADS_MAX, thread_name_prefix="slo-live")
        self._streams = 0
        self._closed = asyncio.Event()

    @property
    def is_closed(self) -> bool:
        """Whether streams are to end."""
        return self._closed.is_set()

    def enter(self) -> bool:
        """Take a place for a stream; false if there is none."""
        if self._streams >= STREAMS_MAX or self.is_closed:
            return False
        self._streams += 1
        return True

    def leave(self) -> None:
        """Give a place back; when nobody looks any more, nothing is remembered."""
        self._streams -= 1
        if not self._streams:
            self._running.clear()

    def close(self) -> None:
        """Let every stream end."""
        self._closed.set()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def pause(self, seconds: float) -> None:
        """Wait, or until streams are to end."""
        try:
            await asyncio.wait_for(self._closed.wait(), seconds)
        except TimeoutError:
            return

    def ask(self, panel: Panel, asked: PanelAsked, tick_s: int) -> tuple[int, asyncio.Future[Written]]:
        """Return the number of this tick, and what will be the answer in it."""
        now_ms, tick_ms = self._now_ms(), tick_s * 1000
        key, tick = (panel.id, asked.model_dump_json()), now_ms // tick_ms
        self._sweep(now_ms)
        known = self._running.get(key)
        if known is None or known.tick != tick:
            future = asyncio.get_running_loop().run_in_executor(self._threads, self._written, panel, asked)
            known = self._running[key] = _Running(tick=tick, end_ms=(tick + 1) * tick_ms, future=future)
            self._running.move_to_end(key)
            while len(self._running) > ANSWERS_MAX:
                self._running.popitem(last=False)
        return known.tick, known.future

    def answer(self, panel: Panel, asked: PanelAsked) -> Written:
        """Return what a panel answers whoever asks without a stream; may be called from any thread.

        Raises:
            ValueError: A time is none, or has too many steps.
            StoreError: The store does not answer at all.
        """
        return self._moment.of(f"{panel.id} {asked.model_dump_json()}", lambda: self._written(panel, asked))

    def _sweep(self, now_ms: int) -> None:
        """Forget answers whose tick is over; no tick is shorter than a second, so once in a second is enough."""
        if now_ms // 1000 == self._swept_ms // 1000:
            return
        self._swept_ms = now_ms
        for key in [key for key, one in self._running.items() if one.end_ms <= now_ms]:
            del self._running[key]

    def _written(self, panel: Panel, asked: PanelAsked) -> Written:
        aim = self._desk.aim(panel, asked)
        answer = self._desk.answer(aim)
        return Written(aim=aim, answer=answer, data=msgspec.json.encode(told(answer)))
