r"""Knows how the master leads a run: who is ready, when it ends early, and what it comes to; refuses to send anything.

    waiting for acks -> pings -> go -> running -> over
                                   \-> aborted: a worker holds another plan, more than one plan user, or another time

It ends early when a worker is lost (its arrivals are missing, so the run says nothing), when the target is gone (every
worker fails to reach it, and has not heard of it for a while), when memory runs out, and when somebody asks: a user, or
a search that knows enough, which spoils nothing. A target that did not answer the last attempts of a whole run is gone
as well: the run was too short, or too slow, to see it.

Source: spec/loadtest.md 1 (exit codes, unfit outranks failed), 2 (acks with the hash, clocks), 3 (one plan user each).
"""

from enum import StrEnum

import msgspec

from loadtest.ceilings import Ceilings
from loadtest.fitness import Fit, Fitness, judged
from loadtest.offsets import OFFSET_MS_MAX, WorkerClock
from loadtest.plan import Plan
from loadtest.worker_report import WorkerReport, client, total

UNREACHED_MIN = 20
"""Attempts in a row, all workers together, without a response head before the target counts as gone."""
SILENT_S_MIN = 3.0
"""And so long without any."""
UNCONNECTED_MIN = 3
"""Attempts in a row at the end of a run, all workers together, without a connection or an answer on it, before the
target counts as gone.

Fewer than while the run goes on: no later attempt can show that it came back, and a slow plan makes few.
"""
EXIT_OK, EXIT_FAULT, EXIT_USAGE, EXIT_FAILED, EXIT_INCONCLUSIVE, EXIT_INTERRUPTED = 0, 1, 2, 3, 4, 130


class Halt(StrEnum):
    """Why a run ended before its plan did."""

    NONE = ""
    ENOUGH = "enough"
    BURN = "burn"
    """Objectives of live traffic burn, or nobody says any more whether they do."""
    CEILING = "ceiling"
    ENVIRONMENT = "environment"
    """The surroundings were unfit before the start."""
    INTERRUPTED = "interrupted"
    TARGET_GONE = "target_gone"
    WORKER_LOST = "worker_lost"
    BOUND = "bound"
    ABORTED = "aborted"


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """What a run came to.

    Attributes:
        code: Exit code.
        halt: Why it ended early.
        message: In words, for people; empty if there is nothing to say.
        planned: Arrivals of the whole plan.
        sha256: Of the plan.
        whole: What all workers did.
        workers: What each did, in order.
        lost: Numbers of the workers that did not come to the end.
        fitness: The proof of the client; None if nothing was sent.
        clocks: How far the workers' wall clocks are from the master's.
    """

    code: int
    halt: Halt
    message: str
    planned: int
    sha256: str
    whole: WorkerReport
    workers: tuple[WorkerReport, ...]
    lost: tuple[int, ...]
    fitness: Fitness | None = None
    clocks: tuple[WorkerClock, ...] = ()


class Conductor:
    """The state of one run, at the master.

    Attributes:
        halted: Why the workers are to end early; NONE while they are not.

    Args:
        plan: The plan.
        workers: How many carry it out.
        ceiling_chunks_per_s: Of one worker, as calibrated; None if never.
        ceilings: What ends the run early.
    """

    def __init__(
        self,
        plan: Plan,
        workers: int,
        *,
        ceiling_chunks_per_s: float | None = None,
        ceilings: Ceilings = Ceilings(),  # noqa: B008 -- immutable
    ) -> None:
        """Wait for the workers."""
        self._ceilings, self._passed = ceilings, ""
        self.halted = Halt.NONE
        self._plan, self._ceiling = plan, ceiling_chunks_per_s
        self._reports = [WorkerReport(worker=index) for index in range(workers)]
        self._acked: set[int] = set()
        self._clocks: dict[int, WorkerClock] = {}
        self._lost: set[int] = set()
        self._fault, self._fault_code = "", EXIT_FAULT

    def ack(self, worker: int, sha256: str, users: int) -> None:
        """Take the word of a worker that it is ready."""
        if sha256 != self._plan.sha256:
            self.abort(f"worker {worker} built plan {sha256[:16]}, the master {self._plan.sha256[:16]}")
        elif users != 1:
            self.abort(f"worker {worker} has {users} plan users, allowed: 1 (start with -u {len(self._reports)})")
        self._acked.add(worker)

    @property
    def is_ready(self) -> bool:
        """Every worker is ready."""
        return len(self._acked) == len(self._reports) and not self._fault

    def timed(self, clock: WorkerClock) -> None:
        """Take how far the wall clock of a worker is from ours: the start of the plan is told in wall time."""
        self._clocks[clock.worker] = clock
        if clock.is_apart:
            found = f"worker {clock.worker} has a wall clock {clock.offset_ms:+.1f} ms from the master's"
            self.abort(
                f"{found}, allowed: below {OFFSET_MS_MAX:.0f} ms (round trip {clock.rtt_ms:.1f} ms)", EXIT_INCONCLUSIVE
            )

    @property
    def is_timed(self) -> bool:
        """The clock of every worker is known."""
        return len(self._clocks) == len(self._reports)

    def took(self, report: WorkerReport) -> None:
        """Take what a worker says of itself; its last word stays."""
        if not self._reports[report.worker].over:
            self._reports[report.worker] = report
        if report.capped:
            self.halt(Halt.BOUND)
        elif self._is_target_gone():
            self.halt(Halt.TARGET_GONE)
        elif passed := self._ceilings.passed(*self._tokens()):
            self._passed = self._passed or passed
            self.halt(Halt.CEILING)

    def lost(self, worker: int) -> None:
        """Note that a worker is gone, unless it had come to the end."""
        if not self._reports[worker].over:
            self._lost.add(worker)
            self.halt(Halt.WORKER_LOST)

    def halt(self, why: Halt) -> None:
        """End the run early; the first reason stays."""
        if not self.halted and not self.is_over:
            self.halted = why

    def abort(self, message: str, code: int = EXIT_FAULT) -> None:
        """End the run before it began; the first reason stays."""
        if not self._fault:
            self._fault, self._fault_code = message, code
        self.halted = Halt.ABORTED

    @property
    def is_over(self) -> bool:
        """No worker does anything more."""
        return bool(self._fault) or all(report.over or report.worker in self._lost for report in self._reports)

    def so_far(self) -> WorkerReport:
        """Return what all workers have done."""
        return total(self._reports)

    def ending(self) -> Ending:
        """Return what the run came to."""
        for worker in self._lost:
            self._missed(self._reports[worker])
        whole = self.so_far()
        made = client(self._reports, workers_lost=len(self._lost), ceiling_chunks_per_s=self._ceiling)
        fitness = judged(made) if whole.sent or whole.shed or self._lost else None
        code, message = self._verdict(whole, fitness)
        return Ending(
            code=code,
            halt=self.halted,
            message=message,
            planned=len(self._plan),
            sha256=self._plan.sha256,
            whole=whole,
            workers=tuple(self._reports),
            lost=tuple(sorted(self._lost)),
            fitness=fitness,
            clocks=tuple(self._clocks[worker] for worker in sorted(self._clocks)),
        )

    def _tokens(self) -> tuple[int, int]:
        return sum(one.tokens_in for one in self._reports), sum(one.tokens_out for one in self._reports)

    def _missed(self, report: WorkerReport) -> None:
        """Count all arrivals of a lost worker as due: nobody sends them."""
        report.due = report.window_due = len(range(report.worker, len(self._plan), len(self._reports)))

    def _verdict(self, whole: WorkerReport, fitness: Fitness | None) -> tuple[int, str]:
        if self._fault:
            return self._fault_code, self._fault
        if whole.rows_lost:
            return EXIT_FAULT, f"{whole.rows_lost} rows lost: {whole.error}"
        if self.halted is Halt.INTERRUPTED:
            return EXIT_INTERRUPTED, "interrupted: what was sent until then was drained and is reported"
        if fitness is not None and fitness.fit in {Fit.UNFIT, Fit.VOID}:
            return EXIT_INCONCLUSIVE, "; ".join(fitness.reasons)
        if self.halted is Halt.TARGET_GONE:
            return EXIT_FAILED, f"the target is gone: partial run, ended after {self._sent(whole)}"
        if self.halted is Halt.CEILING:
            return EXIT_INCONCLUSIVE, f"{self._passed}: partial run, ended after {self._sent(whole)}"
        if self._is_gone_at_the_end(whole):
            return EXIT_FAILED, f"the target is gone: none of the last {whole.unconnected} attempts got an answer"
        return EXIT_OK, "; ".join(fitness.reasons) if fitness is not None else "nothing was sent"

    def _sent(self, whole: WorkerReport) -> str:
        """Return how far it came, in words; nobody planned how many a closed loop sends."""
        is_closed = self._plan.spec.slots is not None
        return f"{whole.sent} requests" if is_closed else f"{whole.sent} of {len(self._plan)} arrivals"

    def _is_target_gone(self) -> bool:
        busy = [report for report in self._reports if not report.over and report.ended]
        return (
            bool(busy)
            and all(report.unreached for report in busy)
            and sum(report.unreached for report in busy) >= UNREACHED_MIN
            and min(report.silent_s for report in busy) >= SILENT_S_MIN
        )

    def _is_gone_at_the_end(self, whole: WorkerReport) -> bool:
        busy = [report for report in self._reports if report.ended]
        is_enough = whole.unconnected >= UNCONNECTED_MIN or whole.unconnected == whole.ended
        return bool(busy) and is_enough and all(report.unconnected for report in busy)


def unmeasured(ending: Ending, n: int) -> Ending:
    """Return an ending with what it means that so many requests count: of none, a run says nothing.

    Args:
        ending: What the run came to.
        n: Requests of the measured part.
    """
    if n or ending.code != EXIT_OK or not ending.whole.sent:
        return ending
    message = f"none of {ending.whole.sent} requests counts: all of them began outside the measured part"
    return msgspec.structs.replace(ending, code=EXIT_INCONCLUSIVE, message=message)


def unsent(plan: Plan, why: Halt) -> Ending:
    """Return the ending of a run of which nothing was sent."""
    conductor = Conductor(plan, 1)
    conductor.halt(why)
    return conductor.ending()
