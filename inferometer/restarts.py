"""Knows when a crashed child may start again, and when its tap is to be left off; refuses to know processes.

Source: spec/reliability.md 4.1: at once, then 50 ms doubling to 1 s; more than 5 crashes in 60 s: channel off.
"""

from collections import deque

FIRST_WAIT_S = 0.05
WAIT_S_MAX = 1.0
"""Longest wait before a restart."""
CRASHES_MAX = 5
"""Crashes within the window that a child may have before it counts as crashing again and again."""
WINDOW_S = 60.0


class Restarts:
    """The crashes of one child.

    Attributes:
        crashes: Crashes since the start.
    """

    def __init__(self) -> None:
        self.crashes = 0
        self._recent: deque[float] = deque(maxlen=CRASHES_MAX + 2)

    def crashed(self, at_s: float) -> float:
        """Note a crash and return the seconds to wait before the restart; 0 for the first one in the window."""
        self.crashes += 1
        self._recent.append(at_s)
        while at_s - self._recent[0] > WINDOW_S:
            self._recent.popleft()
        n = len(self._recent)
        return 0.0 if n == 1 else min(WAIT_S_MAX, FIRST_WAIT_S * 2 ** (n - 2))

    @property
    def too_many(self) -> bool:
        """Whether there were more than `CRASHES_MAX` crashes within the window, as of the last one."""
        return len(self._recent) > CRASHES_MAX
