"""Knows when a target under load has become warm, and how long the run goes on then; refuses to say what warm is.

Load is continuous: what comes before the target is warm is sent as the rest is, and counted as warm-up afterwards.
Blocks are judged once every answer that began in them may have ended, by the longest that was seen; so the measured
part begins later than the last block by that much.

Source: spec/loadtest.md 6 (warm-up); `loadtest.steadiness` (the rule, and its noise).
"""

from pathlib import Path

import msgspec

from inferometer.errors import InferometerError
from inferometer.load_files import RUN
from inferometer.load_tail import Tail
from loadtest.conductor import EXIT_OK, Ending
from loadtest.flags import Answers, index_of, pace
from loadtest.run_spec import RunSpec, encoded
from loadtest.steadiness import BLOCK_S, WarmUp, warm_up
from telemetry.outcome import Outcome

_US = 1e6


class Warming:
    """Follows a run until it was measured for long enough.

    Attributes:
        state: What the warm-up has come to.
        warm_s: When the measured part began, seconds after the start of the plan; None before.
        now_s: End of the last answer that was seen.

    Args:
        directory: Of the run.
        measured_s: How long it is measured.
    """

    def __init__(self, directory: Path, measured_s: float) -> None:
        """Begin cold."""
        self.state, self.now_s = WarmUp.GOES_ON, 0.0
        self.warm_s: float | None = None
        self._tail, self._good, self._measured_s = Tail(directory), Answers([]), measured_s
        self._longest_s, self._blocks = 0.0, 0

    def is_enough(self) -> bool:
        """Look at the rows that are new, and return whether the run was measured for long enough."""
        for row in self._tail.rows():
            elapsed_s = row.record.elapsed_us / _US
            self.now_s = max(self.now_s, row.t_sched_us / _US + elapsed_s)
            if row.record.outcome is Outcome.OK and self.warm_s is None:
                self._longest_s = max(self._longest_s, elapsed_s)
                self._good.take(row)
        if self.warm_s is None:
            self._judge()
        return self.warm_s is not None and self.now_s >= self.warm_s + self._measured_s

    def told(self, run: RunSpec, ending: Ending) -> tuple[RunSpec, Ending]:
        """Return a run with the warm-up that it had, also in its file, and its ending with a word about that.

        Raises:
            InferometerError: The disk takes no more.
        """
        found = msgspec.structs.replace(run, warmup_s=self.now_s if self.warm_s is None else self.warm_s)
        try:
            (Path(run.directory) / RUN).write_bytes(encoded(found) + b"\n")
        except OSError as error:
            raise InferometerError(f"{Path(run.directory) / RUN}: {error.strerror}") from None
        if ending.code != EXIT_OK:
            return found, ending
        word = "never warm" if self.warm_s is None else f"{self.state} after {self.warm_s:.0f} s"
        return found, msgspec.structs.replace(ending, message="; ".join(filter(None, (word, ending.message))))

    def _judge(self) -> None:
        """Judge the last two blocks, if another one is over."""
        blocks = int((self.now_s - self._longest_s) // BLOCK_S)
        if blocks <= self._blocks or not self._good.at_us:
            return
        self._blocks, end_s = blocks, blocks * BLOCK_S
        index = index_of(self._good)
        spans = [(end_s - back * BLOCK_S, end_s - (back - 1) * BLOCK_S) for back in (2, 1)] if blocks > 1 else []
        paces = [pace(self._good, *span, index) for span in spans]
        self.state = warm_up(end_s, len(self._good.at_us), paces)
        if self.state is not WarmUp.GOES_ON:
            self.warm_s = self.now_s
