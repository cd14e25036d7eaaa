"""Knows what OpenTelemetry calls the things that we measure, in every generation that we speak; refuses to send.

One map, one column per generation. The GenAI conventions left the main repository after 1.41 for one of their own
(development, unreleased); `OTEL_SEMCONV_STABILITY_OPT_IN=gen_ai_latest_experimental` asks for those. What no
convention names carries our own prefix and is the same in both.

Our `error.type` is the outcome of the request (`telemetry.outcome.Outcome`), absent for `ok`. The provider is the
configured engine. A request that failed lasted until that was known. First-token and per-token times are of successful
requests only, as the conventions say; the first chunk of a stream is its first event, which is no token yet. Time per
output chunk is not sent: a record keeps gaps between tokens, not between chunks.

Source: open-telemetry/semantic-conventions, docs/gen-ai/gen-ai-metrics.md at ce3b534 (names, units, bucket advice);
open-telemetry/semantic-conventions-genai, model/gen-ai/metrics.yaml at 9ba9b77 and token-metrics.yaml at 066d4a7;
spec/ui.md 11.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

OPT_IN = "gen_ai_latest_experimental"
"""The word in OTEL_SEMCONV_STABILITY_OPT_IN that asks for the newest names."""

DURATION_BOUNDS_S = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
FIRST_TOKEN_BOUNDS_S = (
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
)  # fmt: skip
PER_TOKEN_BOUNDS_S = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5)
TOKEN_BOUNDS = tuple(4.0**power for power in range(14))
"""1 growing fourfold to 67 108 864."""


class Generation(StrEnum):
    """Which names are spoken; the value is the version that the emitter states."""

    MAIN = "1.41.0"
    GENAI = "genai-066d4a7"


class Attribute(StrEnum):
    """Names of attributes, the same in both generations."""

    OPERATION = "gen_ai.operation.name"
    PROVIDER = "gen_ai.provider.name"
    REQUEST_MODEL = "gen_ai.request.model"
    TOKEN_TYPE = "gen_ai.token.type"  # noqa: S105 -- a name, no secret
    TOKEN_MODALITY = "gen_ai.token.modality"  # noqa: S105 -- a name, no secret
    ERROR_TYPE = "error.type"
    SERVER_ADDRESS = "server.address"
    SERVER_PORT = "server.port"
    ENDPOINT = "inferometer.endpoint"
    OUTCOME = "inferometer.request.outcome"
    PHASE = "inferometer.request.phase"
    ELIGIBLE = "inferometer.request.eligible"


class Measure(StrEnum):
    """What is measured, in our words."""

    SERVER_DURATION = "server_duration"
    CLIENT_DURATION = "client_duration"
    FIRST_CHUNK = "first_chunk"
    TTFT = "ttft"
    TPOT = "tpot"
    TOKENS = "tokens"
    TOKENS_IN = "tokens_in"
    TOKENS_OUT = "tokens_out"
    TOKENS_IN_SUM = "tokens_in_sum"
    TOKENS_OUT_SUM = "tokens_out_sum"
    TOKENS_CACHE_READ_SUM = "tokens_cache_read_sum"
    TOKENS_CACHE_WRITE_SUM = "tokens_cache_write_sum"
    TOKENS_REASONING_SUM = "tokens_reasoning_sum"
    ITL = "itl"
    ICL_MAX = "icl_max"
    REQUESTS = "requests"
    IN_STREAM = "in_stream"
    OPEN = "open"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True)
class Instrument:
    """Name, unit and meaning of a metric; the unit is UCUM."""

    name: str
    unit: str
    meaning: str


_BOTH = {
    Measure.CLIENT_DURATION: Instrument(
        "gen_ai.client.operation.duration", "s", "From the request to the end of its answer, as the client saw it."
    ),
    Measure.SERVER_DURATION: Instrument(
        "gen_ai.server.request.duration",
        "s",
        "From the request to the last of its answer, as the server is seen from before it.",
    ),
    Measure.FIRST_CHUNK: Instrument(
        "gen_ai.client.operation.time_to_first_chunk",
        "s",
        "From the request to the first event of a stream, of any kind.",
    ),
    Measure.TTFT: Instrument(
        "gen_ai.server.time_to_first_token", "s", "From the request to the first output of a successful answer."
    ),
    Measure.TPOT: Instrument(
        "gen_ai.server.time_per_output_token",
        "s",
        "Time per output token after the first, of a successful answer.",
    ),
    Measure.ITL: Instrument("inferometer.request.itl", "s", "Inter-token latencies of successful requests."),
    Measure.ICL_MAX: Instrument("inferometer.request.icl_max", "s", "Largest gap between arrivals of output."),
    Measure.REQUESTS: Instrument("inferometer.requests", "{request}", "Finished requests."),
    Measure.IN_STREAM: Instrument("inferometer.in_stream_errors", "{request}", "Faults seen under HTTP 200."),
    Measure.OPEN: Instrument("inferometer.requests.open", "{request}", "Requests in flight."),
    Measure.WAITING: Instrument("inferometer.requests.waiting", "{request}", "Requests in flight without output."),
}
_USAGE = "gen_ai.client.inference.usage"
INSTRUMENTS: Mapping[Generation, Mapping[Measure, Instrument]] = {
    Generation.MAIN: _BOTH
    | {Measure.TOKENS: Instrument("gen_ai.client.token.usage", "{token}", "Tokens of a request, by type.")},
    Generation.GENAI: _BOTH
    | {
        Measure.TOKENS_IN: Instrument(
            "gen_ai.client.inference.operation.input_tokens",
            "{token}",
            "Prompt tokens of a request, those of caches included.",
        ),
        Measure.TOKENS_OUT: Instrument(
            "gen_ai.client.inference.operation.output_tokens",
            "{token}",
            "Output tokens of a request, those of reasoning included.",
        ),
        Measure.TOKENS_IN_SUM: Instrument(
            f"{_USAGE}.input_tokens",
            "{token}",
            "Prompt tokens, those of caches included.",
        ),
        Measure.TOKENS_OUT_SUM: Instrument(
            f"{_USAGE}.output_tokens",
            "{token}",
            "Output tokens, those of reasoning included.",
        ),
        Measure.TOKENS_CACHE_READ_SUM: Instrument(
            f"{_USAGE}.cache_read.input_tokens",
            "{token}",
            "Prompt tokens read from a cache.",
        ),
        Measure.TOKENS_CACHE_WRITE_SUM: Instrument(
            f"{_USAGE}.cache_write.input_tokens",
            "{token}",
            "Prompt tokens written to a cache.",
        ),
        Measure.TOKENS_REASONING_SUM: Instrument(
            f"{_USAGE}.reasoning.output_tokens",
            "{token}",
            "Output tokens spent on reasoning.",
        ),
    },
}
"""The map; what a generation does not name is not sent."""

_OPERATIONS = {
    "openai_chat": "chat",
    "openai_completions": "text_completion",
    "openai_responses": "chat",
    "anthropic_messages": "chat",
}


def generation(opt_in: str) -> Generation:
    """Return which names are asked for.

    Args:
        opt_in: OTEL_SEMCONV_STABILITY_OPT_IN, words parted by commas.
    """
    return Generation.GENAI if OPT_IN in [word.strip() for word in opt_in.split(",")] else Generation.MAIN


def operation(api: str) -> str | None:
    """Return the operation that an exchange of a dialect is; None if it is none of GenAI."""
    return _OPERATIONS.get(api)
