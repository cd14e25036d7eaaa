"""Knows the page of metrics that vLLM shows, of what simulated engines count; refuses to know how it is asked for.

What a simulation does not know is not on the page: no queue, prefill and decode times apart, no token by its source.
Engines behind one port stand side by side on one page, by the label `engine`, as vLLM shows those of data parallelism.

Source: page of vLLM 0.32.0 (tests/fixtures/metrics/vllm.txt: names, labels, edges of the buckets); vLLM,
vllm/v1/metrics/loggers.py.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from loadtest.fleet.engine import Engine
from loadtest.fleet.replica import Load
from loadtest.fleet.requests import End, Request

_TTFT = (
    *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0),
    *(80.0, 160.0, 640.0, 2560.0),
)
_TOKEN = (*(0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0),)
_REQUEST = (
    *(0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 120.0, 240.0, 480.0, 960.0),
    *(1920.0, 7680.0),
)
_TOLD = ("stop", "length", "abort", "error")
_REASONS = {End.OK: "length", End.ABANDONED: "abort", End.LOST: "error", End.TOO_LONG: "error", End.REJECTED: "error"}


class Buckets:
    """A histogram as Prometheus keeps it."""

    def __init__(self, edges: Sequence[float]) -> None:
        """Start empty."""
        self._edges = edges
        self._counts = [0] * (len(edges) + 1)
        self._sum = 0.0

    def add(self, value: float, times: int = 1) -> None:
        """Count a value."""
        self._counts[bisect_left(self._edges, value)] += times
        self._sum += value * times

    def lines(self, name: str, engine: int, labels: str) -> list[str]:
        """Return it as lines of a page."""
        below = list(accumulate(self._counts))
        edges = [*map(str, self._edges), "+Inf"]
        first = f'engine="{engine}"'
        told = [f'{name}_bucket{{{first},le="{edge}",{labels}}} {n}.0' for edge, n in zip(edges, below, strict=True)]
        return [*told, f"{name}_count{{{first},{labels}}} {below[-1]}.0", f"{name}_sum{{{first},{labels}}} {self._sum}"]


@dataclass(slots=True, kw_only=True)
class Counts:
    """What an engine counts since it began."""

    prompt_tokens: int = 0
    generation_tokens: int = 0
    success: Counter[str] = field(default_factory=Counter[str])
    ttft: Buckets = field(default_factory=lambda: Buckets(_TTFT))
    itl: Buckets = field(default_factory=lambda: Buckets(_TOKEN))
    tpot: Buckets = field(default_factory=lambda: Buckets(_TOKEN))
    e2e: Buckets = field(default_factory=lambda: Buckets(_REQUEST))

    def tokens(self, request: Request, more: int, gap_s: float, *, is_first: bool) -> None:
        """Count tokens of an answer.

        Args:
            request: What was asked.
            more: How many came.
            gap_s: Since the last one, or since the request came.
            is_first: Whether there was none before.
        """
        self.generation_tokens += more
        if is_first:
            self.prompt_tokens += request[1]
            self.ttft.add(gap_s)
        else:
            self.itl.add(gap_s / more, more)

    def end(self, request: Request, first_s: float | None, end_s: float, how: End) -> None:
        """Count the end of a request."""
        self.success[_REASONS[how]] += 1
        if how is End.OK:
            self.e2e.add(end_s - request[0])
            if request[2] > 1 and first_s is not None:
                self.tpot.add((end_s - first_s) / (request[2] - 1))

    def labelled(self, load: Load) -> dict[str, float]:
        """Return gauges and counters by name."""
        return {
            "num_requests_running": float(load.running),
            "num_requests_waiting": float(load.waiting),
            "kv_cache_usage_perc": load.kv_used_ratio,
            "prompt_tokens_total": self.prompt_tokens,
            "generation_tokens_total": self.generation_tokens,
            "num_preemptions_total": load.preemptions,
            "prefix_cache_queries_total": load.prompt_tokens,
            "prefix_cache_hits_total": load.hit_tokens,
        }

    def histograms(self) -> dict[str, Buckets]:
        """Return histograms by name."""
        return {
            "time_to_first_token_seconds": self.ttft,
            "inter_token_latency_seconds": self.itl,
            "request_time_per_output_token_seconds": self.tpot,
            "e2e_request_latency_seconds": self.e2e,
        }


Shown = tuple[Counts, Engine, Load]
"""An engine on a page: what it counted, as what it was started, and its state."""


def page(model: str, engines: Sequence[Shown], started_unix_s: float) -> bytes:
    """Return the page of one server.

    Args:
        model: Name of what it serves.
        engines: Behind it, one or more; their place is their label.
        started_unix_s: When the process began.
    """
    labels = f'model_name="{model}"'
    lines = ["# TYPE process_start_time_seconds gauge", f"process_start_time_seconds {started_unix_s}"]
    values = [counts.labelled(load) for counts, _, load in engines]
    for name in values[0]:
        lines.append(f"# TYPE vllm:{name} {'counter' if name.endswith('_total') else 'gauge'}")
        lines += [f'vllm:{name}{{engine="{at}",{labels}}} {float(value[name])}' for at, value in enumerate(values)]
    lines.append("# TYPE vllm:engine_sleep_state gauge")
    lines += [f'vllm:engine_sleep_state{{engine="{at}",{labels},sleep_state="awake"}} 1.0' for at in range(len(values))]
    lines.append("# TYPE vllm:request_success_total counter")
    for at, (counts, _, _) in enumerate(engines):
        success = f'vllm:request_success_total{{engine="{at}",finished_reason='
        lines += [f'{success}"{reason}",{labels}}} {counts.success[reason]}.0' for reason in _TOLD]
    lines.append("# TYPE vllm:cache_config_info gauge")
    lines += [_cache(engine, at) for at, (_, engine, _) in enumerate(engines)]
    histograms = [counts.histograms() for counts, _, _ in engines]
    for name in histograms[0]:
        lines.append(f"# TYPE vllm:{name} histogram")
        lines += [line for at, one in enumerate(histograms) for line in one[name].lines(f"vllm:{name}", at, labels)]
    return ("\n".join(lines) + "\n").encode()


def _cache(engine: Engine, at: int) -> str:
    size = f'num_gpu_blocks="{engine.kv_blocks}"'
    kept = 'cache_dtype="auto",enable_prefix_caching="False"'
    return f'vllm:cache_config_info{{block_size="{engine.block_tokens}",{kept},engine="{at}",{size}}} 1.0'
