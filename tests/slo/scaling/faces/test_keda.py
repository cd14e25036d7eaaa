"""The body that KEDA reads, and its published schema."""

import json
from pathlib import Path

import msgspec
import pytest
from face_rig import HINTS, NAME, NOW_S, desk, served

from slo.scaling.faces.keda import body, schema_text
from slo.scaling.faces.moment import Moment, Policy, moment
from slo.scaling.freshness import Standing
from slo.scaling.hint import Hint

DOCS = Path(__file__).parents[4] / "docs"


def read(hint: Hint, policy: Policy = Policy.DESIRED) -> dict[str, object]:
    found = body(Moment(standing=Standing.FRESH, served=served(hint)), policy)
    return msgspec.json.decode(msgspec.json.encode(found), type=dict[str, object])


def test_the_body_has_the_fields_that_triggers_point_at() -> None:
    of, now_s = desk(Standing.FRESH)
    found = body(moment(of, NAME, now_s), Policy.DESIRED)

    assert found is not None
    expected = {"desired_replicas": 6, "active": 1, "demand_rps": pytest.approx(14.136), "seq": 0}
    assert expected == json.loads(msgspec.json.encode(found))
    assert isinstance(read(HINTS[Standing.FRESH], Policy.RAW)["desired_replicas"], float)


def test_an_empty_target_is_not_active_and_an_unknown_demand_is_null() -> None:
    fresh = HINTS[Standing.FRESH]
    replicas = msgspec.structs.replace(fresh.replicas, desired=0, raw=None)
    forecast = msgspec.structs.replace(fresh.forecast, p95_rps=None)

    found = read(msgspec.structs.replace(fresh, replicas=replicas, forecast=forecast))

    assert (0, 0, None) == (found["desired_replicas"], found["active"], found["demand_rps"])


def test_there_is_no_body_without_a_number() -> None:
    of, now_s = desk(Standing.UNKNOWN)

    assert body(moment(of, NAME, NOW_S), Policy.DESIRED) is None
    assert body(moment(of, NAME, now_s), Policy.RAW) is None


def test_the_published_schema_is_that_of_the_code() -> None:
    # To make it so: python -c "from slo.scaling.faces.keda import schema_text as t; print(t(),end='')" >FILE
    assert schema_text() == (DOCS / "keda.schema.json").read_text()
