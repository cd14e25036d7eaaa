"""What of the desk is in the store, over a real one."""

import pytest
from views import silence

from slo.desk_records import Ack, Marker, MarkerKind
from slo.desk_store import DeskStore
from slo.silence import Matcher, MatchOp
from telemetry.clock import wall_ms
from telemetry.store import Store

NOW_S = wall_ms() // 1000 - 3_600
HOSTILE = "'); DROP TABLE x; --\n{x:String}\t\\"


@pytest.fixture
def shared(reader: Store, writer: Store) -> DeskStore:
    return DeskStore(reader, writer)


def test_the_last_state_of_a_silence_holds(shared: DeskStore) -> None:
    matchers = tuple(Matcher(name=f"l{n}", op=op, value=HOSTILE) for n, op in enumerate(MatchOp))
    first, other = silence("desk-1", matchers, since_s=NOW_S), silence("desk-2", matchers[:1], since_s=NOW_S)
    shared.put_silences({"desk-1": first, "desk-2": other}, NOW_S)
    shorter = silence("desk-1", matchers, since_s=NOW_S, length_s=60)
    shared.put_silences({"desk-1": shorter}, NOW_S + 60)
    found = shared.silences(NOW_S - 1, NOW_S + 60)

    assert {name: one for name, one in found.items() if name.startswith("desk-")} == {
        "desk-1": shorter,
        "desk-2": other,
    }


def test_acknowledgements_come_back_the_last_of_each_alert(shared: DeskStore) -> None:
    key = 2**64 - 1
    early, late = (
        Ack(fingerprint=key, who=who, at_s=NOW_S + n, until_s=None) for n, who in enumerate(("ann", HOSTILE))
    )
    other = Ack(fingerprint=1, who="bob", at_s=NOW_S, until_s=NOW_S + 9)
    shared.put_acks({"f" * 16: early, f"{1:016x}": other}, NOW_S)
    shared.put_acks({"f" * 16: late}, NOW_S)
    found = shared.acks(NOW_S, NOW_S)

    assert (found["f" * 16], found[f"{1:016x}"]) == (late, other)


def test_a_marker_that_is_sent_twice_is_there_once(shared: DeskStore) -> None:
    span = Marker(
        at_s=NOW_S, end_s=NOW_S + 60, kind=MarkerKind.DEPLOY, service="desk", endpoint="e", version="v", actor="ci",
        automated=True, text=HOSTILE,
    )  # fmt: skip
    instant = Marker(at_s=NOW_S + 1, kind=MarkerKind.SCALE, service="desk", actor="ann")
    for _ in range(2):
        shared.put_markers({"a": span, "b": instant}, NOW_S)

    assert [one for one in shared.markers(NOW_S, NOW_S + 2) if one.service == "desk"] == [instant, span]
    assert [one for one in shared.markers(NOW_S, NOW_S + 1) if one.service == "desk"] == [span]
