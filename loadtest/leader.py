"""Knows how the master takes a run from its plan to its ending; refuses to know Locust and gevent.

    plan to each worker -> acks -> pings -> go at T0 -> reports, about once a second -> all over -> ending

What waits, and what carries messages, is handed in.

Source: spec/loadtest.md 2 (hash, acks, T0, offset of clocks), 3 (messages, exit code).
"""

from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from loadtest.conductor import EXIT_FAULT, EXIT_INCONCLUSIVE, Conductor, Ending, Halt
from loadtest.offsets import Ping, ping, worker_clock
from loadtest.plan import Plan
from loadtest.run_spec import RunSpec, Window, encoded
from loadtest.sketch import quantile_us
from loadtest.worker_report import WorkerReport
from telemetry.clock import monotonic_ns, wall_ns

ACK_S_MAX = 120.0
"""Longest wait for the workers to build the plan."""
PING_S_MAX = 10.0
"""Longest wait for all pings."""
LATE_S_MAX = 15.0
"""A worker that has not said that it is over so long after it must be, is lost."""
LOOK_S = 0.1
"""Between two looks at the workers."""
_LOOKS_PER_PROGRESS = 5
_NS = 1e9


Event = dict[str, Any]
"""Plain values by name: what is told to whoever started the run, and what travels between its processes."""


class Messages(Protocol):
    """What the master needs of the post."""

    def register(self, name: str, listener: Callable[[Event], object]) -> None:
        """Call a function with each message of a name."""
        ...

    def send(self, name: str, message: Event, to: str | None = None) -> None:
        """Send a message to a worker."""
        ...

    def workers(self) -> list[str]:
        """Return the workers that are there, whatever they do."""
        ...

    def is_lost(self, worker: str) -> bool:
        """Return whether a worker is no longer there."""
        ...


class Ack(msgspec.Struct, kw_only=True):
    """What a worker answers to the plan.

    Attributes:
        worker: Its number.
        sha256: Of the plan that it built; empty if it could not.
        users: Plan users that it has.
        fault: Why it cannot; empty if it can.
        code: Exit code of that fault.
    """

    worker: int
    sha256: str = ""
    users: int = 1
    fault: str = ""
    code: int = EXIT_FAULT


class Leader:
    """The master's side of one run.

    Args:
        messages: The post.
        sleep: Waits for seconds, letting others run.
        tell: Is told what happens.
    """

    def __init__(self, messages: Messages, sleep: Callable[[float], object], tell: Callable[[Event], object]) -> None:
        """Wait for a run."""
        self._messages, self._sleep, self._tell = messages, sleep, tell
        self._conductor: Conductor | None = None
        self._workers: list[str] = []
        self._pings: dict[int, list[Ping]] = {}
        self._pinged: dict[int, tuple[int, int]] = {}
        messages.register("load_ack", self._on_ack)
        messages.register("load_pong", self._on_pong)
        messages.register("load_report", self._on_report)

    def halt(self, why: Halt) -> bool:
        """End the run early; returns whether there is one."""
        if self._conductor is None:
            return False
        self._conductor.halt(why)
        return True

    def lead(self, run: RunSpec, plan: Plan) -> Ending:
        """Take a run to its ending."""
        self._workers = self._messages.workers()
        self._conductor = conductor = Conductor(
            plan, len(self._workers), ceiling_chunks_per_s=run.ceiling_chunks_per_s, ceilings=run.ceilings
        )
        for index, worker in enumerate(self._workers):
            part = {"run": encoded(run).decode(), "worker": index, "workers": len(self._workers)}
            self._messages.send("load_plan", part, worker)
        if self._readied(conductor) and self._timed(conductor):
            self._go(run, conductor, Window(run, plan).last_ns / _NS)
        return conductor.ending()

    def _on_ack(self, message: Event) -> None:
        ack = msgspec.convert(message, Ack)
        if self._conductor is None:
            return
        if ack.fault:
            self._conductor.abort(ack.fault, ack.code)
        else:
            self._conductor.ack(ack.worker, ack.sha256, ack.users)

    def _on_report(self, message: Event) -> None:
        if self._conductor is not None:
            self._conductor.took(msgspec.convert(message, WorkerReport))

    def _readied(self, conductor: Conductor) -> bool:
        """Wait for every worker; returns whether all are ready."""
        until_ns = monotonic_ns() + round(ACK_S_MAX * _NS)
        while not conductor.is_ready and not conductor.halted:
            if monotonic_ns() > until_ns:
                conductor.abort(f"the workers were not ready in {ACK_S_MAX:.0f} s: has each one plan user (-u)?")
            self._sleep(LOOK_S)
            self._miss(conductor)
        return conductor.is_ready and not conductor.halted

    def _timed(self, conductor: Conductor) -> bool:
        """Hold the wall clocks of all workers against ours; returns whether all are near."""
        self._pings, self._pinged = {index: [] for index in range(len(self._workers))}, {}
        until_ns = monotonic_ns() + round(PING_S_MAX * _NS)
        for index in self._pings:
            self._ping(index)
        while not conductor.is_timed and not conductor.halted:
            if monotonic_ns() > until_ns:
                conductor.abort(f"pings of workers were not answered in {PING_S_MAX:.0f} s", EXIT_INCONCLUSIVE)
            self._sleep(LOOK_S)
            self._miss(conductor)
        return not conductor.halted

    def _ping(self, worker: int) -> None:
        self._pinged[worker] = wall_ns(), monotonic_ns()
        self._messages.send("load_ping", {"worker": worker}, self._workers[worker])

    def _on_pong(self, message: Event) -> None:
        """Take the answer to a ping, and ping again until the clock is known."""
        worker, now_ns = message["worker"], monotonic_ns()
        sent_unix_ns, sent_ns = self._pinged.pop(worker, (0, 0))
        if self._conductor is None or not sent_ns:
            return
        self._pings[worker].append(ping(sent_unix_ns, now_ns - sent_ns, message["unix_ns"]))
        clock = worker_clock(worker, self._pings[worker])
        if clock.is_known:
            self._conductor.timed(clock)
        else:
            self._ping(worker)

    def _go(self, run: RunSpec, conductor: Conductor, last_s: float) -> None:
        """Start all workers at one instant, and look after them until they are over."""
        self._tell({"event": "go", "starts_in_s": run.start_delay_s, "end_s": last_s})
        t0_unix_ns = wall_ns() + round(run.start_delay_s * _NS)
        self._broadcast("load_go", {"t0_unix_ns": t0_unix_ns})
        late_s = run.drain_s + LATE_S_MAX
        until_ns = monotonic_ns() + round((run.start_delay_s + last_s + late_s) * _NS)
        is_told, looks = False, 0
        while not conductor.is_over:
            self._sleep(LOOK_S)
            self._miss(conductor)
            if conductor.halted and not is_told:
                is_told, until_ns = True, min(until_ns, monotonic_ns() + round(late_s * _NS))
                self._broadcast("load_halt", {})
            if monotonic_ns() > until_ns:
                for index in range(len(self._workers)):
                    conductor.lost(index)
            looks += 1
            if looks % _LOOKS_PER_PROGRESS == 0:
                self._tell(progress(conductor.so_far()))

    def _miss(self, conductor: Conductor) -> None:
        """Notice workers that are gone."""
        for index, worker in enumerate(self._workers):
            if self._messages.is_lost(worker):
                conductor.lost(index)

    def _broadcast(self, name: str, message: Event) -> None:
        for worker in self._workers:
            self._messages.send(name, message, worker)


def progress(whole: WorkerReport) -> Event:
    """Return how far a run is."""
    ttft_us = quantile_us(whole.ttft_us, 0.5)
    counts = {name: getattr(whole, name) for name in ("due", "sent", "ended", "failed", "in_flight", "shed")}
    return {"event": "progress", **counts, "ttft_p50_ms": None if ttft_us is None else ttft_us / 1000}
