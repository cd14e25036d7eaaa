"""What of the desk is in the store, over a real one."""

import zlib
from dataclasses import replace

import pytest
from views import silence

from slo.adjustments import SPAN_S_MAX, Agreed
from slo.audit import FIRST_HASH, By, Deed, act, broken_at
from slo.desk_records import Ack, Marker, MarkerKind
from slo.desk_store import DeskStore
from slo.recurrence import repeat
from slo.silence import Matcher, MatchOp
from telemetry.clock import wall_ms
from telemetry.queries import Question
from telemetry.schema.details import ADJUSTMENTS, MARKERS
from telemetry.schema.objectives import SILENCES
from telemetry.store import Store

NOW_S = wall_ms() // 1000 - 3_600
NAMED = (Matcher(name="slo", op=MatchOp.EQUAL, value="x"),)
HOSTILE = "'); DROP TABLE x; --\n{x:String}\t\\"


@pytest.fixture
def shared(reader: Store, writer: Store) -> DeskStore:
    return DeskStore(reader, writer)


def test_the_last_state_of_a_silence_holds(shared: DeskStore) -> None:
    plain = (MatchOp.EQUAL, MatchOp.NOT_EQUAL)
    matchers = tuple(Matcher(name=f"{HOSTILE}{op}", op=op, value=HOSTILE) for op in plain)
    matchers += (Matcher(name="l", op=MatchOp.MATCHES, value="'; DROP.* x--"),)
    first, other = silence("desk-1", matchers, since_s=NOW_S), silence("desk-2", matchers[:1], since_s=NOW_S)
    shared.put_silences({"desk-1": first, "desk-2": other}, NOW_S)
    shorter = replace(silence("desk-1", matchers, since_s=NOW_S, length_s=60), changed_at_s=NOW_S + 60)
    shared.put_silences({"desk-1": shorter}, NOW_S + 90)
    found = shared.silences(NOW_S - 1, NOW_S + 60)

    assert {name: one for name, one in found.items() if name.startswith("desk-")} == {
        "desk-1": shorter,
        "desk-2": replace(other, changed_at_s=NOW_S),
    }


def test_a_silence_that_is_sent_again_later_is_there_once(shared: DeskStore, reader: Store) -> None:
    """Whoever does not know whether the store has it sends it again: it is the same state of the same time."""
    one = replace(silence("desk-again", NAMED, since_s=NOW_S), changed_at_s=NOW_S)
    for late_s in (0, 90, 7_200):  # as it was to come, held, and was over
        shared.put_silences({"desk-again": one}, NOW_S + late_s)
    asked = "SELECT count() AS n FROM inferometer.silences WHERE silence_id = 'desk-again'"

    assert reader.query(Question(sql=asked, parameters={})) == [{"n": 1}]


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


def test_a_marker_is_there_until_it_is_withdrawn(shared: DeskStore) -> None:
    one, other = (Marker(at_s=NOW_S + n, kind=MarkerKind.PRICE, service="gone", actor=HOSTILE) for n in (0, 1))
    shared.put_markers({"a": one, "b": other}, NOW_S)
    shared.put_markers({"c": replace(one, withdrawn=True)}, NOW_S)

    assert [one for one in shared.markers(NOW_S, NOW_S + 2) if one.service == "gone"] == [other]


def test_an_adjustment_comes_back_as_it_was_and_stays_withdrawn(shared: DeskStore) -> None:
    plain, patterns = (MatchOp.EQUAL, MatchOp.NOT_EQUAL), (MatchOp.MATCHES, MatchOp.MATCHES_NOT)
    matchers = tuple(Matcher(name=f"{HOSTILE}{op}", op=op, value=HOSTILE) for op in plain)
    matchers += tuple(Matcher(name=op, op=op, value="'; DROP.* x--") for op in patterns)
    daily = repeat("FREQ=WEEKLY;BYDAY=MO,SU;UNTIL=20361231T000000Z;TZID=Europe/Berlin")
    once = Agreed(
        id="desk-once", matchers=matchers, start_s=NOW_S, end_s=NOW_S + 60, excluded_percent=40, reason=HOSTILE,
        author=HOSTILE, made_at_s=NOW_S - 5,
    )  # fmt: skip
    again = replace(once, id="desk-again", repeat=daily)
    gone = replace(once, id="desk-gone")
    shared.put_adjustments({"desk-once": once, "desk-again": again, "desk-gone": gone}, NOW_S)
    shared.put_adjustments({"desk-gone": replace(gone, excluded_percent=0)}, NOW_S)
    shared.put_adjustments({"desk-gone": gone}, NOW_S)
    found = {name: one for name, one in shared.adjustments(NOW_S, NOW_S + 1).items() if name.startswith("desk-")}

    assert found == {"desk-once": once, "desk-again": again, "desk-gone": replace(gone, excluded_percent=0)}
    assert "desk-once" not in shared.adjustments(NOW_S + 1, NOW_S + 2)


def test_what_others_wrote_into_our_tables_is_told_from_ours(shared: DeskStore, writer: Store) -> None:
    """Anybody may insert there: what cannot be read is left out, and stops nothing."""
    at_ms = (NOW_S + 1_000 * 86_400) * 1000  # where no desk looks
    selectors = ("slo = chat", '{"id": "x", "made_at_unix_s": 1, "matchers": []}', '{"id": "y"}')
    rows = [(at_ms, at_ms + 60_000, text, "", 100.0, "", "") for text in selectors]
    rows.append((at_ms, at_ms, '{"id":"z","made_at_unix_s":1,"matchers":[]}', "FREQ=HOURLY", 100.0, "", ""))
    writer.insert_rows(ADJUSTMENTS, rows, "strange-adjustments")
    strange = Marker(at_s=at_ms // 1000, kind=MarkerKind.DEPLOY, service="strange", actor="x")
    values: dict[str, object] = {
        "at": at_ms, "end": None, "kind": "party", "service": "strange", "endpoint": "", "version": "", "actor": "x",
        "automated": 0, "text": "",
    }  # fmt: skip
    writer.insert_rows(MARKERS, [tuple(values[column.name] for column in MARKERS.insert_columns)], "strange-marker")
    shared.put_markers({"s": strange}, NOW_S)
    slow = [("a", "=~", "(a+)+"), ("a", "~", "x"), ("a", "=~", "("), ("a", "=~", ".*")]
    silences = [
        (at_ms, f"strange-{op}{at}", [(n, op, v)], at_ms, at_ms + 1, "", "", "") for at, (n, op, v) in enumerate(slow)
    ]
    writer.insert_rows(SILENCES, silences, "strange-silences")
    found = shared.adjustments(at_ms // 1000, at_ms // 1000 + 1)

    assert shared.silences(at_ms // 1000, at_ms // 1000) == {}

    assert list(found.values()) == [None] * 4
    assert shared.markers(at_ms // 1000, at_ms // 1000 + 1) == [strange]


@pytest.mark.parametrize(
    ("percent", "length_s", "is_ours"),
    [
        pytest.param(0.0, 60, True, id="withdrawn"),
        pytest.param(100.0, SPAN_S_MAX, True, id="all of the longest time"),
        pytest.param(float("nan"), 60, False, id="no number"),
        pytest.param(float("inf"), 60, False, id="endless"),
        pytest.param(-300.0, 60, False, id="less than nothing"),
        pytest.param(100.5, 60, False, id="more than all"),
        pytest.param(100.0, 0, False, id="no time"),
        pytest.param(100.0, -60, False, id="ends before it begins"),
        pytest.param(100.0, SPAN_S_MAX + 1, False, id="too long"),
    ],
)
def test_an_adjustment_that_nobody_could_have_entered_is_left_out(
    shared: DeskStore, writer: Store, request: pytest.FixtureRequest, percent: float, length_s: int, is_ours: bool
) -> None:
    at_s = NOW_S + 2_000 * 86_400 + zlib.crc32(request.node.name.encode()) % 10**6 * 10
    selector = '{"id":"r","made_at_unix_s":1,"matchers":[{"name":"slo","op":"=","value":"x"}]}'
    row = (at_s * 1000, (at_s + length_s) * 1000, selector, "", percent, "", "")
    writer.insert_rows(ADJUSTMENTS, [row], f"range-{at_s}")
    (found,) = shared.adjustments(at_s, at_s + 1).values()

    assert (found is not None) == is_ours


def test_an_act_comes_back_with_its_hash(shared: DeskStore) -> None:
    by = By(who=HOSTILE, at_s=NOW_S, address="::1")
    first = act(Deed.SILENCE_MADE, HOSTILE, by, (None, {"comment": HOSTILE}), FIRST_HASH)
    second = act(Deed.SILENCE_ENDED, HOSTILE, by, ({"a": 1}, {"a": 2}), first.hash)
    for _ in range(2):
        shared.put_acts({"1": first, "2": second}, NOW_S)
    found = [one for one in shared.acts(NOW_S, NOW_S + 1) if one.actor == HOSTILE]

    assert sorted(found, key=lambda one: one.action) == [first, second]
    assert broken_at([first, second]) is None
