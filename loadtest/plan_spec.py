"""Knows the parameters of a plan as they travel and are stored; refuses to know the arrivals that follow from them.

A spec is a value: master, workers and a rerun years later build the same plan from the same spec, byte for byte.

Source: spec/loadtest.md 2 (arrivals), 8 (workloads), 9 (patience, retries, planned aborts), 10 (traces).
"""

import math
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from loadtest.errors import PlanError

ARRIVALS_MAX = 20_000_000
"""Most arrivals of a plan; each takes 25 bytes and more."""
CLASSES_MAX = 64
"""Most classes of a workload."""
TOKENS_MAX = 10_000_000
"""Longest prompt or answer, tokens."""
POINTS_MAX = 100_000
"""Most points of a rate curve, values of a histogram or pairs of lengths."""
SCALE_MAX = 1_000
"""Most copies of a trace."""
TURNS_MAX = 1_000
"""Most turns of a conversation."""
SLOTS_MAX = 65_536
"""Most slots of a closed loop."""

PLAN_S_MAX = 31 * 86_400.0
"""Longest plan, seconds."""

Positive = Annotated[float, Meta(gt=0, le=1e9)]
NotNegative = Annotated[float, Meta(ge=0, le=1e9)]
Rate = Annotated[float, Meta(ge=0, le=1e6)]
Sigma = Annotated[float, Meta(ge=0, le=10)]
Shape = Annotated[float, Meta(ge=0.05, le=1e6)]
Share = Annotated[float, Meta(ge=0, le=1)]
Tokens = Annotated[int, Meta(ge=1, le=TOKENS_MAX)]


class Process(StrEnum):
    """The law of the gaps between arrivals."""

    CONSTANT = "constant"
    POISSON = "poisson"
    GAMMA = "gamma"
    WEIBULL = "weibull"


class CurveShape(StrEnum):
    """What the rate does between two points of its curve."""

    STEP = "step"
    LINEAR = "linear"


class _Spec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What all parts of a spec have in common: immutable, named, and nothing unknown in them."""


class Fixed(_Spec, frozen=True, tag="fixed", tag_field="kind"):
    """Always the same number of tokens."""

    tokens: Tokens


class Uniform(_Spec, frozen=True, tag="uniform", tag_field="kind"):
    """Each number of tokens from `low` to `high`, both included, alike."""

    low: Tokens
    high: Tokens

    def __post_init__(self) -> None:
        """Refuse an empty range."""
        _ordered(self.low, self.high)


class Lognormal(_Spec, frozen=True, tag="lognormal", tag_field="kind"):
    """A heavy tail: exp(ln(median) + sigma * z), held within [low, high]."""

    median: Tokens
    sigma: Sigma
    low: Tokens = 1
    high: Tokens = TOKENS_MAX

    def __post_init__(self) -> None:
        """Refuse an empty range."""
        _ordered(self.low, self.high)


class Histogram(_Spec, frozen=True, tag="histogram", tag_field="kind"):
    """Numbers of tokens with their weights, as counted somewhere."""

    tokens: Annotated[tuple[Tokens, ...], Meta(min_length=1, max_length=POINTS_MAX)]
    weights: Annotated[tuple[NotNegative, ...], Meta(min_length=1, max_length=POINTS_MAX)]

    def __post_init__(self) -> None:
        """Refuse weights that are no law."""
        if len(self.tokens) != len(self.weights) or not 0 < sum(self.weights) < math.inf:
            raise ValueError("one weight for each number of tokens is needed, with a sum above 0")


Length = Fixed | Uniform | Lognormal | Histogram


class Pairs(_Spec, frozen=True, tag="pairs", tag_field="kind"):
    """Pairs (tokens in, tokens out) that are drawn together, alike; keeps their correlation."""

    pairs: Annotated[tuple[tuple[Tokens, Tokens], ...], Meta(min_length=1, max_length=POINTS_MAX)]


class Separate(_Spec, frozen=True, tag="separate", tag_field="kind"):
    """Lengths of prompt and answer, independent of each other."""

    tokens_in: Length
    tokens_out: Length


class SharedPrefix(_Spec, frozen=True):
    """Prompts that begin alike.

    Attributes:
        groups: Number of different beginnings.
        tokens: Length of each, part of the prompt's length.
        zipf: Exponent: group k is drawn with weight k^-zipf; 0 is alike.
    """

    groups: Annotated[int, Meta(ge=1, le=POINTS_MAX)]
    tokens: Tokens
    zipf: Annotated[float, Meta(ge=0, le=100)] = 1.0


class Conversations(_Spec, frozen=True):
    """Conversations arrive open-loop; each further turn follows the answer before it.

    Attributes:
        turns: Least and greatest number of turns, alike between them.
        think_s: Median time between an answer and the next turn.
        think_sigma: Its lognormal spread; 0 is constant.
        tokens_in: New tokens of each further turn; the turns before it come on top.
    """

    turns: tuple[Annotated[int, Meta(ge=1, le=TURNS_MAX)], Annotated[int, Meta(ge=1, le=TURNS_MAX)]]
    think_s: NotNegative
    think_sigma: Sigma = 0.0
    tokens_in: Length = Fixed(tokens=64)

    def __post_init__(self) -> None:
        """Refuse an empty range."""
        _ordered(*self.turns)


class Patience(_Spec, frozen=True):
    """When a user gives up.

    Attributes:
        median_s: Time without a visible token, from the planned arrival.
        sigma: Lognormal spread; 0 is constant.
        gap_s: Also after a gap this long; None never.
    """

    median_s: Positive
    sigma: Sigma = 0.0
    gap_s: Positive | None = None


class Retries(_Spec, frozen=True):
    """What a client does after a failure (spec/loadtest.md 9)."""

    retries: Annotated[int, Meta(ge=0, le=100)] = 3
    base_s: Positive = 0.5
    cap_s: Positive = 30.0
    after_abandon: bool = False


class PlannedAborts(_Spec, frozen=True):
    """A share of the requests that is cut on purpose after some tokens; no part of goodput."""

    ratio: Share
    after_tokens: Tokens


class Objectives(_Spec, frozen=True):
    """Limits of one request; None is not judged."""

    ttft_s: Positive | None = None
    tpot_s: Positive | None = None
    e2e_s: Positive | None = None
    gap_s: Positive | None = None


class WorkloadClass(_Spec, frozen=True):
    """One kind of request in the mix.

    Attributes:
        name: In rows, a label.
        weight: Share of the arrivals, relative to the other classes.
        lengths: Of prompt and answer; ignored where a trace says them.
        priority: Sent with the request where the engine knows priorities; None is not sent.
    """

    name: Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.-]+\Z")] = "default"
    weight: Positive = 1.0
    lengths: Separate | Pairs = Separate(tokens_in=Fixed(tokens=512), tokens_out=Fixed(tokens=128))
    prefix: SharedPrefix | None = None
    conversations: Conversations | None = None
    patience: Patience | None = None
    retries: Retries | None = None
    aborts: PlannedAborts | None = None
    objectives: Objectives = Objectives()
    priority: int | None = None


class RateCurve(_Spec, frozen=True):
    """Arrivals a second over time.

    Attributes:
        points: (seconds after the start, rate), ascending, the first at 0; the last rate stays.
        shape: Whether the rate steps at a point or goes there in a line.
    """

    points: Annotated[tuple[tuple[NotNegative, Rate], ...], Meta(min_length=1, max_length=POINTS_MAX)]
    shape: CurveShape = CurveShape.STEP


class TraceFormat(StrEnum):
    """Formats of recorded traffic."""

    AZURE = "azure"
    MOONCAKE = "mooncake"
    SERVEGEN = "servegen"
    BURSTGPT = "burstgpt"
    VIDUR = "vidur"
    STORE = "store"


class TraceSpec(_Spec, frozen=True):
    """Recorded traffic to replay.

    Attributes:
        format: How the file is read.
        sha256: Of the file's bytes, hexadecimal; another file is refused.
        start_s: Begins at this time of the trace; `duration_s` and `count` of the plan end it.
        scale: Above 1 jittered copies are laid over the trace, below 1 each arrival is kept by a coin.
        compress: Factor that time is divided by; any but 1 changes every autocorrelation.
        tokens_max: Rows with more tokens in and out together are dropped and counted; None keeps all.
    """

    format: TraceFormat
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
    start_s: NotNegative = 0.0
    scale: Annotated[float, Meta(gt=0, le=SCALE_MAX)] = 1.0
    compress: Annotated[float, Meta(ge=1e-3, le=1e6)] = 1.0
    tokens_max: Tokens | None = None


class PlanSpec(_Spec, frozen=True):
    """All parameters of a plan.

    Attributes:
        seed: Of all random streams.
        process: Law of the gaps; ignored for a trace.
        shape: Shape of Gamma or Weibull gaps; None for the others. vLLM's `burstiness` is the shape of Gamma.
        rate: Arrivals a second; None for a trace.
        trace: What is replayed; None for synthetic arrivals.
        duration_s: Arrivals before this time; None if `count` ends the plan.
        count: Number of arrivals; None if `duration_s` ends the plan.
        classes: The mix.
        arms: Number of targets: 2 sends pairs of equal lengths, one to each.
        slots: Closed loop: so many users, each of whom sends the next request when the last one is answered, until
            `duration_s` or `count`, whichever comes first; None is open loop.
    """

    seed: Annotated[int, Meta(ge=0)]
    process: Process = Process.POISSON
    shape: Shape | None = None
    rate: RateCurve | None = None
    trace: TraceSpec | None = None
    duration_s: Positive | None = None
    count: Annotated[int, Meta(ge=1, le=ARRIVALS_MAX)] | None = None
    classes: Annotated[tuple[WorkloadClass, ...], Meta(min_length=1, max_length=CLASSES_MAX)] = (WorkloadClass(),)
    arms: Annotated[int, Meta(ge=1, le=2)] = 1
    slots: Annotated[int, Meta(ge=1, le=SLOTS_MAX)] | None = None

    def __post_init__(self) -> None:
        """Refuse what each field alone allows."""
        endless = self.rate is not None and (self.duration_s is None) == (self.count is None)
        shaped = self.process in {Process.GAMMA, Process.WEIBULL}
        names = [one.name for one in self.classes]
        sources = sum(one is not None for one in (self.rate, self.trace, self.slots))
        is_alone = self.arms == 1 and not any(one.conversations for one in self.classes)
        for wrong, message in (
            (sources != 1, "one of rate, trace and slots is needed, and only one"),
            (self.slots is not None and None in (self.duration_s, self.count), "slots need duration_s and count"),
            (self.slots is not None and not is_alone, "slots: a closed loop has one arm and no conversations"),
            (endless, "one of duration_s and count is needed, and only one"),
            ((self.duration_s or 0) > PLAN_S_MAX, f"duration_s: found {self.duration_s}, allowed {PLAN_S_MAX}"),
            (shaped != (self.shape is not None), f"shape: {self.process} gaps {'need' if shaped else 'have no'} shape"),
            (self.trace is not None and self.arms > 1, "arms: 2 need pairs of equal lengths, which a trace has not"),
            (len(set(names)) < len(names), f"classes: names must differ, found {', '.join(names)}"),
        ):
            if wrong:
                raise ValueError(message)


def encoded(spec: PlanSpec) -> bytes:
    """Return the spec as canonical JSON: equal specs give equal bytes."""
    return msgspec.json.encode(spec, order="deterministic")


def decoded(data: bytes) -> PlanSpec:
    """Read a spec.

    Raises:
        PlanError: It is not one; the message says where and why.
    """
    try:
        return msgspec.json.decode(data, type=PlanSpec)
    except (msgspec.DecodeError, RecursionError) as error:
        raise PlanError(f"not a plan: {error}") from error


def _ordered(low: int, high: int) -> None:
    if low > high:
        raise ValueError(f"a range from {low} to {high} is empty")
