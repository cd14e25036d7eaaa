"""Knows how arrivals are sent at their planned times, whatever the answers do; refuses to know what is sent, and how.

Open loop: the dispatcher waits for the next arrival and never for an answer. An arrival beyond the cap of requests in
flight is shed and counted, never delayed. What it waits with is handed in: `Pacer` sleeps until 1.5 ms before the time
and then yields again and again, because a sleep of gevent or asyncio ends late (p50 0.7 ms, measured).

Source: spec/loadtest.md 3 (timer), 4 (cap); vegeta lib/attack.go (the pacer is arithmetic, only the attack sleeps).
"""

from collections.abc import Callable, Iterable

from loadtest.plan import Arrival

WAIT_NS_MAX = 200_000_000
"""Longest single wait: a run that is told to stop does so within it."""


class Pacer:
    """Waits for instants of the monotonic clock, and for the end of the run.

    Args:
        now_ns: The clock.
        wait_until: Waits until an instant of it, letting others run.
        halted_ns: Instant from which on nothing is sent; None while the run goes on.
    """

    def __init__(
        self, now_ns: Callable[[], int], wait_until: Callable[[int], object], halted_ns: Callable[[], int | None]
    ) -> None:
        """Begin."""
        self._now_ns, self._wait_until, self._halted_ns = now_ns, wait_until, halted_ns

    def waited(self, at_ns: int) -> bool:
        """Wait until an instant; returns False, soon, if the run ends before it.

        What was due before the end is still sent, however late: else a busy client would lose it unsaid.
        """
        while (halted_ns := self._halted_ns()) is None or at_ns < halted_ns:
            now_ns = self._now_ns()
            if now_ns >= at_ns:
                return True
            self._wait_until(min(at_ns, now_ns + WAIT_NS_MAX))
        return False


class Dispatcher:
    """Sends the arrivals of one worker.

    Attributes:
        sent: Arrivals that were begun.
        shed: Arrivals that the cap turned away.
        in_flight: Requests that have begun and not ended.

    Args:
        in_flight_max: The cap.
        spawn: Begins a request and returns at once; must call `ended` once it is over.
        shed: Is told of an arrival that was turned away, and its planned time.
        now_ns: The clock.
    """

    def __init__(
        self,
        in_flight_max: int,
        spawn: Callable[[Arrival, int], object],
        shed: Callable[[Arrival, int], object],
        now_ns: Callable[[], int],
    ) -> None:
        """Begin with nothing in flight."""
        self.sent = self.shed = self.in_flight = 0
        self._in_flight_max = in_flight_max
        self._spawn, self._tell_shed, self._now_ns = spawn, shed, now_ns
        self._area_ns, self._since_ns = 0, now_ns()

    def run(self, arrivals: Iterable[Arrival], start_ns: int, pacer: Pacer) -> None:
        """Send arrivals, in order, until there are no more or the run is to end.

        Args:
            arrivals: Ascending by planned time.
            start_ns: Start of the run, monotonic.
            pacer: Waits.
        """
        for arrival in arrivals:
            t_sched_ns = start_ns + arrival.t_sched_ns
            if not pacer.waited(t_sched_ns):
                return
            self.begin(arrival, t_sched_ns)

    def begin(self, arrival: Arrival, t_sched_ns: int) -> None:
        """Send one arrival now, or shed it."""
        if self.in_flight >= self._in_flight_max:
            self.shed += 1
            self._tell_shed(arrival, t_sched_ns)
            return
        self.taken()
        self._spawn(arrival, t_sched_ns)

    def taken(self) -> None:
        """Note that a request begins."""
        self.sent += 1
        self._move(1)

    def resumed(self) -> None:
        """Note that a request which had ended is tried again; a further attempt is never shed."""
        self._move(1)

    def ended(self) -> None:
        """Note that a request is over."""
        self._move(-1)

    @property
    def in_flight_us(self) -> int:
        """Time integral of the requests in flight, request-microseconds."""
        self._move(0)
        return self._area_ns // 1000

    def _move(self, by: int) -> None:
        now_ns = self._now_ns()
        self._area_ns += self.in_flight * (now_ns - self._since_ns)
        self._since_ns = now_ns
        self.in_flight += by
