"""Knows the question how objectives were defined; refuses to judge which definition holds.

Source: spec/store.md 4.5 (`slo_definitions`).
"""

from collections.abc import Sequence

from telemetry.queries.question import PAGE_S, Question, Select

REVISIONS_MAX = 20
"""Revisions of one objective."""


def definitions(slos: Sequence[str]) -> Question:
    """Ask for the last revisions of objectives.

    Rows: `slo`, `revision`, `definition_hash`, `active`, `source_sha256` (hexadecimal, of the text), newest first.

    Args:
        slos: Names of the objectives.
    """
    return Question(sql=_LAST, parameters={"slos": list(slos), "most": REVISIONS_MAX}, seconds_max=PAGE_S)


_LAST = Select(
    columns=[
        *("slo", "revision", "definition_hash", "active"),
        "lower(hex(SHA256(d.source_yaml))) AS source_sha256",
    ],
    source="inferometer.slo_definitions AS d",
    where=["slo IN {slos:Array(String)}"],
    order_by=["slo", "revision DESC", "d.effective_at DESC"],
    tail="LIMIT {most:UInt32} BY slo",
).text()
