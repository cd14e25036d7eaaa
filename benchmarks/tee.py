"""Knows what the tee costs beside its peers, all measured in the same run: `python -m benchmarks.tee [--quick]`.

The subject has one core to itself; source and clients, and whoever reads our frames, have another. Rounds go through
the subjects in turn, so that a disturbance of the machine hits all alike, and every figure is the median over rounds.
CPU is the time on the CPU of the subject's processes (schedstat), which needs no saturation. A ratio is the median of
the ratios of each round.

- paced: 200 streams, 50 chunks/s each, in all 10,000 chunks/s; streams of 25 chunks, so that time to first token
  (request sent to first chunk received) is sampled 400 times a second; its quantiles are those of all rounds' samples
  together, because the p99 of one round's 200 samples is one sample.
- closed loop: each stream's next chunk leaves when its client has the previous one: the most chunks/s there are.
- tiny: 32 keep-alive connections, one small request at a time each.
"""

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.harness import Answer, Figure, main
from benchmarks.sse_load import Load, Tally
from benchmarks.tee_peers import OBSERVER, OURS, SUBJECTS, MissingError, Stage, Subject, cores, tree_cpu_ns
from telemetry.clock import monotonic_ns
from telemetry.percentile import rank

STREAMS = 200
RATE_PER_S = 10_000.0
STREAM_CHUNKS = 25
TINY_CLIENTS = 32
RSS_STREAMS = 1_000
ROUNDS_MIN = 2
QUICK_S = 18.0
FULL_S = 120.0
QUANTILES = {"p50": 500_000, "p99": 990_000, "p999": 999_000}
SLOW = frozenset({"starlette and httpx"})
"""Subjects so far off that one round is enough, so that the others get more."""
UNITS = {
    "cpu_us_per_chunk": "us",
    "cpu_us_per_chunk_closed_loop": "us",
    "cpu_us_per_tiny_request": "us",
    "chunks_per_s": "1/s",
    "busy_ratio": "",
    "ttft_p50_ms": "ms",
    "ttft_p99_ms": "ms",
    "ttft_p999_ms": "ms",
    "added_ttft_p50_ms": "ms",
    "added_ttft_p99_ms": "ms",
    "added_ttft_p999_ms": "ms",
    "observer_us_per_chunk": "us",
    "rss_per_1000_streams_mb": "MB",
}
NOTES = {
    "cpu_us_per_chunk": "200 streams x 50 chunks/s",
    "chunks_per_s": "closed loop",
    "busy_ratio": "share of its core in the closed loop; below 0.95 the load or another process was the limit",
    "rss_per_1000_streams_mb": "all resident memory while 1,000 streams are open",
}


@dataclass(slots=True)
class Score:
    """The figures of one subject, one value per round; `ttft_ns` has every sample of every round."""

    rounds: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    ttft_ns: list[int] = field(default_factory=list[int])

    def add(self, name: str, value: float) -> None:
        """Keep one round's value."""
        self.rounds.setdefault(name, []).append(value)

    def median(self, name: str) -> float | None:
        """Return the median over rounds; None if there is none."""
        values = self.rounds.get(name)
        return median(values) if values else None


def measure(quick: bool) -> Answer:  # noqa: FBT001 - the harness calls it so
    """Run all subjects for the time there is."""
    where, load, missing = cores(), Load(), dict[str, str]()
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
        subjects = _start(running, Stage(load=load, cores=where, folder=folder), missing)
        scores = {subject.name: Score() for subject in subjects}
        end_ns, rounds = monotonic_ns() + (QUICK_S if quick else FULL_S) * 1e9, 0
        while rounds < ROUNDS_MIN or monotonic_ns() < end_ns:
            for subject in subjects:
                if not rounds or subject.name not in SLOW:
                    _round(load, subject, scores[subject.name])
            rounds += 1
        for subject in subjects:
            _memory(load, subject, scores[subject.name])
    _add_quantiles(scores)
    setting = {"rounds": rounds, "streams": STREAMS, "rate_per_s": RATE_PER_S, "missing": missing}
    return Answer(benchmark="tee", figures=_figures(scores), ratios=_ratios(scores), setting=setting)


def _start(running: ExitStack, stage: Stage, missing: dict[str, str]) -> list[Subject]:
    """Start every subject that there is; say why of the others."""
    started: list[Subject] = []
    for name, start in SUBJECTS.items():
        try:
            started.append(running.enter_context(start(stage)))
        except (MissingError, OSError) as error:
            missing[name] = str(error)
    return started


def _round(load: Load, subject: Subject, score: Score) -> None:
    with load.clients(subject.port, STREAMS) as clients:
        load.open_streams(clients, STREAM_CHUNKS)
        load.paced(clients, RATE_PER_S, 0.1)
        observer_ns = _observer_ns(subject)
        spent_ns, tally = _spent(subject, lambda: load.paced(clients, RATE_PER_S, 0.5))
        if subject.observer is not None:
            score.add("observer_us_per_chunk", (_observer_ns(subject) - observer_ns) / 1e3 / max(1, tally.chunks))
    _cpu(score, subject, "cpu_us_per_chunk", spent_ns / 1e3 / max(1, tally.chunks))
    score.ttft_ns += tally.ttft_ns
    subject.calm_down()
    _closed_loop(load, subject, score)
    subject.calm_down()
    with load.clients(subject.port, TINY_CLIENTS) as clients:
        load.tiny(clients, 0.05)
        spent_ns, tally = _spent(subject, lambda: load.tiny(clients, 0.15))
    _cpu(score, subject, "cpu_us_per_tiny_request", spent_ns / 1e3 / max(1, tally.requests))
    subject.calm_down()  # an observer that still works would slow down the next subject's clients


def _closed_loop(load: Load, subject: Subject, score: Score) -> None:
    with load.clients(subject.port, STREAMS) as clients:
        load.open_streams(clients, None)
        load.closed_loop(clients, 0.05)
        spent_ns, tally = _spent(subject, lambda: load.closed_loop(clients, 0.2))
    _cpu(score, subject, "cpu_us_per_chunk_closed_loop", spent_ns / 1e3 / max(1, tally.chunks))
    _cpu(score, subject, "busy_ratio", spent_ns / tally.elapsed_ns)
    score.add("chunks_per_s", tally.chunks / tally.elapsed_ns * 1e9)


def _memory(load: Load, subject: Subject, score: Score) -> None:
    with load.clients(subject.port, RSS_STREAMS) as clients:
        load.open_streams(clients, None)
        _cpu(score, subject, "rss_per_1000_streams_mb", subject.rss_bytes() / 1e6)


def _spent(subject: Subject, work: Callable[[], Tally]) -> tuple[int, Tally]:
    before_ns = subject.cpu_ns()
    tally = work()
    return subject.cpu_ns() - before_ns, tally


def _observer_ns(subject: Subject) -> int:
    return 0 if subject.observer is None else tree_cpu_ns(subject.observer)


def _cpu(score: Score, subject: Subject, name: str, value: float) -> None:
    """Keep a figure of the subject's processes; the direct way has none."""
    if subject.pid is not None:
        score.add(name, value)


def _add_quantiles(scores: dict[str, Score]) -> None:
    """Add the quantiles of TTFT; a subject too slow for the pace may not have begun a stream at all."""
    base_ns = sorted(scores["direct"].ttft_ns)
    for name, score in scores.items():
        ordered_ns = sorted(score.ttft_ns)
        for quantile, p_ppm in QUANTILES.items() if ordered_ns else ():
            value_ns, none_ns = (ordered[rank(p_ppm, len(ordered)) - 1] for ordered in (ordered_ns, base_ns))
            score.add(f"ttft_{quantile}_ms", value_ns / 1e6)
            if name != "direct":
                score.add(f"added_ttft_{quantile}_ms", (value_ns - none_ns) / 1e6)


def _figures(scores: dict[str, Score]) -> list[Figure]:
    return [
        Figure(name=f"{subject}: {name}", value=score.median(name), unit=unit, note=NOTES.get(name, ""))
        for name, unit in UNITS.items()
        for subject, score in scores.items()
        if score.median(name) is not None
    ]


def _ratios(scores: dict[str, Score]) -> dict[str, float | None]:
    chunk = "cpu_us_per_chunk"
    return {
        "cpu_us_per_chunk_vs_nginx": _ratio(scores, chunk, "nginx"),
        "cpu_us_per_chunk_vs_haproxy": _ratio(scores, chunk, "haproxy"),
        "cpu_us_per_chunk_vs_naive": _ratio(scores, chunk, "starlette and httpx"),
        "cpu_us_per_chunk_vs_bare_relay": _ratio(scores, chunk, "bare relay"),
        "cpu_us_per_chunk_closed_loop_vs_nginx": _ratio(scores, f"{chunk}_closed_loop", "nginx"),
        "cpu_us_per_chunk_closed_loop_vs_haproxy": _ratio(scores, f"{chunk}_closed_loop", "haproxy"),
        "cpu_us_per_tiny_request_vs_nginx": _ratio(scores, "cpu_us_per_tiny_request", "nginx"),
        "added_ttft_p99_vs_nginx": _added_ratio(scores),
        "rss_per_1000_streams_mb": _value(scores, OURS, "rss_per_1000_streams_mb"),
        "observer_us_per_chunk": _value(scores, OBSERVER, "observer_us_per_chunk"),
    }


def _ratio(scores: dict[str, Score], name: str, peer: str) -> float | None:
    """Return the median over rounds of ours / the peer's; None without either."""
    values = [scores[one].rounds.get(name, []) for one in (OURS, peer) if one in scores]
    rounds = [ours / other for ours, other in zip(*values, strict=False) if other] if len(values) == 2 else []
    return median(rounds) if rounds else None


def _added_ratio(scores: dict[str, Score]) -> float | None:
    """Return how much more of a tail we add than nginx."""
    ours, nginx = (_value(scores, one, "added_ttft_p99_ms") for one in (OURS, "nginx"))
    return None if ours is None or nginx is None or nginx <= 0 else ours / nginx


def _value(scores: dict[str, Score], subject: str, name: str) -> float | None:
    return scores[subject].median(name) if subject in scores else None


if __name__ == "__main__":
    main("tee", measure)
