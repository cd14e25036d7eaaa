"""What stands beside every panel: requests by traffic, when somebody looked, engines."""

from collections import Counter

from query_store import SINCE_MS, UNTIL_MS, Stored

from telemetry.queries.asked import Asked, Dim, Pick, Source
from telemetry.queries.panel_facts import LOOKS_MAX, LOOKS_S_MIN, engines, looks, traffics

ASKED = Asked(since_ms=SINCE_MS, until_ms=UNTIL_MS, where={Dim.ENDPOINT: ("chat",)})


def test_raw_rows_and_roll_ups_count_the_same(stored: Stored) -> None:
    n = Counter(one.endpoint for one in stored.records)["chat"]
    answers = [
        stored.rows(traffics(ASKED, Pick(source=source, exact=True, since_ms=SINCE_MS, until_ms=UNTIL_MS)))
        for source in (Source.RAW, Source.R_1M)
    ]

    assert [[("user", n)], [("user", n)]] == [[(row["traffic"], row["n"]) for row in rows] for rows in answers]
    assert ["tee"] == answers[0][0]["sources"]
    assert [] == answers[1][0]["sources"]


def test_steps_in_which_somebody_was_heard(stored: Stored) -> None:
    at_ms = 3_000_000_000_000
    beats = [at_ms, at_ms + 1_000, at_ms + 3 * LOOKS_S_MIN * 1000]
    stored.insert_rows(
        "heartbeats",
        [{"ts": at / 1000, "collector": "facts", "endpoint": "facts", "watermark": at / 1000} for at in beats],
    )
    question = looks(at_ms, at_ms + 600_000, 1, ("facts",))

    assert [0, 3 * LOOKS_S_MIN] == [int(str(row["t_unix_s"])) - at_ms // 1000 for row in stored.rows(question)]
    assert [] == stored.rows(looks(at_ms, at_ms + 600_000, 1, ("no facts",)))
    assert LOOKS_MAX == 20_000


def test_minutes_say_the_same_as_seconds_of_when_somebody_was_heard(stored: Stored) -> None:
    at_ms = 3_100_000_200_000
    beats = [at_ms, at_ms + 59_000, at_ms + 299_999, at_ms + 300_000, at_ms + 1_800_000]
    stored.insert_rows(
        "heartbeats",
        [{"ts": at / 1000, "collector": "facts", "endpoint": "minutes", "watermark": at / 1000} for at in beats],
    )
    rolled, raw = (looks(at_ms, at_ms + 1_800_000 + ms, 300, ("minutes",)) for ms in (0, 1))

    assert ("r_heartbeats_1m" in rolled.sql, "r_heartbeats_1m" in raw.sql) == (True, False)
    assert [at_ms // 1000, at_ms // 1000 + 300] == [row["t_unix_s"] for row in stored.rows(rolled)]
    assert [*stored.rows(rolled), {"t_unix_s": at_ms // 1000 + 1_800}] == stored.rows(raw)


def test_the_last_engine_of_an_endpoint(stored: Stored) -> None:
    rows = [
        {"ts": SINCE_MS / 1000 + 60 * at, "endpoint": "facts", "replica": "a", "engine": engine, "up": 1}
        for at, engine in enumerate(("vllm", "sglang"))
    ]
    stored.insert_rows("engine_metrics", rows)

    assert [{"endpoint": "facts", "engine": "sglang", "n_up": 2}] == stored.rows(engines(UNTIL_MS, ("facts",)))
    assert [] == stored.rows(engines(UNTIL_MS, ("no facts",)))
