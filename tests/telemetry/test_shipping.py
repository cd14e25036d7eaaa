import math

import pytest

from telemetry.accounting import SeqSet
from telemetry.errors import (
    StoreAmbiguousError,
    StoreBusyError,
    StoreDeniedError,
    StoreDriftError,
    StoreError,
    StorePoisonError,
    StoreUnreachableError,
)
from telemetry.lane_log import Row
from telemetry.queries import INSERTS_MAX
from telemetry.shipping import (
    DLQ_PER_HOUR_MAX,
    DLQ_RATIO_MAX,
    DLQ_SMALL_N,
    POISON_SEEN_MIN,
    RAW_KEPT_MS,
    RENEW_INSERTS_MAX,
    YOUNG_S_MAX,
    Answer,
    Budget,
    Caution,
    Parcel,
    Verdict,
    answer_of,
    kept_n,
    may_be_stored,
    set_aside,
    split,
    verdict_on,
)
from telemetry.spool_format import Batch
from telemetry.testing.memory_store import sample_request


def parcel(n: int, first: int = 1) -> Parcel:
    rows = [Row(seq, b"") for seq in range(first, first + n)]
    batch = Batch("id", 0, [(first, first + n - 1)], n)
    return Parcel(batch=batch, rows=rows, budget=Budget(n))


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (StoreUnreachableError("x"), Verdict.RETRY),
        (StoreBusyError("x"), Verdict.RETRY),
        (StoreAmbiguousError("x"), Verdict.DOUBT),
        (StoreDeniedError("x"), Verdict.SLOW),
        (StoreDriftError("x"), Verdict.SLOW),
        (StorePoisonError("x"), Verdict.POISON),
        (StoreError("a plain one"), Verdict.DOUBT),
        (ValueError("nobody foresaw it"), Verdict.DOUBT),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_every_error_has_its_verdict(error: Exception, verdict: Verdict) -> None:
    assert verdict_on(error) is verdict


@pytest.mark.parametrize(
    ("error", "perhaps"),
    [
        (StoreUnreachableError("x"), False),
        (StoreBusyError("x"), False),
        (StoreAmbiguousError("x"), True),
        (StoreDeniedError("x"), False),
        (StoreDriftError("a view behind the table"), True),
        (StorePoisonError("asked for before anything else happens"), False),
        (ValueError("nobody foresaw it"), True),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_after_which_errors_the_rows_may_be_stored(error: Exception, perhaps: bool) -> None:
    assert may_be_stored(error) == perhaps


@pytest.mark.parametrize(
    ("count", "answer"),
    [(0, Answer.NOTHING), (1, Answer.PARTIAL), (9, Answer.PARTIAL), (10, Answer.STORED), (11, Answer.STORED)],
)
def test_what_a_count_says(count: int, answer: Answer) -> None:
    assert answer_of(count, 10) is answer


def test_a_first_send_never_asks() -> None:
    assert not parcel(1).must_ask(10**18)


def test_doubt_asks_once_it_is_old() -> None:
    doubted = parcel(1)
    doubted.doubt(1000)
    doubted.doubt(5_000_000_000)  # a second doubt does not make it younger

    assert not doubted.must_ask(1000 + int(YOUNG_S_MAX * 1e9) - 1)
    assert doubted.must_ask(1000 + int(YOUNG_S_MAX * 1e9))


@pytest.mark.parametrize(
    ("batch_id", "whole"), [("n.1-0a-0b-requests-1-9", True), ("n.1-0a-0b-requests-1-9.0", False), ("n-1-9.1.0", False)]
)
def test_a_part_is_known_by_its_id(batch_id: str, whole: bool) -> None:
    one = parcel(9)
    one.batch = Batch(batch_id, 0, [(1, 9)], 9)

    assert one.is_whole() == whole


def test_a_batch_is_renewed_only_while_every_table_must_know_its_token() -> None:
    assert Caution() == Caution(young_s_max=YOUNG_S_MAX, renew_inserts_max=RENEW_INSERTS_MAX)
    assert RENEW_INSERTS_MAX < INSERTS_MAX
    assert 2 * RENEW_INSERTS_MAX <= 10_000 / 10  # tokens of a roll-up for as many inserts; the window of each table


def test_a_batch_of_an_earlier_process_asks_at_once_until_it_is_answered() -> None:
    doubted = parcel(1)
    doubted.doubtful = True

    assert doubted.must_ask(0)
    doubted.trust()
    assert not doubted.must_ask(10**18)


def test_a_whole_batch_is_split_at_the_second_refusal_and_a_part_at_the_first() -> None:
    whole = parcel(10)
    whole.poison_n = POISON_SEEN_MIN - 1

    assert not whole.is_proven_poison()
    whole.poison_n += 1
    assert whole.is_proven_poison()
    assert split(whole)[0].is_proven_poison()


@pytest.mark.parametrize("n", [2, 3, 5, 100, 4096])
def test_parts_hold_all_rows_once_under_ids_of_their_own(n: int) -> None:
    first, second = split(parcel(n, first=7))

    assert [*first.rows, *second.rows] == parcel(n, first=7).rows
    assert first.rows
    assert second.rows
    assert (first.batch.batch_id, second.batch.batch_id) == ("id.0", "id.1")
    assert SeqSet([*first.batch.ranges, *second.batch.ranges]) == SeqSet([(7, 6 + n)])
    assert first.batch.rows + second.batch.rows == n
    assert first.sibling is second


def test_parts_of_a_partly_stored_batch_ask_and_prove_nothing_about_each_other() -> None:
    first, second = split(parcel(10), doubtful=True)

    assert first.must_ask(0)
    assert second.must_ask(0)
    assert first.sibling is None
    assert not first.is_part


def test_rows_that_can_never_be_sent_are_parted_from_the_others_one_by_one() -> None:
    parts = set_aside(parcel(5), {2, 4})

    assert [[row.seq for row in part.rows] for part in parts] == [[1, 3, 5], [2], [4]]
    assert [part.batch.batch_id for part in parts] == ["id.0", "id.1", "id.2"]
    assert parts[0].batch.ranges == [(1, 1), (3, 3), (5, 5)]


def test_what_is_parted_stays_as_doubtful_as_it_was() -> None:
    doubted = parcel(2)
    doubted.doubtful = True

    assert [part.must_ask(0) for part in set_aside(doubted, {1, 2})] == [True, True]
    assert [part.must_ask(0) for part in set_aside(parcel(2), {1})] == [False, False]


@pytest.mark.parametrize(
    ("age_ms", "kept"), [(0, 3), (RAW_KEPT_MS, 3), (RAW_KEPT_MS + 1, 2)], ids=["new", "at the bound", "older"]
)
def test_rows_that_the_raw_table_no_longer_keeps_are_known(age_ms: int, kept: int) -> None:
    now_ms = 1_790_000_000_000
    records = [sample_request(n, at) for n, at in enumerate((now_ms, now_ms, now_ms - age_ms))]

    assert RAW_KEPT_MS == 14 * 86_400_000  # spec/store.md 2.1
    assert kept_n(records, now_ms) == kept


def inserts_for(n: int, bad: int) -> int:
    """Count the inserts that find one bad row, by the rules of the shipper."""
    inserts, work = POISON_SEEN_MIN, list(split(parcel(n)))
    while work:
        one = work.pop(0)
        holds = any(row.seq == bad for row in one.rows)
        if one.is_bad and len(one.rows) > 1:
            work[:0] = split(one)
            continue
        inserts += 1
        if holds and len(one.rows) > 1:
            work[:0] = split(one)
        elif not holds and one.sibling is not None:
            one.sibling.is_bad = True
    return inserts


@pytest.mark.parametrize("n", [2, 10, 100, 500, 4096])
def test_one_bad_row_costs_few_inserts_wherever_it_lies(n: int) -> None:
    worst = max(inserts_for(n, bad) for bad in range(1, n + 1, max(1, n // 97)))

    assert worst <= 1.44 * math.log2(n) + 4
    assert n != 4096 or worst <= 25  # spec/store.md 15, case 10


@pytest.mark.parametrize(
    ("rows", "allowed"), [(1, 1), (3, 1), (4, 2), (9, 4), (10, 5), (599, 5), (600, 6), (20_000, 200)]
)
def test_the_budget_of_dead_rows_is_a_hundredth_and_of_a_small_batch_five_or_half(rows: int, allowed: int) -> None:
    assert Budget(rows).left == allowed
    assert DLQ_SMALL_N == 5
    assert DLQ_RATIO_MAX == 0.01
    assert DLQ_PER_HOUR_MAX == 100
