"""Knows which switch of which engine fills which panel, and by what one sees that it is off; refuses to look.

A switch stands here only if its absence shows from outside: a metric that is not on the page, a header that is not in
an answer, a field that is not in a stream. What does not show is left to the documentation: vLLM's
`--otlp-traces-endpoint`, `--enable-server-load-tracking` and `--sse-keep-alive-interval`, SGLang's
`--export-metrics-to-file`.

Source: spec/ui.md 1.3. vLLM 0.32.0: seen on the engine started with and without each, and in
`entrypoints/launchers/cli_args.py`, `config/observability.py`. SGLang `srt/server_args.py` (enable_cache_report).
TensorRT-LLM `serve/openai_server.py`, `metrics/collector.py`. Triton docs/user_guide/metrics.md (histogram_latencies).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from probes.aliases import TABLE, UNLOCKS, Engine, key

_SAMPLE = re.compile(r"^([A-Za-z_:][\w:]*)[{ ]", re.MULTILINE)
_PART = re.compile(r"_(?:bucket|sum|count)$")


class Clue(StrEnum):
    """By what one sees whether a switch is on."""

    PAGE = "page"
    """The metrics page is there."""
    METRIC = "metric"
    """A metric is on the page."""
    HEADER = "header"
    """A header is in an answer."""
    USAGE = "usage"
    """A stream that did not ask for usage has it."""
    USAGE_FIELD = "usage field"
    """A field is in the usage."""
    CHUNK_FIELD = "chunk field"
    """A field is beside the usage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """One switch.

    Attributes:
        flag: What to add, verbatim.
        clue: By what it shows.
        missing: What one does without it.
        name: Name of the metric, header or field; empty where the clue needs none.
        unlocks: Panels that it fills.
    """

    flag: str
    clue: Clue
    missing: str
    name: str = ""
    unlocks: tuple[str, ...] = ()

    @property
    def fix(self) -> str:
        """What to do, as a sentence without its end."""
        return self.flag if self.flag.startswith("start") or not self.flag else f"start the engine with {self.flag}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """What a short stream showed.

    Attributes:
        usage_unasked: Whether usage came although it was not asked for.
        usage: Fields of the usage that hold something.
        beside: Fields beside it that hold something.
    """

    usage_unasked: bool
    usage: frozenset[str]
    beside: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What an engine showed; None is what nobody looked for or what could not be read.

    Attributes:
        metrics: Keys of the metrics on its page; empty if it has no page.
        headers: Headers of an answer, lower case.
        stream: What a short stream showed.
    """

    metrics: frozenset[str] | None = None
    headers: frozenset[str] | None = None
    stream: Stream | None = None


_ENGINE_PANELS = ("ep.queue", "ep.kv", "ep.replicas")

SWITCHES: Mapping[Engine, tuple[Switch, ...]] = MappingProxyType(
    {
        Engine.VLLM: (
            Switch(
                flag="--kv-cache-metrics",
                clue=Clue.METRIC,
                name="vllm:kv_block_lifetime_seconds",
                missing="how long cache blocks live and lie idle is not measured",
                unlocks=("ep.cache",),
            ),
            Switch(
                flag="--enable-request-id-headers",
                clue=Clue.HEADER,
                name="x-request-id",
                missing="answers carry no X-Request-Id to join them by",
                unlocks=("req.rows",),
            ),
            Switch(
                flag="--enable-force-include-usage",
                clue=Clue.USAGE,
                missing="a stream has no token counts unless its client asks for them",
                unlocks=("ep.tokens", "cost.rate"),
            ),
            Switch(
                flag="--enable-prompt-tokens-details",
                clue=Clue.USAGE_FIELD,
                name="prompt_tokens_details",
                missing="usage does not say how much of a prompt came from the cache",
                unlocks=("ep.cache",),
            ),
            Switch(
                flag="--enable-per-request-metrics",
                clue=Clue.CHUNK_FIELD,
                name="metrics",
                missing="queue and prefill time of a request are not told",
                unlocks=("ep.phases", "req.detail"),
            ),
        ),
        Engine.SGLANG: (
            Switch(
                flag="--enable-cache-report",
                clue=Clue.USAGE_FIELD,
                name="prompt_tokens_details",
                missing="usage does not say how much of a prompt came from the cache",
                unlocks=("ep.cache",),
            ),
        ),
        Engine.TRTLLM: (
            Switch(
                flag="enable_iter_perf_stats: true in the file of --extra_llm_api_options",
                clue=Clue.METRIC,
                name="trtllm_num_requests_running",
                missing="queue and KV cache are not on the page (they come with the first request)",
                unlocks=("ep.queue", "ep.kv"),
            ),
        ),
        Engine.TRITON: (
            Switch(
                flag="--metrics-config histogram_latencies=true",
                clue=Clue.METRIC,
                name="nv_inference_first_response_histogram_ms",
                missing="the time to the first response is not measured",
                unlocks=("ep.ttft",),
            ),
        ),
    }
)
"""What fills panels, beside what makes the engine have a metrics page at all (`probes.aliases.UNLOCKS`)."""


def switches(engine: Engine) -> tuple[Switch, ...]:
    """Return the switches of an engine, what makes it have a metrics page first."""
    page = Switch(
        flag=UNLOCKS.get(engine, ""),
        clue=Clue.PAGE,
        missing="there are no metrics of the engine",
        unlocks=_ENGINE_PANELS,
    )
    return (page, *SWITCHES.get(engine, ()))


def is_on(engine: Engine, switch: Switch, seen: Seen) -> bool | None:
    """Return whether a switch is on, as far as it was looked at; None if that is not known."""
    stream, metrics = seen.stream, seen.metrics
    match switch.clue:
        case Clue.PAGE:
            return None if metrics is None else bool(metrics & known(engine))
        case Clue.METRIC:
            # Without metrics there is another switch to say so first.
            return key(switch.name) in metrics if metrics and metrics & known(engine) else None
        case Clue.HEADER:
            return None if seen.headers is None else switch.name in seen.headers
        case Clue.USAGE:
            return None if stream is None else stream.usage_unasked
        case Clue.USAGE_FIELD:
            return None if stream is None else switch.name in stream.usage
        case Clue.CHUNK_FIELD:
            return None if stream is None else switch.name in stream.beside


def off(engine: Engine, seen: Seen) -> Iterator[Switch]:
    """Return the switches of an engine that were seen to be off."""
    return (switch for switch in switches(engine) if is_on(engine, switch, seen) is False)


def on_page(page: str) -> frozenset[str]:
    """Return the keys of the metrics that have a sample on a page."""
    return frozenset(key(_PART.sub("", line[1])) for line in _SAMPLE.finditer(page))


def known(engine: Engine) -> frozenset[str]:
    """Return the keys of the metrics by which an engine's page is known to be one."""
    return frozenset(key(name) for source in TABLE[engine] for name in source.names)
