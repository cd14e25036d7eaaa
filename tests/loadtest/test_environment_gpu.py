"""What GPU samples say of the surroundings (spec/loadtest.md 11)."""

from typing import Any

import pytest

from loadtest.environment import Finding, State, When
from loadtest.environment_gpu import GONE_S, PIDS_SHOWN_MAX, THROTTLED_RATIO_MAX, Look, Watch, before, during
from telemetry.samples import GpuRow


def look(pids: frozenset[int] | None = frozenset({7}), **changes: Any) -> Look:  # noqa: ANN401 -- fields of a row
    usual: dict[str, Any] = {
        "ts": 1,
        "node": "n",
        "gpu_uuid": "GPU-0",
        "mig_uuid": "",
        "gpu_name": "H100",
        "endpoint": "",
        "replica": "",
        "gpu_index": 0,
        "throttle_bits": 0,
        "power_limit_w": 700.0,
        "sm_mhz": 1980,
        "ecc_dbe": 0,
        "remap_pending": 0,
    }
    return Look(row=GpuRow(**usual | changes), pids=pids)


def gap(**changes: Any) -> Look:  # noqa: ANN401 -- fields of a row
    """Return what stands for a sample that did not come."""
    unread = dict.fromkeys(("throttle_bits", "power_limit_w", "sm_mhz", "ecc_dbe", "remap_pending"))
    return look(None, **unread | {"missing": ("power_w: hung",)} | changes)


def watched(*looks: Look) -> Watch:
    watch = Watch()
    for one in looks:
        watch.took(one)
    return watch


def of(name: str, told: list[Finding]) -> Finding:
    (found,) = [one for one in told if one.name == name]
    return found


ENGINE = frozenset({7, 8})


def test_a_quiet_gpu_is_ok_before_and_during_a_run() -> None:
    quiet = watched(look())
    told = [*before(quiet, ENGINE), *during(watched(look(), look()), quiet)]

    assert {State.OK} == {one.state for one in told}
    assert "H100 700 W, 1980 MHz" == of("clocks", told).found


@pytest.mark.parametrize(
    ("bits", "state"),
    [
        *((bit, State.UNFIT) for bit in (0x8, 0x20, 0x40, 0x80)),
        (0x4, State.OK),
        (0x1, State.OK),
        (None, State.UNKNOWN),
    ],
)
def test_a_gpu_that_is_throttled_before_a_run_is_unfit(bits: int | None, state: State) -> None:
    assert state is of("throttle", before(watched(look(throttle_bits=bits)), ENGINE)).state


@pytest.mark.parametrize(("n", "state"), [(99, State.UNFIT), (100, State.OK)])
def test_during_a_run_one_of_a_hundred_samples_may_be_throttled(n: int, state: State) -> None:
    hot = look(throttle_bits=0x40)
    told = during(watched(hot, *[look()] * (n - 1), look(gpu_uuid="GPU-1")), watched(look(), look(gpu_uuid="GPU-1")))

    assert (state, f"1 of {n} samples of GPU-0") == (of("throttle", told).state, of("throttle", told).found)
    assert 0.01 == THROTTLED_RATIO_MAX


@pytest.mark.parametrize(("bits", "state"), [(4, State.NOTE), (0, State.OK), (None, State.UNKNOWN)])
def test_the_power_limit_is_a_note(bits: int | None, state: State) -> None:
    assert state is of("power_cap", during(watched(look(throttle_bits=bits)), watched(look()))).state


@pytest.mark.parametrize(
    ("pids", "engine", "state"),
    [
        pytest.param(frozenset({7}), ENGINE, State.OK, id="the engine"),
        pytest.param(frozenset({7, 9}), ENGINE, State.UNFIT, id="another beside it"),
        pytest.param(frozenset({9}), ENGINE, State.UNKNOWN, id="numbers of another namespace"),
        pytest.param(frozenset({7}), None, State.UNKNOWN, id="the engine is not known"),
        pytest.param(frozenset[int](), None, State.OK, id="nobody"),
        pytest.param(None, ENGINE, State.UNKNOWN, id="not told"),
    ],
)
def test_who_computes_before_a_run(pids: frozenset[int] | None, engine: frozenset[int] | None, state: State) -> None:
    assert state is of("gpu_processes", before(watched(look(pids)), engine)).state


@pytest.mark.parametrize(
    ("was", "now", "state", "found"),
    [
        pytest.param({7}, {7}, State.OK, "nobody came", id="as before"),
        pytest.param({7, 9}, {7}, State.OK, "nobody came", id="one left"),
        pytest.param({7}, {7, 9}, State.UNFIT, "process 9 came", id="one came"),
        pytest.param({7}, set(range(7, 17)), State.UNFIT, "and 1 more came", id="many came"),
        pytest.param(None, {7}, State.UNKNOWN, "does not say", id="not told before"),
        pytest.param({7}, None, State.UNKNOWN, "does not say", id="not told now"),
    ],
)
def test_who_comes_during_a_run(was: set[int] | None, now: set[int] | None, state: State, found: str) -> None:
    one, other = (watched(look(None if pids is None else frozenset(pids))) for pids in (was, now))
    told = of("gpu_processes", during(other, one))

    assert (state, True) == (told.state, found in told.found)
    assert PIDS_SHOWN_MAX == 8


def test_another_layout_of_slices_is_unfit() -> None:
    told = of("slices", during(watched(look(), look(mig_uuid="MIG-1")), watched(look())))

    assert (State.UNFIT, "came or went: MIG-1") == (told.state, told.found)


@pytest.mark.parametrize(
    ("silent_s", "state", "found"),
    [
        pytest.param(GONE_S, State.OK, "as at the start", id="late"),
        pytest.param(GONE_S + 1, State.UNFIT, "came or went: MIG-1", id="gone"),
    ],
)
def test_a_slice_that_goes_while_a_run_goes_on_is_unfit(silent_s: float, state: State, found: str) -> None:
    end_ms = 60_000
    slices = [look(ts=end_ms, mig_uuid="MIG-0"), look(ts=end_ms - round(1000 * silent_s), mig_uuid="MIG-1")]
    told = of("slices", during(watched(*slices, gap(ts=end_ms, mig_uuid="MIG-1")), watched(*slices)))

    assert (state, found) == (told.state, told.found)
    assert GONE_S == 10.0


def test_a_record_of_a_gap_is_no_sample() -> None:
    (told,) = during(watched(gap(), gap()), watched(look()))

    assert ("gpu", State.UNKNOWN) == (told.name, told.state)


def test_errors_that_the_driver_does_not_tell_are_unknown() -> None:
    bare = watched(look(ecc_dbe=None, remap_pending=None))

    for told in (of("gpu_errors", before(bare, ENGINE)), of("gpu_errors", during(bare, bare))):
        assert (State.UNKNOWN, "the driver does not say") == (told.state, told.found)


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"xid": 79}, "xid 79 of GPU-0"),
        ({"ecc_dbe": 1}, "ecc_dbe 1 of GPU-0"),
        ({"remap_pending": 1}, "remap_pending 1 of GPU-0"),
        ({"remap_failure": 1}, "remap_failure 1 of GPU-0"),
    ],
)
def test_an_error_is_unfit_before_and_during_a_run(changes: dict[str, Any], found: str) -> None:
    bad, good = watched(look(**changes)), watched(look())

    for told in (of("gpu_errors", before(bad, ENGINE)), of("gpu_errors", during(bad, good))):
        assert (State.UNFIT, found) == (told.state, told.found)


def test_an_error_that_stood_before_is_told_once_and_an_event_each_time() -> None:
    old = watched(look(ecc_dbe=1))

    assert State.OK is of("gpu_errors", during(watched(look(ecc_dbe=1)), old)).state
    assert State.UNFIT is of("gpu_errors", during(watched(look(ecc_dbe=2)), old)).state
    event = watched(look(xid=79))
    assert State.UNFIT is of("gpu_errors", during(event, event)).state


def test_no_sample_is_no_ok() -> None:
    (told,) = during(Watch(), watched(look()))

    assert (State.UNKNOWN, When.DURING) == (told.state, told.when)


def test_clocks_that_are_not_told() -> None:
    bare = watched(look(power_limit_w=None))

    assert State.UNKNOWN is bare.clocks(When.DURING).state
    assert "H100 700 W, ? MHz" == watched(look(sm_mhz=None)).clocks(When.DURING).found
