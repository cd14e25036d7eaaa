"""The hint as it is sent, and its published schema."""

import json
from pathlib import Path

import msgspec
from scaling_rig import T0, Follower, observed

from slo.scaling.codes import Reason, Veto
from slo.scaling.hint import SCHEMA, Hint, digest, encoded, hint_id, schema_text

DOCS = Path(__file__).parents[3] / "docs"
KEYS = (
    "schema id seq mode target observed_at issued_at valid_from expires_at ttl_s action replicas reasons vetoes "
    "signals slo forecast capacity gpu confidence cooldown impact hpa_preview ack cold_start"
)


def test_the_published_schema_is_that_of_the_code() -> None:
    # To make it so: python -c "from slo.scaling.hint import schema_text as t; print(t(),end='')" >docs/hint.schema.json
    assert schema_text() == (DOCS / "hint.schema.json").read_text()


def test_the_schema_names_every_code_with_its_sentence() -> None:
    found = json.loads(schema_text())["$defs"]

    assert {*Reason} == set(found["Reason"]["enum"])
    assert {*Veto} == set(found["Veto"]["enum"])
    assert "QUEUE_SLO: More requests wait per replica" in found["Reason"]["description"]


def test_a_hint_has_the_parts_of_the_specification_and_unknown_is_null() -> None:
    hint = Follower().see(observed(age_s=None, arrivals_rps=None))
    read = json.loads(encoded(hint))

    assert KEYS.split() == list(read)
    assert (SCHEMA, "no_data", None, 4) == (
        read["schema"],
        read["action"],
        read["observed_at"],
        read["replicas"]["desired"],
    )
    assert read["signals"]["arrivals_rps"] == {"value": None, "age_s": None, "coverage": 0.0}
    assert hint == msgspec.json.decode(encoded(hint), type=Hint)


def test_ages_figures_and_times_are_no_news_and_numbers_are() -> None:
    hint = Follower().see(observed())
    other = Follower().see(observed(T0 + 600, age_s=9.0, arrivals_rps=5.1))
    more = msgspec.structs.replace(hint, replicas=msgspec.structs.replace(hint.replicas, desired=5))

    assert digest(hint) == digest(other) != digest(more)


def test_an_id_is_of_one_target_and_one_instant() -> None:
    ids = {hint_id("a", "b", T0), hint_id("a", "b", T0 + 15), hint_id("ab", "", T0), hint_id("", "ab", T0)}

    assert len(ids) == 4
    assert hint_id("a", "b", T0) == hint_id("a", "b", T0)
    assert hint_id("a", "b", T0) < hint_id("a", "b", T0 + 15)
