import pytest

from loadtest.watch import LOOKS_MAX, Watch

S = 1_000_000_000


def looked(cpu_s: list[float], *, steps_ms: dict[int, float] | None = None) -> Watch:
    """A look a second, with so much CPU used up to each."""
    wall_ns = 1_764_000_000 * S
    times = iter(
        (i * S, wall_ns + i * S + round(sum(v for k, v in (steps_ms or {}).items() if k <= i) * 1e6))
        for i in range(len(cpu_s))
    )
    used = iter((one, 1000 * i) for i, one in enumerate(cpu_s))
    reads = iter(range(0, 100 * len(cpu_s), 100))
    watch = Watch(lambda: next(reads), lambda: next(times), lambda: next(used))
    for _ in cpu_s[1:]:
        watch.look()
    return watch


def test_the_mean_runs_over_five_seconds() -> None:
    watch = looked([0, 0.2, 0.4, 0.6, 0.8, 1.0])

    assert (6, 0.2, 100.0) == (LOOKS_MAX, watch.cpu_ratio, watch.reads_per_s)
    assert 5000 == watch.rss_bytes


def test_the_largest_mean_stays() -> None:
    watch = looked([0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 5, 5, 5, 5, 5, 5])

    assert 1.0 == watch.cpu_ratio


def test_a_short_run_has_no_mean() -> None:
    watch = looked([0, 1, 2, 3, 4])

    assert (None, None) == (watch.cpu_ratio, watch.reads_per_s)


@pytest.mark.parametrize("step_ms", [7.0, -7.0])
def test_a_step_of_the_wall_clock_is_seen(step_ms: float) -> None:
    assert 7.0 == looked([0, 0, 0, 0], steps_ms={2: step_ms}).clock_step_ms


def test_this_process_can_be_looked_at() -> None:
    watch = Watch(lambda: 0)
    watch.look()

    assert watch.rss_bytes > 1 << 20
    assert watch.clock_step_ms < 1000
