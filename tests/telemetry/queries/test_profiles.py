"""Of several profiles of a target the newest one counts, while it is valid."""

from query_store import SINCE_MS, Stored

from telemetry.queries.profiles import profiles
from telemetry.schema.loads import SCALING_PROFILES


def test_the_newest_valid_profile_of_each_target_counts(stored: Stored) -> None:
    at_ms = SINCE_MS
    rows = [
        ("chat", "b1", 1.0, at_ms - 3_000, at_ms + 9_000, "old"),
        ("chat", "b2", None, at_ms - 2_000, at_ms + 9_000, "new"),
        ("chat", "b3", 3.0, at_ms + 1, at_ms + 9_000, "later"),
        ("expired", "b4", 1.0, at_ms - 3_000, at_ms + 9_000, "valid, and replaced"),
        ("expired", "b5", 1.0, at_ms - 2_000, at_ms, "over"),
    ]
    stored.writer.insert_rows(SCALING_PROFILES, rows, "profiles")

    assert [
        {"target": "chat", "mu_star_per_s": None, "made_unix_ms": at_ms - 2_000, "profile_json": "new"}
    ] == stored.rows(profiles(at_ms))
