"""Knows how the slots of a closed loop are kept busy; refuses to know what is sent, and how.

A slot sends its next request when its last one is answered, so a slow server slows its own load down: what is measured
is how so many users at once are served, never what users feel who come by themselves. Nothing is drained between
warm-up and measurement: a slot passes from one to the other between two requests. A request is due at the instant at
which its slot is free, and its lag counts from there.

Starts are spread over one service time, that of the worker's first request, or else all slots would begin together and
stay in step. A slot whose request failed waits a moment: a server that refuses at once is not refused a thousand times
a second.

Source: spec/loadtest.md 7 (closed loop), 20 (genai-bench PR #125, llmperf #56: waves; evalscope #1641: no draining).
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from loadtest.plan import Arrival, Plan
from loadtest.run_spec import Phase, Window

SPREAD_NS_MAX = 30_000_000_000
"""Longest time that the starts of slots are spread over."""
FAILED_NS = 100_000_000
"""From the start of a request that failed to the next one of its slot, at least."""
_LOOK_S, _END_S = 0.005, 0.02
_NAP_S = 0.2
_NS = 1e9
_GOLDEN = 0x9E37_79B9_7F4A_7C15  # 2^64 over the golden ratio: laps of one request have nonces far apart
_NONCES = 1 << 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """What a closed loop needs of its worker.

    Attributes:
        serve: Sends a request that is due at an instant, waits for its end and returns whether it was answered well.
        spawn: Runs a function beside the caller.
        sleep: Waits for seconds, letting others run.
        now_ns: The clock, monotonic.
        is_ending: Whether the run was told to end.
    """

    serve: Callable[[Arrival, int], bool]
    spawn: Callable[[Callable[[], None]], object]
    sleep: Callable[[float], object]
    now_ns: Callable[[], int]
    is_ending: Callable[[], bool]


class Slots:
    """The slots of one worker.

    Attributes:
        due: Requests that were begun.
        window_due: Of those, the ones that count.

    Args:
        plan: Of a closed loop.
        window: Which part of it counts.
        part: Number of this worker, and how many there are.
        loop: What it runs on.
    """

    def __init__(self, plan: Plan, window: Window, part: tuple[int, int], loop: Loop) -> None:
        """Begin with nothing sent."""
        self.due = self.window_due = 0
        self._window, self._loop = window, loop
        self._slots = plan.spec.slots or 0
        worker, workers = part[0], max(1, min(part[1], self._slots))
        self._mine = range(worker, self._slots, workers)
        self._requests = requests(plan, worker, workers)
        self._start_ns = 0
        self._busy = 0
        self._first_ns: int | None = None  # how long the first request took

    def run(self, start_ns: int) -> None:
        """Keep every slot busy until the plan's end or its last request; what is in flight then goes on.

        Args:
            start_ns: Start of the run, monotonic.
        """
        self._start_ns = start_ns
        for place, slot in enumerate(self._mine):
            if place == 1:
                self._await_first()
            spread_ns = min(self._first_ns or 0, SPREAD_NS_MAX) * slot // self._slots if place else 0
            self._busy += 1
            self._loop.spawn(partial(self._keep, max(start_ns, self._loop.now_ns()) + spread_ns))
        while self._busy and self._goes_on(self._loop.now_ns()):
            self._loop.sleep(_END_S)

    def _await_first(self) -> None:
        """Wait for the first answer, but not for one that takes very long."""
        while self._first_ns is None and self._busy and self._goes_on(now_ns := self._loop.now_ns()):
            waited_ns = now_ns - self._start_ns
            if waited_ns > SPREAD_NS_MAX:
                break
            self._loop.sleep(max(_LOOK_S, waited_ns / _NS / 50))
        if self._first_ns is None:
            self._first_ns = SPREAD_NS_MAX

    def _keep(self, at_ns: int) -> None:
        """Keep one slot busy from an instant on."""
        try:
            while self._waited(at_ns) and (arrival := next(self._requests, None)) is not None:
                began_ns = self._loop.now_ns()
                t_ns = began_ns - self._start_ns
                self.due += 1
                self.window_due += self._window.phase(t_ns) is Phase.MEASURED
                is_well = self._loop.serve(replace(arrival, t_sched_ns=t_ns), began_ns)
                at_ns = self._loop.now_ns() if is_well else max(self._loop.now_ns(), began_ns + FAILED_NS)
                self._first_ns = self._first_ns or at_ns - began_ns
        finally:
            self._busy -= 1

    def _waited(self, at_ns: int) -> bool:
        """Wait until an instant; returns whether a request may begin then."""
        while self._goes_on(now_ns := self._loop.now_ns()):
            if now_ns >= at_ns:
                return True
            self._loop.sleep(min((at_ns - now_ns) / _NS, _NAP_S))
        return False

    def _goes_on(self, now_ns: int) -> bool:
        return not self._loop.is_ending() and now_ns < self._start_ns + self._window.end_ns


def requests(plan: Plan, worker: int, workers: int) -> Iterator[Arrival]:
    """Return the requests of one worker of a closed loop, in order; those behind the plan's are its own again.

    Args:
        plan: Of a closed loop.
        worker: Its number, 0 <= worker < workers.
        workers: How many share the plan.
    """
    for j in range(worker, plan.spec.count or 0, workers):
        lap, at = divmod(j, len(plan))
        one = plan.arrival(at)
        yield replace(one, j=j, nonce=(one.nonce + lap * _GOLDEN) % _NONCES)


def measured_ns(plan: Plan, window_ns: tuple[int, int], ended_us: Iterable[int]) -> tuple[int, int]:
    """Return the measured part of a run: of a closed loop that ran out of requests it ends with the last answer.

    It is empty if that came within the warm-up.

    Args:
        plan: Its plan.
        window_ns: The measured part as planned, after the start.
        ended_us: When the answer of each request ended, microseconds after the start, each once.
    """
    ended = list(ended_us) if plan.spec.slots is not None else []
    if not ended or len(ended) < (plan.spec.count or 0):
        return window_ns
    return window_ns[0], max(window_ns[0], min(window_ns[1], 1000 * max(ended)))
