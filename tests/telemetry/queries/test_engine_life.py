"""What engines did by their counters, by hand: one that stands, one that loses requests, what cannot be compared."""

from collections import Counter

from query_store import SINCE_MS, Stored
from test_around import engine

from telemetry.queries import engine_life
from telemetry.queries.engine_life import LOOK_BACK_MS

AT_MS = SINCE_MS - 2 * LOOK_BACK_MS
"""Before what the other tests look at."""


def of(rows: list[dict[str, object]], replica: str) -> dict[str, object]:
    [found] = [row for row in rows if row["replica"] == replica]
    return found


def test_an_engine_stands_since_the_scrape_that_shows_its_last_token(stored: Stored) -> None:
    tokens = (10, 20, 20, 20)
    rows = [
        engine(AT_MS - 40_000 + 10_000 * n, "stands", running=2, generation_tokens_total=value)
        for n, value in enumerate(tokens)
    ]
    rows += [engine(AT_MS - 30_000, "rests", running=0), engine(AT_MS - 20_000, "rests", up=0)]
    rows += [engine(AT_MS - LOOK_BACK_MS - 1, "forgotten", running=1), engine(AT_MS, "later", running=1)]
    stored.writer.insert_samples(rows, "still")
    found = stored.rows(engine_life.still(AT_MS))

    assert {
        "endpoint": "around", "replica": "stands", "engine": "vllm", "model": "m", "up": 1, "is_counted": 1,
        "heard_unix_ms": AT_MS - 10_000, "n_still": 3, "since_unix_ms": AT_MS - 30_000, "running": 2,
    } == of(found, "stands")  # fmt: skip
    rests = of(found, "rests")
    assert (0, 0, None, AT_MS - 30_000) == tuple(
        rests[name] for name in ("up", "n_still", "since_unix_ms", "heard_unix_ms")
    )
    assert {"forgotten", "later"}.isdisjoint(str(row["replica"]) for row in found)


def test_the_last_good_answer_of_a_replica_is_known(stored: Stored) -> None:
    until_ms = SINCE_MS + LOOK_BACK_MS
    found = stored.rows(engine_life.last_answers(SINCE_MS, until_ms))
    last = {
        (one.endpoint, one.replica): one.ended_at
        for one in sorted(stored.records, key=lambda one: one.ended_at)
        if one.outcome == "ok" and one.ended_at < until_ms
    }

    assert last
    assert last == {
        (row["endpoint"], row["replica"]): row["answered_unix_ms"]
        for row in found
        if row["endpoint"] in {"chat", "code"}
    }


def test_counters_grow_within_halves_and_never_across_a_reset(stored: Stored) -> None:
    at_ms = AT_MS - 3 * LOOK_BACK_MS
    counters = [(0, 0, 0, 0), (100, 10, 1, 0), (5, 1, 0, 1), (25, 2, 4, 0)]
    rows = [
        engine(
            at_ms - 40_000 + 10_000 * n, "counts", prompt_tokens_total=prompt, generation_tokens_total=output,
            preemptions_total=lost, reset=reset, success_total={"stop": prompt // 10}, kv_used_ratio=0.25 * n,
        )
        for n, (prompt, output, lost, reset) in enumerate(counters)
    ]  # fmt: skip
    stored.writer.insert_samples([*rows, engine(at_ms - 5_000, "tells little")], "increases")
    found = stored.rows(engine_life.increases(at_ms - 35_000, at_ms - 20_000, at_ms))

    assert {
        "endpoint": "around", "replica": "counts", "model": "m", "heard_unix_ms": at_ms - 10_000, "kv_used_ratio": 0.5,
        "seconds_old": 10, "preemptions_old": 1, "tokens_old": 110,
        "seconds_new": 10, "preemptions_new": 4, "tokens_new": 21, "prompt": 120, "output": 11, "finished": 12,
    } == of(found, "counts")  # fmt: skip
    little = of(found, "tells little")
    assert (0, None, None) == (little["seconds_new"], little["preemptions_new"], little["finished"])


def test_a_queue_is_a_mean_and_endings_are_counted_between_scrapes(stored: Stored) -> None:
    at_ms = AT_MS - 6 * LOOK_BACK_MS
    rows = [
        engine(at_ms - 30_000 + 10_000 * n, "waits", queued=queued, success_total={"stop": 10 * n, "abort": n})
        for n, queued in enumerate((9, 2, 4))
    ]
    stored.writer.insert_samples(rows, "queues")

    assert {
        "endpoint": "around", "replica": "waits", "model": "m", "heard_unix_ms": at_ms - 10_000,
        "queued": 3, "queued_last": 4, "seconds": 20, "finished": 22,
    } == of(stored.rows(engine_life.queues(at_ms - 25_000, at_ms)), "waits")  # fmt: skip


def test_good_answers_are_counted_by_replica(stored: Stored) -> None:
    since_ms, until_ms = SINCE_MS, SINCE_MS + LOOK_BACK_MS
    good = [one for one in stored.records if one.outcome == "ok" and since_ms <= one.ended_at < until_ms]
    rows = stored.rows(engine_life.good_answers(since_ms, until_ms))

    assert Counter((one.endpoint, one.replica) for one in good) == {
        (row["endpoint"], row["replica"]): row["good"] for row in rows if row["endpoint"] in {"chat", "code"}
    }
