"""Where the excess of bad requests is concentrated: one in fifty of the hour is bad, on each of three replicas."""

from typing import Any

import pytest
from panel_answers import rows
from panel_rig import END_MS, FULL, PanelRig

from dashboards.asks_slo import BAD_MIN, contributors
from telemetry.queries.about import About
from telemetry.queries.asked import Asked, Dim, Pick, Source
from telemetry.queries.counted import Clause, Counted
from telemetry.queries.excess import LIFT_MIN

PICK = Pick(source=Source.RAW, exact=True, since_ms=0, until_ms=1)


def test_shares_are_of_the_excess_and_not_of_the_volume(past: PanelRig) -> None:
    found = {(row["dimension"], row["value"]): row for row in rows(past, "slo.contributors", FULL)}

    whole = found["endpoint", FULL]
    assert (1.0, 72, 72.0, None) == (whole["share"], whole["bad"], whole["excess"], whole["usual"])
    assert pytest.approx(1.0) == whole["lift"]
    replicas = [row["share"] for (dimension, _), row in found.items() if dimension == "replica"]
    assert pytest.approx([1 / 3] * 3) == replicas
    assert {"endpoint", "model", "replica"} <= {dimension for dimension, _ in found}
    assert "" not in {value for _, value in found}, "what has no name says nothing"


def test_an_objective_says_itself_what_is_bad(past: PanelRig) -> None:
    """One that calls one replica's requests bad, and no others."""
    bad = Counted(name="r", good=Clause(sql="if(toString(replica) = $0, 0, 2)", values=("10.0.0.1:8000",)))
    asked = Asked(
        since_ms=END_MS - 3_600_000, until_ms=END_MS, where={Dim.ENDPOINT: (FULL,)}, about=About(objective=bad)
    )
    told: list[dict[str, Any]] = past.reader.query(contributors(asked, PICK))
    found = {(row["dimension"], row["value"]): row for row in told}

    assert ("10.0.0.1:8000", True) == (told[0]["value"], told[0]["lift"] > LIFT_MIN), "what stands out is first"
    assert told[0]["bad"] >= BAD_MIN
    assert {("replica", "10.0.0.1:8000")} <= found.keys()
    assert not {("replica", "10.0.0.0:8000"), ("replica", "10.0.0.2:8000")} & found.keys()
    assert 1_200 <= found["replica", "10.0.0.1:8000"]["bad"] <= 1_230
