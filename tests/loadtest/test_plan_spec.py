"""The parameters of a plan: what is taken, what is refused with a word about where, and that JSON keeps all of it."""

import pytest

from loadtest.errors import PlanError
from loadtest.plan_spec import (
    ARRIVALS_MAX,
    CLASSES_MAX,
    PLAN_S_MAX,
    POINTS_MAX,
    SCALE_MAX,
    SLOTS_MAX,
    TOKENS_MAX,
    TURNS_MAX,
    Conversations,
    Fixed,
    Histogram,
    Lognormal,
    Objectives,
    Pairs,
    Patience,
    PlannedAborts,
    PlanSpec,
    Process,
    RateCurve,
    Retries,
    Separate,
    SharedPrefix,
    TraceFormat,
    TraceSpec,
    Uniform,
    WorkloadClass,
    decoded,
    encoded,
)

RATE = RateCurve(points=((0.0, 40.0),))
FULL = PlanSpec(
    seed=7,
    process=Process.GAMMA,
    shape=0.25,
    rate=RateCurve(points=((0, 10), (10, 50))),
    duration_s=20,
    arms=2,
    classes=(
        WorkloadClass(
            name="interactive",
            weight=2,
            lengths=Separate(tokens_in=Lognormal(median=800, sigma=0.9), tokens_out=Uniform(low=1, high=9)),
            prefix=SharedPrefix(groups=4, tokens=100, zipf=0),
            conversations=Conversations(turns=(2, 5), think_s=3.0),
            patience=Patience(median_s=2, sigma=0.5, gap_s=5),
            retries=Retries(after_abandon=True),
            aborts=PlannedAborts(ratio=0.1, after_tokens=5),
            objectives=Objectives(ttft_s=0.5),
            priority=-1,
        ),
        WorkloadClass(name="batch", lengths=Pairs(pairs=((1000, 10), (10, 1000)))),
        WorkloadClass(
            name="x",
            lengths=Separate(tokens_in=Histogram(tokens=(1, 2), weights=(0, 1)), tokens_out=Fixed(tokens=TOKENS_MAX)),
        ),
    ),
)


def json(rest: str) -> bytes:
    return ('{"seed": 1, "rate": {"points": [[0, 1]]}, "duration_s": 1' + rest + "}").encode()


@pytest.mark.parametrize(
    "spec",
    [
        PlanSpec(seed=0, rate=RATE, count=ARRIVALS_MAX),
        FULL,
        PlanSpec(seed=1, trace=TraceSpec(format=TraceFormat.AZURE, sha256="0" * 64)),
    ],
)
def test_json_keeps_every_value(spec: PlanSpec) -> None:
    assert spec == decoded(encoded(spec))


def test_the_least_that_is_needed() -> None:
    assert PlanSpec(seed=1, rate=RateCurve(points=((0, 1),)), duration_s=1) == decoded(json(""))


def mix(one: str) -> str:
    return f', "classes": [{{{one}}}]'


def tokens_in(length: str) -> str:
    return f'"lengths": {{"kind": "separate", "tokens_in": {{"kind": {length}}}, "tokens_out": {{"kind": "fixed"}}}}'


def turns(most: int) -> str:
    return f', "classes": [{{"conversations": {{"turns": [1, {most}], "think_s": 0}}}}]'


def closed(more: str = "", slots: int = 2) -> bytes:
    return f'{{"seed": 1, "slots": {slots}, "duration_s": 9, "count": 9{more}}}'.encode()


REFUSED = [
    pytest.param(json(', "sed": 1'), "sed", id="an unknown key"),
    pytest.param(json(', "arms": 3'), "arms", id="three targets"),
    pytest.param(json(', "count": 5'), "one of duration_s and count", id="two ends"),
    pytest.param(json(', "process": "gamma"'), "shape", id="gamma without its shape"),
    pytest.param(json(', "shape": 2'), "shape", id="a shape for nothing"),
    pytest.param(json(', "classes": [{"name": "a"}, {"name": "a"}]'), "differ", id="a name twice"),
    pytest.param(json(', "classes": [{"name": "a b"}]'), "name", id="a name that is no label"),
    pytest.param(json(', "classes": []'), "classes", id="no class"),
    pytest.param(json(', "trace": {"format": "azure", "sha256": "' + "0" * 64 + '"}'), "one of rate", id="two sources"),
    pytest.param(
        b'{"seed": 1, "arms": 2, "trace": {"format": "azure", "sha256": "' + b"0" * 64 + b'"}}', "arms", id="no pairs"
    ),
    pytest.param(b'{"seed": 1, "rate": {"points": [[0, 1]]}}', "one of duration_s", id="no end"),
    pytest.param(b'{"seed": 1, "rate": {"points": [[0, -1]]}, "count": 1}', "points", id="a negative rate"),
    pytest.param(b'{"seed": "1", "rate": {"points": [[0, 1]]}, "count": 1}', "seed", id="a number as text"),
    pytest.param(b'{"seed": 1, "trace": {"format": "azure", "sha256": "x"}}', "sha256", id="no digest"),
    pytest.param(json(mix('"conversations": {"turns": [3, 2], "think_s": 0}')), "empty", id="no number of turns"),
    pytest.param(json(mix(tokens_in('"uniform", "low": 3, "high": 2'))), "empty", id="no length"),
    pytest.param(
        json(mix(tokens_in('"lognormal", "median": 3, "sigma": 1, "low": 9, "high": 2'))), "empty", id="no tail"
    ),
    pytest.param(json(mix(tokens_in('"histogram", "tokens": [3], "weights": [1, 2]'))), "weight", id="a weight alone"),
    pytest.param(json(mix(tokens_in('"histogram", "tokens": [3], "weights": [0]'))), "weight", id="no weight"),
    pytest.param(json(', "slots": 2'), "one of rate, trace and slots", id="open and closed"),
    pytest.param(b'{"seed": 1, "slots": 2, "count": 9}', "duration_s and count", id="a closed loop without end"),
    pytest.param(closed(', "arms": 2'), "one arm", id="a closed loop of two targets"),
    pytest.param(closed(turns(2)), "no conversations", id="a closed loop of conversations"),
    pytest.param(b"{", "not a plan", id="cut short"),
    pytest.param(b"[" * 100_000, "not a plan", id="deep brackets"),
    pytest.param(b"\xff", "not a plan", id="no UTF-8"),
]


@pytest.mark.parametrize(("data", "word"), REFUSED)
def test_what_is_refused_says_where(data: bytes, word: str) -> None:
    with pytest.raises(PlanError, match=word):
        decoded(data)


def named(k: int) -> WorkloadClass:
    return WorkloadClass(name=f"c{k}")


def lasting(seconds: float) -> bytes:
    return f'{{"seed": 1, "rate": {{"points": [[0, 1]]}}, "duration_s": {seconds}}}'.encode()


def scaled(scale: float) -> bytes:
    return f'{{"seed": 1, "trace": {{"format": "azure", "sha256": "{"0" * 64}", "scale": {scale}}}}}'.encode()


def lengths(tokens: int) -> bytes:
    fixed = f'{{"kind": "fixed", "tokens": {tokens}}}'
    return json(f', "classes": [{{"lengths": {{"kind": "separate", "tokens_in": {fixed}, "tokens_out": {fixed}}}}}]')


@pytest.mark.parametrize(
    ("at_the_bound", "past_it"),
    [
        pytest.param(lengths(TOKENS_MAX), lengths(TOKENS_MAX + 1), id="tokens"),
        pytest.param(
            encoded(PlanSpec(seed=1, rate=RATE, count=ARRIVALS_MAX)),
            encoded(PlanSpec(seed=1, rate=RATE, count=ARRIVALS_MAX + 1)),
            id="arrivals",
        ),
        pytest.param(
            encoded(PlanSpec(seed=1, rate=RateCurve(points=((0, 1),) * POINTS_MAX), count=1)),
            encoded(PlanSpec(seed=1, rate=RateCurve(points=((0, 1),) * (POINTS_MAX + 1)), count=1)),
            id="points",
        ),
        pytest.param(
            encoded(PlanSpec(seed=1, rate=RATE, count=1, classes=tuple(map(named, range(CLASSES_MAX))))),
            encoded(PlanSpec(seed=1, rate=RATE, count=1, classes=tuple(map(named, range(CLASSES_MAX + 1))))),
            id="classes",
        ),
        pytest.param(lasting(PLAN_S_MAX), lasting(PLAN_S_MAX + 1), id="seconds"),
        pytest.param(scaled(SCALE_MAX), scaled(SCALE_MAX + 1), id="copies"),
        pytest.param(closed(slots=SLOTS_MAX), closed(slots=SLOTS_MAX + 1), id="slots"),
        pytest.param(json(turns(TURNS_MAX)), json(turns(TURNS_MAX + 1)), id="turns"),
    ],
)
def test_bounds(at_the_bound: bytes, past_it: bytes) -> None:
    decoded(at_the_bound)

    with pytest.raises(PlanError):
        decoded(past_it)
