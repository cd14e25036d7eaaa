"""Knows how each subject of `benchmarks.loadclient` that is Python of our environment does its work.

    python -m benchmarks.loadclient_child inferometer|"Locust FastHttpUser" URL STREAMS TOKENS
    python -m benchmarks.loadclient_child truth URL STREAMS TOKENS undisturbed|stalled
    python -m benchmarks.loadclient_child stall URL PER_SECOND TOKENS inferometer|"Locust FastHttpUser"

It writes what it found to stdout, as JSON. Locust's own user reads by lines, the fastest way it has that gives true
times (spec/loadtest.md 4), and takes the time of each event, as any user who wants a gap has to.
"""

import json
import re
import sys
import tempfile
from collections.abc import Callable
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, Any, cast

from gevent import monkey

monkey.patch_all()

import gevent  # noqa: E402 -- behind the patch, as under Locust
from gevent.hub import get_hub  # noqa: E402
from gevent.socket import wait_read  # noqa: E402

from loadtest.alarm import Alarm  # noqa: E402
from loadtest.client import Ask, Client  # noqa: E402
from loadtest.line import addresses, stamping  # noqa: E402
from loadtest.plan_spec import Fixed, PlanSpec, Process, RateCurve, Separate, WorkloadClass  # noqa: E402
from loadtest.planner import build  # noqa: E402
from loadtest.pump import pumped  # noqa: E402
from loadtest.run_spec import RunSpec  # noqa: E402
from loadtest.target import target  # noqa: E402
from loadtest.worker import Hands, Worker  # noqa: E402
from telemetry.clock import monotonic_ns, sleep  # noqa: E402
from telemetry.dialects import RequestShape  # noqa: E402

if TYPE_CHECKING:
    from loadtest.rows import Row

OURS, LOCUST = "inferometer", "Locust FastHttpUser"
PATH = "/v1/chat/completions"
BODY = {
    "model": "null",
    "messages": [{"role": "user", "content": "hello"}],
    "stream": True,
    "stream_options": {"include_usage": True},
}
SHAPE = RequestShape(api="openai_chat", model="null", stream=True, include_usage=True)
STALL_PLAN_S = 8
FELT_S = 0.3
_SENT_NS = re.compile(rb'"sent_ns":(\d+)')
_MS = 1e6
_JSON = {"Content-Type": "application/json"}


def ours(url: str, rate_per_s: float, count: int, tokens: int) -> "list[Row]":
    """Carry out a plan, rows written, as a load worker does."""
    plan = PlanSpec(
        seed=7,
        process=Process.CONSTANT,
        rate=RateCurve(points=((0.0, rate_per_s),)),
        count=count,
        classes=(WorkloadClass(lengths=Separate(tokens_in=Fixed(tokens=8), tokens_out=Fixed(tokens=tokens))),),
    )
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as directory:
        run = RunSpec(run_id="bench", targets=(url,), plan=plan, directory=directory, model="null")
        hands = Hands(
            spawn=gevent.spawn,
            sleep=gevent.sleep,
            wait_until=Alarm(wait_read).wait,
            apart=cast("Any", get_hub()).threadpool.apply,
            pump=pumped,
        )
        worker = Worker(run, build(plan), (0, 1), hands=hands, tell=_nothing, seen=rows.append)
        report = worker.run(monotonic_ns())
    if report.outcomes != {"ok": count}:
        raise SystemExit(f"ours: {report.outcomes}")
    return rows


def fast_http(url: str, n: int, tokens: int) -> list[list[float]]:
    """Read n streams, each by a user of Locust's; returns the time of the request and of each event, seconds."""
    one = _user(url, tokens)
    tasks: list[Any] = [gevent.spawn(one) for _ in range(n)]
    cast("Any", gevent).joinall(tasks, raise_error=True)
    return [task.value for task in tasks]


def _user(url: str, tokens: int) -> Callable[[], list[float]]:
    from locust.contrib.fasthttp import FastHttpSession  # noqa: PLC0415 -- patches sockets, in this child alone
    from locust.env import Environment  # noqa: PLC0415

    body, environment = json.dumps(BODY | {"max_tokens": tokens}), Environment()

    def one() -> list[float]:
        session: Any = FastHttpSession(base_url=url, request_event=environment.events.request, user=None)
        times = [monotonic_ns() / 1e9]
        with session.post(PATH, data=body, stream=True, catch_response=True, headers=_JSON) as response:
            stream = response._response  # noqa: SLF001 -- the stream has no public readline
            while line := stream.readline(sep=b"\n"):
                if line.startswith(b"data: {"):
                    json.loads(line[6:])
                    times.append(monotonic_ns() / 1e9)
            response.success()
        return times

    return one


def cost(name: str, url: str, n: int, tokens: int) -> dict[str, float]:
    """Read n streams that begin within a second; returns the median time of a request as the client tells it."""
    if name == OURS:
        return {"e2e_s": median((row.record.e2e_us or 0) / 1e6 for row in ours(url, float(n), n, tokens))}
    return {"e2e_s": median(times[-1] - times[0] for times in fast_http(url, n, tokens))}


def truth(url: str, n: int, tokens: int, case: str) -> dict[str, float]:
    """Return how far TTFT and the gaps between events are from the server's stamps, milliseconds.

    The error of a TTFT is that of the figure that is reported; gaps are those between the stamps that the meter got.
    Beside them the same with the instants at which the bytes were read: what a client without kernel stamps would say.
    """
    held, streams = stamping(), [_Stream(url, tokens) for _ in range(n)]
    tasks: list[Any] = [gevent.spawn_later(number / n, stream.run) for number, stream in enumerate(streams)]
    if case == "stalled":
        gevent.spawn(_stall, tasks)
    cast("Any", gevent).joinall(tasks, raise_error=True)
    held.close()
    ttft, itl = [stream.ttft_ms for stream in streams], [ms for stream in streams for ms in stream.itl_ms()]
    read = [ms for stream in streams for ms in stream.late_ms]
    return {
        **{f"ttft error p{q}": _quantile(ttft, q) for q in (50, 99)},
        **{f"itl error p{q}": _quantile(itl, q) for q in (50, 99)},
        **{f"stamp error p{q}": _quantile([ms for stream in streams for ms in stream.off_ms], q) for q in (50, 99)},
        **{f"error of a read without kernel stamps p{q}": _quantile(read, q) for q in (50, 99)},
    }


class _Stream:
    """One stream, its reads beside what it reports."""

    def __init__(self, url: str, tokens: int) -> None:
        place = target(url).place
        address = addresses(place.host, place.port)[0]
        self._reads: list[tuple[bytes, int]] = []
        self._client = Client(target(url), address, tap=lambda data, at: self._reads.append((data, at)), pump=pumped)
        self._body = json.dumps(BODY | {"max_tokens": tokens}).encode()
        self.ttft_ms = 0.0
        self.off_ms: list[float] = []
        self.late_ms: list[float] = []

    def run(self) -> None:
        """Read it."""
        seen = self._client.exchange(Ask(path=PATH, body=self._body, shape=SHAPE))
        self._client.close()
        for (data, at_ns), lag_us in zip(self._reads, seen.lags_us, strict=True):
            for sent in map(int, _SENT_NS.findall(data)):
                self.off_ms.append((at_ns - sent) / _MS)
                self.late_ms.append((at_ns - sent) / _MS + lag_us / 1e3)
        first_ns = next(int(sent) for data, _ in self._reads for sent in _SENT_NS.findall(data))
        self.ttft_ms = abs((seen.measured.ttft_us or 0) / 1e3 - (first_ns - seen.issue_ns) / _MS)

    def itl_ms(self) -> list[float]:
        """Return the error of each gap."""
        return [abs(after - before) for before, after in pairwise(self.off_ms)]


def _stall(tasks: list[Any]) -> None:
    """Stop this process for 40 ms of each 100."""
    while not all(task.ready() for task in tasks):
        gevent.sleep(0.06)
        _blocking_sleep(0.04)


_blocking_sleep = cast("Callable[[float], None]", monkey.get_original("time", "sleep"))


def stall(url: str, rate_per_s: int, tokens: int, name: str) -> dict[str, float]:
    """Return how many requests took long; the server stands still meanwhile."""
    if name == OURS:
        rows = ours(url, float(rate_per_s), rate_per_s * STALL_PLAN_S, tokens)
        return {"felt": sum((row.record.e2e_us or 0) / 1e6 > FELT_S for row in rows)}
    one, begun_s, felt = _user(url, tokens), monotonic_ns() / 1e9, list[bool]()

    def user() -> None:
        while monotonic_ns() / 1e9 - begun_s < STALL_PLAN_S:
            times = one()
            felt.append(times[-1] - times[0] > FELT_S)
            sleep(max(0.0, 1.0 - (monotonic_ns() / 1e9 - times[0])))  # Locust's `constant_throughput(1)`

    cast("Any", gevent).joinall([gevent.spawn_later(n / rate_per_s, user) for n in range(rate_per_s)], raise_error=True)
    return {"felt": sum(felt)}


def _quantile(values: list[float], percent: int) -> float:
    ordered = sorted(map(abs, values))
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


def _nothing(_: object) -> None:
    pass


def main() -> None:
    """Do what the command line says."""
    what, url, n, tokens, *more = sys.argv[1:]
    special = {"truth": truth, "stall": stall}
    found = special[what](url, int(n), int(tokens), *more) if more else cost(what, url, int(n), int(tokens))
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
