"""Knows how the API has policies replayed: by a process of its own, for so long and no longer; refuses to replay.

Whatever becomes of the question, no process is left behind: it is killed when its time is over, when the asker leaves
and when the service ends, and ends by itself when the service is killed (`inferometer.hints_whatif`).

Source: spec/scaling.md 2 (whatif).
"""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process

import msgspec

from inferometer.hints_whatif_told import Refused, Said, WhatIf
from slo.api_parts import invalid
from slo.api_reply import ProblemError
from slo.hints_replayed import ReplayAsked, ReplayShown
from slo.hints_target import Hinted
from slo.problem import ProblemCode

REPLAY_S_MAX = 60.0
"""Longest time of a replay, its start included."""
SAID_BYTES_MAX = 1 << 20
"""Longest answer of the process."""


class Replays:
    """Replays for one service.

    Args:
        store_url: Of the store.
        reader: Name that may read.
        reader_password_file: Its password; empty if there is none.
        longest_s: Longest time of a replay.
    """

    def __init__(
        self, store_url: str, reader: str, reader_password_file: str, *, longest_s: float = REPLAY_S_MAX
    ) -> None:
        self._store_url, self._reader, self._password_file = store_url, reader, reader_password_file
        self._longest_s = longest_s
        self._running: Process | None = None
        self._is_over = False

    async def replay(self, target: Hinted, asked: ReplayAsked) -> ReplayShown:
        """Replay policies over the traffic of a target; one at a time, which the caller sees to.

        Raises:
            ProblemError: There is no answer; says why.
        """
        told = WhatIf(
            parent=os.getpid(),
            store_url=self._store_url,
            reader=self._reader,
            reader_password_file=self._password_file,
            target=target,
            asked=asked,
        )
        try:
            async with asyncio.timeout(self._longest_s):
                status, said = await self._ran(msgspec.json.encode(told).decode())
        except TimeoutError:
            text = f"the replay is not done within {self._longest_s:g} s; ask for fewer policies or seeds, or less time"
            raise ProblemError(ProblemCode.TOO_MUCH, text) from None
        return _found(status, said)

    def close(self) -> None:
        """End what runs, and begin nothing more."""
        self._is_over = True
        if self._running is not None:
            _kill(self._running)

    async def _ran(self, told: str) -> tuple[int, bytes]:
        """Return the status of the process, and what it said."""
        argv = (sys.executable, "-m", "inferometer.hints_whatif", "--config", told)
        process = await asyncio.create_subprocess_exec(*argv, stdin=DEVNULL, stdout=PIPE, start_new_session=True)
        self._running = process
        try:
            if self._is_over:
                _kill(process)
            return await _heard(process)
        finally:
            self._running = None
            _kill(process)
            await process.wait()


async def _heard(process: Process) -> tuple[int, bytes]:
    assert process.stdout is not None  # noqa: S101 -- it was asked for
    try:
        await process.stdout.readexactly(SAID_BYTES_MAX + 1)
    except asyncio.IncompleteReadError as whole:
        return await process.wait(), whole.partial
    raise ProblemError(ProblemCode.INTERNAL, f"the replay said more than {SAID_BYTES_MAX} bytes")


def _kill(process: Process) -> None:
    if process.returncode is None:
        process.kill()


def _found(status: int, said: bytes) -> ReplayShown:
    if status < 0:
        text = f"the replay was ended by {signal.Signals(-status).name} before it was done; ask again"
        raise ProblemError(ProblemCode.UNFINISHED, text)
    if status:
        raise ProblemError(ProblemCode.INTERNAL, f"the replay ended with status {status}; the log says more")
    told = msgspec.json.decode(said, type=Said)
    if told.found is None:
        raise _problem(told.refused or Refused(code=ProblemCode.INTERNAL, text="the replay said nothing"))
    return told.found


def _problem(of: Refused) -> ProblemError:
    return invalid(of.where, of.text) if of.where else ProblemError(of.code, of.text)
