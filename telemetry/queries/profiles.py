"""Knows the question for the scaling profiles that hold; refuses to know what a profile says.

Source: spec/loadtest.md 19 (published for 30 days); spec/store.md 3 (scaling_profiles).
"""

from telemetry.queries.question import Question, Select


def profiles(at_ms: int) -> Question:
    """Ask for the newest profile of each target that is valid at an instant.

    Rows: `target`, `mu_star_per_s` (NULL if not found), `made_unix_ms`, `profile_json`.
    """
    return Question(sql=_PROFILES, parameters={"at": at_ms})


_NEWEST = ("mu_star_per_s", "profile_json", "valid_until")
_PROFILES = Select(
    columns=[
        "target",
        "newest.1 AS mu_star_per_s",
        "toUnixTimestamp64Milli(made) AS made_unix_ms",
        "newest.2 AS profile_json",
    ],
    source=Select(
        columns=[
            *("target", "max(p.made_at) AS made"),
            # A tuple, since of a column alone argMax would pass over a NULL.
            f"argMax(tuple({', '.join(f'p.{name}' for name in _NEWEST)}), p.made_at) AS newest",
        ],
        source="inferometer.scaling_profiles AS p",
        where=["p.made_at <= fromUnixTimestamp64Milli({at:Int64})"],
        group_by=["target"],
    ),
    where=["newest.3 > fromUnixTimestamp64Milli({at:Int64})"],
    order_by=["target"],
).text()
