"""Few rows are answered exactly, many from a roll-up, and both say the same; on a real store."""

from collections.abc import Iterator
from random import Random
from uuid import UUID

import pytest

from inferometer.reading import Source
from inferometer.report import Window, exact_rows, groups
from inferometer.window_rows import answer, choose, source_text
from telemetry import queries
from telemetry.clock import wall_ms
from telemetry.outcome import Eligibility, Outcome, Phase
from telemetry.queries import Source as Table
from telemetry.record import RequestBatch, RequestRecord
from telemetry.testing.store_process import StoreProcess

DAY_MS, HOUR_MS = 86_400_000, 3_600_000
NOW_MS = wall_ms()
OLD_MS = (NOW_MS // HOUR_MS - 20 * 24) * HOUR_MS
"""A whole hour, three weeks ago: raw rows are gone by then, roll-ups are not."""


def record(at: int, ended_at: int, random: Random) -> RequestRecord:
    good = at % 50 != 0
    return RequestRecord(
        ended_at=ended_at,
        elapsed_us=900_000,
        endpoint="chat",
        model="m",
        record_id=UUID(int=at + 1),
        outcome=Outcome.OK if good else Outcome.OOM,
        phase=Phase.DONE,
        eligible=Eligibility.GOOD if good else Eligibility.BAD,
        e2e_us=900_000 if good else None,
        ttft_us=random.randrange(50_000, 800_000) if good else None,
        tokens_out=10,
    )


@pytest.fixture(scope="module")
def where(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Source]:
    random = Random(1)  # noqa: S311 -- seeded
    recent = [record(at, NOW_MS - 10_000 + at, random) for at in range(1_000)]
    old = [record(at, OLD_MS + at, random) for at in range(1_000, 2_000)]
    with StoreProcess(tmp_path_factory.mktemp("window") / "data") as process:
        writer, reader = process.store("writer"), process.store("reader")
        for name, records in (("recent", recent), ("old", old)):
            batch = RequestBatch(collector=name, seqs=tuple(range(1, 1_001)), records=tuple(records))
            writer.insert_requests(batch, name)
        yield Source(store=reader, url=process.url, observing_since_ms=None, metrics_url=None, tee_port=None)
        writer.close()
        reader.close()


@pytest.mark.parametrize("live", [False, True])
def test_few_rows_are_answered_exactly(where: Source, live: bool) -> None:
    window = Window(since_ms=NOW_MS - 60_000, until_ms=NOW_MS)
    told = answer(where, window, NOW_MS, live=live)
    found = groups(told.rows, told.window)

    assert window == told.window
    assert "exact" == source_text(told.window, found)
    assert [1_000, 1_000] == [group.n for group in found]


def test_what_raw_rows_no_longer_hold_comes_from_a_roll_up(where: Source) -> None:
    told = answer(where, Window(since_ms=OLD_MS + 5, until_ms=OLD_MS + 7_000), NOW_MS)
    found = groups(told.rows, told.window)

    assert ("r_1m", OLD_MS, OLD_MS + 60_000) == (told.window.table, told.window.since_ms, told.window.until_ms)
    assert {"ok": 980, "oom": 20} == found[0].outcomes
    assert 900_000 * 0.957 < 1e6 * (found[0].ok_only["e2e"].max_s or 0) <= 900_000
    assert source_text(told.window, found).startswith("from roll-up r_1m, percentiles within ")
    assert 0.0 < float(source_text(told.window, found).split()[-2]) <= 4.5


def test_a_roll_up_tells_what_the_raw_rows_tell(where: Source) -> None:
    window = Window(since_ms=NOW_MS - HOUR_MS, until_ms=NOW_MS)
    asked = queries.Asked(since_ms=window.since_ms, until_ms=window.until_ms)
    pick = choose(window, NOW_MS, rows=10**7, rows_max=1)
    from_raw = where.rows(queries.report(window.since_ms, window.until_ms))

    [one, _], [other, _] = (
        groups(rows, window)
        for rows in (from_raw, exact_rows(where.rows(queries.report_rolled(asked, pick, live=True))))
    )

    assert (one.n, one.outcomes, one.tokens_out, one.tokens_in_window, one.in_stream, one.tokens_unknown_n) == (
        *(other.n, other.outcomes, other.tokens_out, other.tokens_in_window, other.in_stream, other.tokens_unknown_n),
    )
    for metric, spread in one.spreads.items():
        rolled = other.spreads[metric]

        assert (spread.n, spread.refused, spread.max_s) == (rolled.n, rolled.refused, rolled.max_s)
        for name, value in spread.values_s.items():
            if value is not None:
                assert abs((rolled.values_s[name] or 0) / value - 1) <= rolled.error_ratio_max[name]


@pytest.mark.parametrize(
    ("window", "rows", "expected"),
    [
        pytest.param((NOW_MS - HOUR_MS, NOW_MS), 5, Table.RAW, id="few"),
        pytest.param((NOW_MS - HOUR_MS, NOW_MS), 6, Table.R_1S, id="too many: seconds"),
        pytest.param((NOW_MS - 60_000, NOW_MS), 6, Table.R_1S, id="also of a minute that begins at no second"),
        pytest.param((NOW_MS - 5 * DAY_MS, NOW_MS - 5 * DAY_MS + 9_999), 6, Table.R_1M, id="seconds are gone"),
        pytest.param((NOW_MS - 5_000 * DAY_MS, NOW_MS), 6, Table.R_1H, id="older than anything"),
        pytest.param((NOW_MS - 5_000 * DAY_MS, NOW_MS - 4_000 * DAY_MS), 0, Table.R_1H, id="all of it too old"),
    ],
)
def test_the_table_that_answers(window: tuple[int, int], rows: int, expected: Table) -> None:
    since_ms, until_ms = window
    pick = choose(Window(since_ms=since_ms, until_ms=until_ms), NOW_MS, rows=rows, rows_max=5)

    assert expected is pick.source
    assert pick.since_ms <= max(since_ms, NOW_MS - 800 * DAY_MS)
    assert pick.exact == (expected is Table.RAW)
