"""What cold starts took, by phase, and whether they became slower (spec/scaling.md 6.9)."""

from hypothesis import given
from hypothesis import strategies as st

from slo.scaling.cold_start import (
    COMPARED_MIN,
    PARTS,
    PHASE_S_MAX,
    SPAN_S,
    ColdStarts,
    Phase,
    Slower,
    Told,
    cold_starts,
    slower,
    starts,
)
from slo.scaling.lead import Lead

DAY_S = 86_400


def ready(at_s: float, took_s: float, replica: str = "r0", **phases: float) -> Told:
    more = {Phase(name): phase_s for name, phase_s in phases.items()}
    return Told(at_s=at_s, replica=replica, took_s={Phase.READY: took_s, **more})


def part(at_s: float, replica: str = "r0", **phases: float) -> Told:
    return Told(at_s=at_s, replica=replica, took_s={Phase(name): phase_s for name, phase_s in phases.items()})


def test_words_on_a_replica_make_one_start() -> None:
    (one,) = starts([
        part(100, schedule=12, image=200),
        ready(600, 560),
        part(610, weights=90, init=30),
        part(700, stable=95),
        part(650, weights=91),
    ])  # fmt: skip

    assert 600 == one.at_s
    assert one.took_s == {
        Phase.SCHEDULE: 12, Phase.IMAGE: 200, Phase.WEIGHTS: 91, Phase.INIT: 30, Phase.READY: 560, Phase.STABLE: 95,
    }  # fmt: skip


def test_the_life_of_the_process_holds_the_weights_unless_both_are_told() -> None:
    def init(*told: Told) -> float:
        (one,) = starts([ready(600, 560, init=130), *told])
        return one.took_s[Phase.INIT]

    assert [130, 40, 0, 25] == [
        init(),
        init(part(590, weights=90)),
        init(part(590, weights=140)),
        init(part(590, weights=90, init=25)),
    ]


def test_what_is_told_is_of_the_nearest_start_of_that_replica() -> None:
    found = starts([
        ready(10_000, 300),
        ready(20_000, 310),
        ready(20_000, 320, "r1"),
        part(19_000, schedule=7),
        part(10_000 + SPAN_S / 2, image=8),
        part(20_000 + SPAN_S + 1, weights=9),
        part(20_000, "never", init=1),
    ])  # fmt: skip

    assert [None, 7, None] == [one.took_s.get(Phase.SCHEDULE) for one in found]
    assert [None, 8, None] == [one.took_s.get(Phase.IMAGE) for one in found], "17,200 is nearer to 20,000"
    assert not any(Phase.WEIGHTS in one.took_s or Phase.INIT in one.took_s for one in found)


def test_starts_of_nobody_knows_which_are_apart_and_have_no_parts() -> None:
    found = starts([ready(100, 50, ""), ready(100, 60, ""), part(100, "", schedule=1)])

    assert [{Phase.READY: 50}, {Phase.READY: 60}] == [one.took_s for one in found]


def test_the_last_20_give_the_figures_of_each_phase() -> None:
    told = [
        ready(at * 100, 999 if at < 5 else at, f"r{at}", **({"init": 2 * at} if at > 20 else {})) for at in range(25)
    ]
    told += [Told(at_s=5_000, replica="", took_s={}, failed=True)]

    assert cold_starts(told) == ColdStarts(
        lead=Lead(p50_s=14, p90_s=22, n=20),
        phases={Phase.INIT: Lead(p50_s=44, p90_s=48, n=4), Phase.READY: Lead(p50_s=14, p90_s=22, n=20)},
        failed=1,
        slower=None,
    )
    assert cold_starts(told[-1:]) is None, "one that failed is no start"
    assert cold_starts([]) is None


def grown(before_s: float, now_s: float, each: int = COMPARED_MIN, **phases: tuple[float, float]) -> Slower | None:
    halves = [
        ready(half * DAY_S + at, whole_s, f"{half}-{at}", **{name: of[half] for name, of in phases.items()})
        for half, whole_s in enumerate((before_s, now_s))
        for at in range(each)
    ]
    return slower(starts(halves))


def test_starts_that_became_slower_name_the_phase_that_grew_most() -> None:
    found = grown(200, 261, image=(100, 150), weights=(50, 61), schedule=(30, 20))

    assert found is not None
    assert found == Slower(phase=Phase.IMAGE, p90_s=261, before_p90_s=200, n=5, before_n=5)
    assert found.text == ("the P90 of the last 5 cold starts is 261 s, that of the 5 before was 200 s; image grew most")
    untold = grown(200, 261)
    assert untold is not None
    assert (Phase.READY, "no phase of them is told") == (untold.phase, untold.text[-24:])


def test_it_takes_more_than_three_tenths_and_five_on_either_side() -> None:
    assert grown(200, 260) is None
    assert grown(200, 2_000, each=COMPARED_MIN - 1) is None
    assert grown(0, 0) is None


def test_a_young_target_is_compared_by_halves_and_an_old_one_by_its_last_20() -> None:
    old = [ready(at, 500 if at >= 100 - 20 else 100, f"r{at}") for at in range(100)]
    found = slower(starts(old))

    assert found is not None
    assert (20, 80) == (found.n, found.before_n)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 100_000), st.sampled_from(list(Phase))), max_size=30))
def test_each_word_on_a_whole_start_is_one_start(words: list[tuple[int, int, Phase]]) -> None:
    told = [Told(at_s=at_s, replica=f"r{name}", took_s={phase: 1.0}) for name, at_s, phase in words]

    assert sum(phase is Phase.READY for _, _, phase in words) == len(starts(told))


def test_what_others_tell_fits_into_a_column() -> None:
    assert PHASE_S_MAX * 1e6 < 2**32
    assert not {Phase.READY, Phase.STABLE} & set(PARTS)
