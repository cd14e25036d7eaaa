"""Knows how one worker carries out its part of a plan: sends on time, writes rows, drains, and says how it did.

It refuses to know Locust and gevent: what runs beside it, and what waits, is handed in (`Hands`), so the same worker
runs on greenlets under load and on threads in a test. During the run nothing is collected as garbage: a pause of the
collector would be a lag of every request.

Source: spec/loadtest.md 2, 3 (drain, gc, memory cap), 4, 6, 9.
"""

import gc
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from ipaddress import ip_address
from pathlib import Path
from random import Random

from loadtest.answer_text import BODY_BYTES_MAX, text_of
from loadtest.asking import Asker
from loadtest.ceilings import tokens_out
from loadtest.client import Ask, Client, Exchange, Pump, refused
from loadtest.closed import Loop, Slots
from loadtest.dispatch import Dispatcher, Pacer
from loadtest.impatience import retry_wait_s
from loadtest.journal import Journal
from loadtest.line import addresses, pumped, stamping
from loadtest.plan import Arrival, Plan
from loadtest.random_streams import Uniform, stream
from loadtest.rows import Row, Rows, line
from loadtest.run_spec import Phase, RunSpec, Window
from loadtest.sketch import add
from loadtest.target import must_be_allowed, target
from loadtest.waits import Deadlines
from loadtest.watch import Watch
from loadtest.worker_report import WorkerReport
from telemetry.clock import monotonic_ns
from telemetry.outcome import Eligibility, Outcome

TICK_S = 0.5
"""Between two looks at the journal; every second one is told to the master."""
CUT_S_MAX = 5.0
"""Longest wait for requests that were cut to notice."""
DISK_S_MAX = 10.0
"""Longest wait for a disk that writes rows at the end."""
_SENT_NS = re.compile(rb'"sent_ns":(\d+)')
_NS = 1e9
_OK = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Hands:
    """What differs between greenlets and threads.

    Attributes:
        spawn: Runs a function beside the caller.
        sleep: Waits for seconds, letting others run.
        wait_until: Waits until an instant of the monotonic clock, letting others run.
        apart: Runs a function in a thread of the operating system and waits for it.
        pump: Hands over what comes on a connection.
    """

    spawn: Callable[[Callable[[], object]], object]
    sleep: Callable[[float], object]
    wait_until: Callable[[int], object]
    apart: Callable[[Callable[[], None]], object]
    pump: Pump = pumped


class Worker:
    """One worker of a run.

    Args:
        run: The run.
        plan: Its plan, the same in every worker.
        part: Number of this worker, and how many there are.
        hands: What it runs on.
        tell: Is told the report about once a second.
        seen: Is shown each row.

    Raises:
        TargetError: A target may not be loaded.
        OSError: A name cannot be resolved, the file of rows or the key cannot be used.
    """

    def __init__(
        self,
        run: RunSpec,
        plan: Plan,
        part: tuple[int, int],
        *,
        hands: Hands,
        tell: Callable[[WorkerReport], object],
        seen: Callable[[Row], object],
    ) -> None:
        """Resolve the targets and make the file of rows."""
        self._run, self._plan, self._hands = run, plan, hands
        self._index, self._workers = part
        self._tell, self._seen = tell, seen
        self._window, self._asker = Window(run, plan), Asker(run, plan)
        self._clients = [self._client(url) for url in run.targets]
        replicas = tuple(target(url).name for url in run.targets)
        self._rows = Rows(run, replicas, self._index, Random())  # noqa: S311 -- identifiers, not secrets
        self._journal = Journal(_made(Path(run.directory)) / f"rows-{self._index}.jsonl", hands.apart)
        self._dispatcher = Dispatcher(run.in_flight_max, self._begin, self._shed, monotonic_ns)
        loop = Loop(
            serve=self._taken,
            spawn=hands.spawn,
            sleep=hands.sleep,
            now_ns=monotonic_ns,
            is_ending=lambda: self._is_ending,
        )
        self._slots = None if run.plan.slots is None else Slots(plan, self._window, part, loop)
        self._report = WorkerReport(worker=self._index)
        self._outcomes: Counter[str] = Counter()
        self._reads = 0
        self._watch: Watch | None = None
        self._start_ns = self._heard_ns = monotonic_ns()
        self._halted_ns: int | None = None
        self._is_over = self._is_cut = False
        self._open = 0  # arrivals that are not carried out to their end

    def run(self, start_ns: int) -> WorkerReport:
        """Carry out the part, from `start_ns` on, and return how it went."""
        self._start_ns = self._heard_ns = start_ns
        gc.collect()
        gc.freeze()
        gc.disable()
        held = stamping()
        try:
            self._watch = Watch(lambda: self._reads)
            self._hands.spawn(self._tick)
            if self._slots is not None:
                self._slots.run(start_ns)
            else:
                pacer = Pacer(monotonic_ns, self._hands.wait_until, lambda: self._halted_ns)
                self._dispatcher.run(self._plan.mine(self._index, self._workers), start_ns, pacer)
            self._drain()
        finally:
            gc.enable()
            gc.unfreeze()
            held.close()
            self._is_over = True
        self._close_journal()
        for client in self._clients:
            client.close()
        return self.report(over=True)

    def halt(self) -> None:
        """Send nothing more; what is in flight is drained."""
        if self._halted_ns is None:
            self._halted_ns = monotonic_ns()

    def report(self, *, over: bool = False) -> WorkerReport:
        """Return how it goes."""
        report, dispatcher, watch = self._report, self._dispatcher, self._watch
        now_ns = monotonic_ns()
        report.due, report.window_due = self._due(self._halted_ns or now_ns)
        report.sent, report.shed = dispatcher.sent, dispatcher.shed
        report.in_flight, report.in_flight_s = dispatcher.in_flight, dispatcher.in_flight_us / 1e6
        report.outcomes = dict(self._outcomes)
        report.shed += self._outcomes[Outcome.CLIENT_LIMIT]
        report.silent_s = max(0.0, (now_ns - self._heard_ns) / _NS)
        report.opened = sum(client.opened for client in self._clients)
        report.rows_lost, report.error, report.over = self._journal.lost, self._journal.error, over
        if watch is not None:
            report.cpu_ratio, report.reads_per_s = watch.cpu_ratio, watch.reads_per_s
            report.clock_step_ms, report.rss_bytes = watch.clock_step_ms, watch.rss_bytes
        return report

    def _client(self, url: str) -> Client:
        run, where = self._run, target(url)
        found = addresses(where.place.host, where.place.port)
        must_be_allowed(where, [ip_address(place[0]) for _, place in found], run.allowed_targets)
        headers = {"Authorization": f"Bearer {Path(run.key_file).read_text().strip()}"} if run.key_file else {}
        limits = Deadlines(
            connect_s=run.connect_s, first_token_s=run.first_token_s, stall_s=run.stall_s, total_s=run.total_s
        )
        return Client(
            where,
            found[0],
            headers=headers,
            deadlines=limits,
            tap=self._compare if run.truth else None,
            pump=self._hands.pump,
        )

    def _begin(self, arrival: Arrival, t_sched_ns: int) -> None:
        self._open += 1  # here, not where it runs: the drain must not miss one that has not begun to run
        self._hands.spawn(lambda: self._serve(arrival, t_sched_ns))

    def _taken(self, arrival: Arrival, t_sched_ns: int) -> bool:
        """Carry out a request of a closed loop; returns whether it was answered well."""
        self._open += 1
        self._dispatcher.taken()
        return self._serve(arrival, t_sched_ns)

    def _serve(self, arrival: Arrival, t_sched_ns: int) -> bool:
        """Carry out an arrival, and the conversation that it opens; returns whether its first turn was answered."""
        try:
            turns = self._plan.follow_ups(arrival.j)
            said = [self._asker.prompt(arrival)]
            ask = self._asker.ask(arrival, said, t_sched_ns, keeps_body=bool(turns))
            seen = self._attempted(arrival, ask)
            is_answered = seen.measured.outcome is Outcome.OK
            for turn in turns:
                if not self._heard(seen, said) or not self._waited(turn.think_s):
                    break
                said.append(self._asker.follow_up(arrival, turn))
                now = replace(arrival, turn=turn.turn, len_in=turn.len_in, len_out=turn.len_out)
                self._dispatcher.resumed()
                seen = self._attempted(now, self._asker.ask(now, said, None, keeps_body=True))
        finally:
            self._open -= 1
        return is_answered

    def _attempted(self, arrival: Arrival, ask: Ask) -> Exchange:
        """Try a request until it needs no further attempt; returns the last one."""
        retries = self._plan.class_of(arrival.workload_class).retries
        jitter: Uniform | None = None
        attempt = 1
        while True:
            try:
                seen = self._clients[arrival.arm].exchange(ask)
            finally:
                self._dispatcher.ended()
            self._note(arrival, seen, attempt)
            if retries is None:
                return seen
            jitter = jitter or stream(self._run.plan.seed, f"retry/{arrival.j}/{arrival.turn}")
            outcome, asked_s = seen.measured.outcome, seen.retry_after_s
            wait_s = retry_wait_s(retries, attempt, outcome, jitter, retry_after_s=asked_s)
            if wait_s is None or not self._waited(wait_s):
                return seen
            attempt += 1
            ask = replace(ask, is_retry=True)
            self._dispatcher.resumed()

    def _heard(self, seen: Exchange, said: list[str]) -> bool:
        """Note the answer of a turn; returns whether the conversation can go on."""
        is_whole = seen.body is not None and len(seen.body) <= BODY_BYTES_MAX
        if seen.measured.outcome is not Outcome.OK or not is_whole:
            return False
        said.append(text_of(bytes(seen.body or b"")))
        seen.body = None
        return True

    def _waited(self, wait_s: float) -> bool:
        """Wait, unless the run is to end; returns whether it goes on."""
        until_ns = monotonic_ns() + round(wait_s * _NS)
        while not self._is_ending and (left_ns := until_ns - monotonic_ns()) > 0:
            self._hands.sleep(min(left_ns / _NS, TICK_S))
        return not self._is_ending

    @property
    def _is_ending(self) -> bool:
        return self._halted_ns is not None or self._is_cut or self._is_over

    def _shed(self, arrival: Arrival, t_sched_ns: int) -> None:
        """Write the row of an arrival that was not sent."""
        seen = refused(self._asker.shape, t_sched_ns)
        self._write(self._rows.row(arrival, self._window.phase(arrival.t_sched_ns), seen))

    def _note(self, arrival: Arrival, seen: Exchange, attempt: int) -> None:
        phase = self._window.phase(arrival.t_sched_ns)
        row = self._rows.row(arrival, phase, seen, attempt=attempt)
        record, report = row.record, self._report
        self._reads += seen.reads
        self._outcomes[record.outcome] += 1
        report.ended += 1
        report.failed += record.eligible is Eligibility.BAD
        if record.http_status == _OK:
            report.tokens_in += arrival.len_in if record.tokens_in is None else record.tokens_in
            report.uncounted += record.tokens_out is None
        report.tokens_out += tokens_out(record, arrival.len_out)
        report.reused += seen.reused
        report.reconnected += seen.reconnected
        # A first attempt is in flight from its planned time on, as soon as the dispatcher wakes.
        is_first = attempt == 1 and arrival.turn == 1
        report.elapsed_s += record.elapsed_us / 1e6 if is_first else seen.elapsed_s
        self._reached(is_reached=record.http_status > 0, is_unconnected=record.outcome == Outcome.CONNECT_ERROR)
        if phase is Phase.MEASURED:
            report.window_sent += is_first and not seen.own_fault
            self._sketch(row, seen)
        self._write(row)

    def _sketch(self, row: Row, seen: Exchange) -> None:
        record, report = row.record, self._report
        if record.attempt == 1 and record.sched_lag_us is not None:
            add(report.lag_us, (record.sched_lag_us,))
        if record.ttft_us is not None:
            add(report.ttft_us, (record.ttft_us,))
        if record.e2e_us is not None:
            add(report.e2e_us, (record.e2e_us,))
        add(report.read_us, seen.lags_us)

    def _write(self, row: Row) -> None:
        self._journal.add(line(row))
        self._seen(row)

    def _reached(self, *, is_reached: bool, is_unconnected: bool) -> None:
        if is_reached:
            self._report.unreached = self._report.unconnected = 0
            self._heard_ns = monotonic_ns()
        else:
            self._report.unreached += 1
            self._report.unconnected += is_unconnected

    def _compare(self, data: bytes, at_ns: int) -> None:
        """Hold our stamp to the null server's."""
        add(self._report.truth_us, (abs(at_ns - int(sent)) / 1000 for sent in _SENT_NS.findall(data)))

    def _due(self, now_ns: int) -> tuple[int, int]:
        """Return how many arrivals of this worker were due by then, and how many of those count."""
        if self._slots is not None:
            return self._slots.due, self._slots.window_due
        first_ns, until_ns = self._window.measured_ns
        offset_ns = now_ns - self._start_ns
        return self._mine_before(offset_ns), max(
            0, self._mine_before(min(until_ns, offset_ns)) - self._mine_before(first_ns)
        )

    def _mine_before(self, t_ns: int) -> int:
        """Return how many arrivals of this worker are planned before a time after the start."""
        return len(range(self._index, bisect_left(self._plan.t_sched_ns, t_ns), self._workers))

    def _drain(self) -> None:
        """Wait for what is in flight; cut what takes too long."""
        if not self._emptied(self._run.drain_s):
            self._is_cut = True
            for client in self._clients:
                client.cut()
            self._emptied(CUT_S_MAX)

    def _emptied(self, longest_s: float) -> bool:
        until_ns = monotonic_ns() + round(longest_s * _NS)
        while self._open and monotonic_ns() < until_ns:
            self._hands.sleep(0.02)
        return not self._open

    def _close_journal(self) -> None:
        """Write the last rows, behind the group that the tick may be writing just now."""
        until_ns = monotonic_ns() + round(DISK_S_MAX * _NS)
        while self._journal.is_busy and monotonic_ns() < until_ns:
            self._hands.sleep(0.01)
        self._journal.close()

    def _tick(self) -> None:
        """Write rows, look after the process and tell the master, until the run is over."""
        looks = 0
        while not self._is_over:
            self._hands.sleep(TICK_S)
            self._journal.flush()
            looks += 1
            if looks % 2 == 0 and self._watch is not None and not self._is_over:
                self._watch.look()
                self._keep_bounds(self._watch)
                self._tell(self.report())

    def _keep_bounds(self, watch: Watch) -> None:
        if watch.rss_bytes > self._run.rss_bytes_max and not self._report.capped:
            self._report.capped = f"memory of {watch.rss_bytes >> 20} MiB, allowed: {self._run.rss_bytes_max >> 20}"
            self.halt()


def _made(directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    return directory
