import sys
from collections.abc import Iterator
from threading import Thread

import pytest
from finished import BROKEN, LEFT, UNIX_MS, counted, finished, never
from hypothesis import given
from hypothesis import strategies as st

from collector.labels import OTHER
from collector.series import (
    CELLS_MAX,
    EXEMPLAR_MS_MAX,
    MEASURES,
    STALE_MS_MAX,
    TRIES_MAX,
    Key,
    Series,
    merged,
    since,
)
from telemetry.clock import sleep
from telemetry.histogram import build, merge
from telemetry.record import RequestRecord

OK_KEY = Key("chat", "m", "openai_chat", "ok", "done", "good")
LEFT_KEY = Key("chat", "m", "openai_chat", "client_cancelled", "queued", "censored")


def test_each_way_to_end_has_its_own_count() -> None:
    read = counted(finished(), finished(), finished(LEFT), finished(BROKEN)).read(never)

    assert {key.outcome: (it.n, it.in_stream) for key, it in read.items()} == {
        "ok": (2, 0),
        "client_cancelled": (1, 0),
        "stream_error": (1, 1),
    }
    assert (read[OK_KEY].spreads["tokens_out"].total, read[LEFT_KEY].spreads["tokens_out"].n) == (202, 0)


def test_what_is_unknown_is_in_no_histogram_and_an_unfinished_request_has_its_elapsed_time() -> None:
    read = counted(finished(LEFT)).read(never)[LEFT_KEY]

    assert {name: spread.n for name, spread in read.spreads.items() if spread.n} == {"e2e": 1, "tokens_in": 1}
    assert read.spreads["e2e"].total == 700_000


def test_parts_of_the_tokens_are_summed() -> None:
    parts = {"tokens_cache_read": 30, "tokens_cache_write": 4, "tokens_reasoning": 5}
    read = counted(finished(**parts), finished(**parts), finished()).read(never)[OK_KEY]

    assert (read.tokens_cache_read, read.tokens_cache_write, read.tokens_reasoning) == (60, 8, 10)


@given(st.lists(st.integers(0, 2**32)), st.lists(st.integers(0, 2**32)))
def test_histograms_of_two_cells_add_up_to_that_of_all(first: list[int], second: list[int]) -> None:
    records = [finished(e2e_us=us) for us in first] + [finished(e2e_us=us, api="http") for us in second]
    both = merged(counted(*records).read(never), "e2e")

    assert build([*first, *second]) == MEASURES["e2e"].exponential(both.cells)
    assert sum(first) + sum(second) == both.total


def test_inter_token_latencies_are_merged() -> None:
    hs = [{-97: 60, -96: 40}, {-96: 1, 3: 2}]
    read = counted(*[finished(itl_h=h) for h in hs]).read(never)[OK_KEY]

    assert merge(*hs) == read.itl_h


def test_a_reading_does_not_change_when_more_is_counted() -> None:
    series = counted(finished())
    read = series.read(never)
    series.add(finished())

    assert (read[OK_KEY].n, read[OK_KEY].spreads["ttft"].n) == (1, 1)
    assert series.read(never)[OK_KEY].n == 2


def worst_of(*records: RequestRecord) -> int:
    (bucket,) = counted(*records).read(never)[OK_KEY].spreads["ttft"].worst.values()
    return bucket.record_id.int


def test_the_exemplar_of_a_bucket_is_its_worst_request_for_a_while() -> None:
    slow, fast = finished(ttft_us=900_000), finished(ttft_us=810_000)
    soon = finished(ttft_us=820_000, ended_at=UNIX_MS + EXEMPLAR_MS_MAX)
    late = finished(ttft_us=830_000, ended_at=UNIX_MS + EXEMPLAR_MS_MAX + 1)

    assert worst_of(fast, slow) == worst_of(slow, fast) == slow.record_id.int
    assert worst_of(slow, soon) == slow.record_id.int
    assert worst_of(slow, soon, late) == late.record_id.int


def test_the_worst_of_two_cells_is_the_worst_of_both() -> None:
    fast, slow = finished(ttft_us=810_000), finished(ttft_us=900_000, api="http")
    (worst,) = merged(counted(fast, slow).read(never), "ttft").worst.values()

    assert (worst.record_id, worst.value) == (slow.record_id, 900_000)


def test_beyond_the_bound_on_cells_a_new_one_is_counted_as_other() -> None:
    series = counted(*[finished(model=str(at)) for at in range(CELLS_MAX)])
    assert (len(series.read(never)), series.folded) == (CELLS_MAX, 0)

    for at in range(5):
        series.add(finished(model=f"new {at}"))
    series.add(finished(model="7"))

    read = series.read(never)
    assert (len(read), series.folded) == (CELLS_MAX + 1, 5)
    assert read[OK_KEY._replace(model=OTHER)].n == 5
    assert read[OK_KEY._replace(model="7")].n == 2


def test_a_cell_without_a_request_for_too_long_is_dropped_and_begins_anew() -> None:
    series = counted(finished(), finished(), finished(LEFT, ended_at=UNIX_MS + 1))

    series.prune(UNIX_MS + STALE_MS_MAX)
    assert len(series.read(never)) == 2
    series.prune(UNIX_MS + STALE_MS_MAX + 1)
    assert list(series.read(never)) == [LEFT_KEY]
    series.add(finished())
    assert series.read(never)[OK_KEY].n == 1


def test_a_difference_of_two_readings_is_what_came_between() -> None:
    series = counted(finished(), finished(LEFT))
    before = series.read(never)
    series.add(finished(ttft_us=1, tokens_in=9, tokens_cache_read=3, itl_h={5: 1}))
    between = since(series.read(never), before)

    assert list(between) == [OK_KEY]
    assert (between[OK_KEY].n, between[OK_KEY].tokens_cache_read, between[OK_KEY].itl_h) == (1, 3, {5: 1})
    assert (between[OK_KEY].spreads["ttft"].n, between[OK_KEY].spreads["ttft"].total) == (1, 1)
    assert between[OK_KEY].spreads["tokens_in"].total == 9


def test_a_cell_that_began_anew_is_new_as_a_whole() -> None:
    before = counted(finished(), finished()).read(never)
    anew = counted(finished(ended_at=UNIX_MS + 5)).read(never)

    assert since(anew, before)[OK_KEY].n == 1


class Looks(dict[int, int]):
    """Reads the series while a cell changes, as another thread may."""

    def __init__(self, series: Series) -> None:
        self.series = series
        self.pauses = 0
        self.read: dict[Key, object] | None = None

    def items(self) -> list[tuple[int, int]]:  # type: ignore[override]  # all that the writer needs
        self.read = dict(self.series.read(self._pause))
        return []

    def _pause(self) -> None:
        self.pauses += 1


def test_a_cell_that_never_stands_still_is_left_out_after_so_many_tries() -> None:
    series = counted(finished(LEFT))
    looks = Looks(series)
    series.add(finished(itl_h=looks))

    assert looks.pauses == TRIES_MAX
    assert looks.read is not None
    assert list(looks.read) == [LEFT_KEY]
    assert len(series.read(never)) == 2


@pytest.fixture
def many_switches() -> Iterator[None]:
    """Let threads take turns as often as can be."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(2e-5)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures("many_switches")
def test_no_reader_sees_half_a_request() -> None:
    series, records = Series(), [finished() for _ in range(10_000)] * 5

    def write() -> None:
        for record in records:
            series.add(record)

    writer = Thread(target=write)
    writer.start()
    seen: list[tuple[int, ...]] = []
    while writer.is_alive():
        for it in series.read(lambda: sleep(0.0005)).values():
            ttft, tokens = it.spreads["ttft"], it.spreads["tokens_out"]
            itl_n = sum(it.itl_h.values())
            seen.append((it.n, ttft.n, ttft.total, tokens.n, tokens.total, itl_n))
    writer.join()

    assert len({n for n, *_ in seen}) > 3
    assert [line for line in seen if line != tuple(line[0] * size for size in (1, 1, 500_000, 1, 101, 100))] == []
