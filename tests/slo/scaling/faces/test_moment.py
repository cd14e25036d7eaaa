"""The freshness contract, cell by cell, over every face (spec/scaling.md 3, acceptance A2)."""

from collections.abc import Callable
from dataclasses import replace

import msgspec
import pytest
from face_rig import FROZEN, HINTS, LIVES_S, NAME, NOW_S, Desk, desk, served
from scaling_rig import KNOWN, LATER, T0, Follower, observed

from slo.scaling.codes import Level
from slo.scaling.faces import external_metrics, external_scaler, keda, prometheus
from slo.scaling.faces.moment import Moment, Policy, moment
from slo.scaling.faces.selector import parsed
from slo.scaling.freshness import Standing, Transport
from slo.scaling.hint import Hint, SignalPart

Said = float | str | None


def said_to_keda(of: Desk, now_s: float) -> Said:
    now = moment(of, NAME, now_s)
    body = keda.body(now, Policy.DESIRED)
    return now.answer(Transport.KEDA).status if body is None else body.desired_replicas


def said_by_grpc(of: Desk, now_s: float) -> Said:
    ref = external_scaler.ObjectRef(metadata={"target": NAME})
    try:
        external_scaler.metric_values(of, now_s, ref, external_metrics.DESIRED)
        active = external_scaler.is_active(of, now_s, ref)
    except external_scaler.ScalerError as error:
        return str(error.code)
    assert active
    return moment(of, NAME, now_s).replicas(Transport.GRPC)


def said_by_external_metrics(of: Desk, now_s: float) -> Said:
    selector = parsed(f"target={NAME}")
    items = external_metrics.values(of, now_s, "prod", external_metrics.DESIRED, selector)["items"]
    return float(items[0]["value"]) if items else None


def said_to_prometheus(of: Desk, now_s: float) -> Said:
    found = prometheus.gauges([moment(of, NAME, now_s)], now_s)
    return next((one.points[0][1] for one in found if one.name.endswith("desired_replicas")), None)


FACES = (said_to_keda, said_by_grpc, said_by_external_metrics, said_to_prometheus)
# What each face says, in the order of FACES: a number, an error by its name, or nothing at all.
CELLS: dict[Standing, tuple[Said, Said, Said, Said]] = {
    Standing.FRESH: (6, 6, 6, 6),
    Standing.PARTIAL: (6, 6, 6, 6),
    Standing.STALE: ("503", "UNAVAILABLE", None, None),
    Standing.UNKNOWN: ("404", "NOT_FOUND", None, None),
    Standing.FROZEN: (4, 4, 4, 4),
    Standing.UNREACHABLE: ("503", "UNAVAILABLE", None, None),
}


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("standing", Standing)
def test_each_cell_of_the_contract(standing: Standing, face: Callable[[Desk, float], Said]) -> None:
    of, now_s = desk(standing)

    assert CELLS[standing][FACES.index(face)] == face(of, now_s)


@pytest.mark.parametrize("face", FACES)
def test_a_target_that_is_not_configured_has_no_number(face: Callable[[Desk, float], Said]) -> None:
    assert CELLS[Standing.UNKNOWN][FACES.index(face)] == face(Desk(), NOW_S)


@pytest.mark.parametrize("face", FACES)
def test_the_last_hint_stands_while_the_store_is_away_until_it_expires(face: Callable[[Desk, float], Said]) -> None:
    of, now_s = desk(Standing.UNREACHABLE)

    assert (6, CELLS[Standing.UNREACHABLE][FACES.index(face)]) == (face(of, now_s - 0.1), face(of, now_s))


@pytest.mark.parametrize("face", FACES)
def test_an_expired_hint_says_nothing_though_the_store_answers(face: Callable[[Desk, float], Said]) -> None:
    of, _ = desk(Standing.FRESH)

    assert CELLS[Standing.STALE][FACES.index(face)] == face(of, T0 + LIVES_S)


@pytest.mark.parametrize(
    "missing",
    [
        pytest.param({"age_s": None}, id="nothing arrived"),
        pytest.param({"age_s": 61.0}, id="what arrived is old"),
        pytest.param({"coverage": 0.4}, id="most replicas are silent"),
        pytest.param({"coverage": 0.6}, id="some replicas are silent"),
        pytest.param({"coverage": 0.8}, id="one of five is not ready"),
        pytest.param({"arrivals_rps": None}, id="arrivals are unknown"),
        pytest.param({"held": None}, id="what the gateway holds is unknown"),
        pytest.param({"each": {"kv_used_ratio": None}}, id="caches are unknown"),
        pytest.param({"each": {"waiting": None}}, id="queues are unknown"),
        pytest.param({"each": {"gpu_util_ratio": None}}, id="GPUs are unknown"),
        pytest.param({"each": {"age_s": 900.0}}, id="series of pods that are gone"),
        pytest.param({"ttft_p90_s": None, "tpot_p90_s": None}, id="latencies are unknown"),
    ],
)
@pytest.mark.parametrize("policy", Policy)
@pytest.mark.parametrize("frozen", [False, True])
def test_what_is_missing_never_gives_a_smaller_number(missing: dict[str, object], policy: Policy, frozen: bool) -> None:
    follower = Follower(known=FROZEN if frozen else KNOWN)
    follower.see(observed(T0 - 60, spec=8, arrivals_rps=1.0))
    hint = follower.see(observed(spec=8, **{"arrivals_rps": 1.0} | missing))  # type: ignore[arg-type]  # a table of fields
    now = Moment(standing=served(hint).standing(NOW_S), served=served(hint))

    told = [now.replicas(transport, policy) for transport in Transport]

    assert all(number is None or number >= 8 for number in told), (hint.action, told)


def raw_of(hint: Hint, standing: Standing = Standing.FRESH) -> float | None:
    return Moment(standing=standing, served=served(hint)).replicas(Transport.KEDA, Policy.RAW)


def calm(raw: float | None, level: Level = Level.HIGH, signals: dict[str, SignalPart] | None = None) -> Hint:
    hint = HINTS[Standing.FRESH]
    return msgspec.structs.replace(
        hint,
        replicas=msgspec.structs.replace(hint.replicas, raw=raw, desired=4),
        confidence=msgspec.structs.replace(hint.confidence, level=level),
        signals=hint.signals if signals is None else signals,
    )


def test_raw_is_the_want_before_rounding_within_bounds() -> None:
    assert raw_of(HINTS[Standing.FRESH]) == pytest.approx(5.48, abs=0.01)
    assert (12, 2, 3.3) == (raw_of(calm(40.0)), raw_of(calm(0.5)), raw_of(calm(3.3)))
    assert raw_of(calm(None)) == 4


def followed(**values: object) -> float | None:
    """Return the raw number of an idle fleet of six that is followed until one is to be taken away."""
    follower = Follower()
    follower.watch(T0, LATER, spec=6, arrivals_rps=1.0)
    hint = follower.see(observed(LATER, spec=6, **{"arrivals_rps": 1.0} | values))  # type: ignore[arg-type]  # a table
    return raw_of(hint)


def test_raw_of_an_idle_fleet_is_below_what_there_is_though_its_queue_is_known() -> None:
    found = followed()

    assert found is not None
    assert 2 <= found < 5


@pytest.mark.parametrize("name", ["waiting", "kv_used_ratio", "gpu_util_ratio"])
def test_raw_does_not_fall_with_a_hole_in_four_of_six(name: str) -> None:
    seen = observed(LATER, spec=6, arrivals_rps=1.0)
    holes = tuple(replace(one, **{name: None}) if at < 4 else one for at, one in enumerate(seen.replicas))  # type: ignore[arg-type]  # a field of it

    assert 6 == followed(replicas=holes)


def test_raw_alone_empties_no_target() -> None:
    hint = calm(0.0)

    assert 1 == raw_of(msgspec.structs.replace(hint, replicas=msgspec.structs.replace(hint.replicas, min=0)))


def test_raw_falls_only_if_everything_was_seen() -> None:
    unknown = {"gpu_util": SignalPart(value=None, age_s=4.0, coverage=1.0)}
    partly = {"gpu_util": SignalPart(value=0.5, age_s=4.0, coverage=0.95)}
    doubted = calm(3.3, level=Level.LOW)

    assert (4, 4, 4) == (raw_of(calm(3.3, signals=unknown)), raw_of(calm(3.3, signals=partly)), raw_of(doubted))
    assert (4, 5.5) == (raw_of(calm(3.3), Standing.PARTIAL), raw_of(calm(5.5), Standing.PARTIAL))
