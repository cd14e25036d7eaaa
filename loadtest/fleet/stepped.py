"""Knows how a simulated fleet keeps real time: who waits for a token hears of it when its step has ended.

It refuses to know how requests come in and what tokens look like.

Error: a token is told of up to a millisecond after the end of its step, the resolution of the loop's timers; steps are
counted on the engine's own time, so that this does not add up. One that spins is late by one turn of the loop.

Source: spec/scaling.md 7; Python, selectors (time-outs of epoll are whole milliseconds, rounded up).
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from math import inf

from loadtest.fleet.crew import Crew
from loadtest.fleet.live import Talk

_TICK_S = 0.001


class Stepped:
    """The time of a fleet: all answers share its engines; `run` must run beside them."""

    def __init__(self, crew: Crew, changed: Callable[[], None] = lambda: None, *, spins: bool = False) -> None:
        """Start empty.

        Args:
            crew: The fleet.
            changed: Called whenever it has moved.
            spins: Whether to be on time to less than a millisecond, at the cost of a core.
        """
        self.crew = crew
        self._changed, self._spins = changed, spins
        self._waiting = dict[Talk, asyncio.Event]()
        self._asked = asyncio.Event()

    async def run(self) -> None:
        """Step until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            now_s = self.move()
            wait_s = self.crew.next_s(now_s) - now_s
            self._asked.clear()
            if self._spins and wait_s < _TICK_S:
                await asyncio.sleep(0)
                continue
            wait_s -= _TICK_S if self._spins else 0.0
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(None if wait_s == inf else loop.time() + wait_s):
                    await self._asked.wait()

    async def tokens(self, tokens_in: int, tokens_out: int, name: str | None = None) -> AsyncGenerator[int]:
        """Return the numbers of an answer's tokens, each one when its step has ended.

        Args:
            tokens_in: Of the prompt.
            tokens_out: Of the answer.
            name: Who answers; None leaves it to the fleet.
        """
        now_s = self.move()
        ask = self.crew.ask if name is None else self.crew.live(name).ask
        talk = ask(tokens_in, tokens_out, now_s)
        news = self._waiting[talk] = asyncio.Event()
        self._asked.set()
        sent = 0
        try:
            while sent < tokens_out:
                await news.wait()
                news.clear()
                for number in range(sent, talk.tokens):
                    yield number
                sent = talk.tokens
        finally:
            del self._waiting[talk]
            now_s = self.move()
            talk.live.leave(talk, now_s)
            self._asked.set()

    def move(self) -> float:
        """Move to now, tell those who wait, and return it."""
        now_s = asyncio.get_running_loop().time()
        for talk in self.crew.move(now_s):
            if talk in self._waiting:
                self._waiting[talk].set()
        self._changed()
        return now_s

    def wake(self) -> None:
        """Look again when to move: something was asked for."""
        self._asked.set()
