"""Built-in rules beside an objective, over a real store: errors that jump, a store that is gone, the end of both."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from engine_rig import Rig

from slo.alert import Alert
from slo.engine import Reach
from slo.explain import explainer
from slo.jump import Verdict
from slo.rules.catalogue import rules
from slo.rules.error_rates import KINDS
from slo.rules.rule import Found, RuleId, Settings
from slo.rules.runner import Runner
from telemetry.clock import monotonic_ns, wall_ms
from telemetry.outcome import Eligibility, Outcome
from telemetry.record import RequestBatch
from telemetry.store import Store
from telemetry.testing.memory_store import sample_request
from telemetry.testing.store_process import StoreProcess

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]
NOW_S = wall_ms() // 1000 // 60 * 60 - 7_200
NAMES = ("jumping", "streaming", "alone", "switched-off")
GONE = "http://127.0.0.1:1"
PAGED, OVER = ("error_rate_5xx", "page", "firing"), ("error_rate_5xx", "page", "resolved")


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreProcess]:
    with StoreProcess(tmp_path_factory.mktemp("rules") / "data") as running:
        yield running


@pytest.fixture
def reader(process: StoreProcess) -> Iterator[Store]:
    client = process.store("reader")
    yield client
    client.close()


@pytest.fixture
def writer(process: StoreProcess) -> Iterator[Store]:
    client = process.store("writer")
    yield client
    client.close()


class Ruled:
    """An engine that watches an endpoint with the rules about errors beside a loose objective.

    The rules see every endpoint of the store, so each test has a time of its own, hours from that of the others.
    """

    def __init__(self, reader: Store, writer: Store, folder: Path, name: str) -> None:
        self.reader = reader
        at_s = NOW_S - NAMES.index(name) * 14_400
        self.rig = Rig(reader, writer, folder / "slo.sqlite", name, at_s, target=0.5)
        self.rig.requests(2_000, 2, at_s=at_s - 7_200)
        self.on(reader)

    def on(self, store: Store) -> None:
        """Start engine and rules anew, on a store."""
        about_errors = [rule for rule in rules({}) if rule.id in {*KINDS, RuleId.OOM}]
        self.rules = Runner(store, about_errors, lambda: monotonic_ns() / 1e9)
        explain = explainer(store, "", lambda: monotonic_ns() / 1e9)
        self.rig.reach = Reach(channels=self.rig.hear, explain=explain, others=self.rules.watches)
        self.rig.ledger.close()
        self.rig.engine = self.rig.started(store)

    def told(self) -> list[tuple[str, str, str]]:
        return [one for one in self.rig.said if one[0].startswith("error_rate")]

    def alert(self) -> Alert:
        alerts = list(self.rig.engine.view.alerts.values())
        (found,) = (one for one in alerts if (one.labels["alertname"], one.labels["severity"]) == PAGED[:2])
        return found

    def found(self, rule: RuleId) -> Found:
        (last,) = (one for one in self.rules.last if one.rule.id is rule)
        (found,) = (one for one in last.found if one.labels["endpoint"] == self.rig.name)
        return found


def test_a_jump_of_errors_pages_once_through_an_outage_of_the_store(
    reader: Store, writer: Store, tmp_path: Path
) -> None:
    """slo.md 7, 13, A7, A9: both verdicts are shown, nothing is resolved while nobody looks, one notification each."""
    one = Ruled(reader, writer, tmp_path, "jumping")
    one.rig.live(40, 0, steps=4)
    assert one.told() == []
    one.rig.live(40, 4, steps=20)
    fired = one.alert()

    assert one.told() == [PAGED], "the class explains all errors, which are held"
    assert (fired.annotations["verdict"], fired.annotations["naive_verdict"]) == ("page", "page")
    assert fired.annotations["summary"].startswith("jumping Qwen/Qwen2.5-0.5B-Instruct: ")
    assert {"impact", "error_classes", "top_contributors", "exemplars"} <= fired.explanation.keys()
    assert "class of errors: error_rate_5xx" in one.rig.engine.view.held.values()

    one.on(Store(GONE, request_s=1))
    for _ in range(20):
        one.rig.go(30)
    assert one.told() == [PAGED]
    assert one.alert().record.is_blind
    assert one.alert().record.occurrence == 1
    assert any("the store did not answer" in problem for problem in one.rules.problems)

    one.on(reader)
    one.rig.live(200, 0, steps=16)
    assert one.told() == [PAGED, OVER]
    assert one.rules.problems == ()


def test_a10_an_error_inside_a_stream_is_counted_where_http_shows_none(
    reader: Store, writer: Store, tmp_path: Path
) -> None:
    one = Ruled(reader, writer, tmp_path, "streaming")
    for _ in range(10):
        one.rig.live(40, 0)
        records = [
            msgspec.structs.replace(
                sample_request(n, round(one.rig.now_s * 1000) - 1),
                endpoint=one.rig.name,
                outcome=Outcome.STREAM_ERROR,
                eligible=Eligibility.BAD,
                in_stream=1,
            )
            for n in range(4)
        ]
        batch = RequestBatch(collector="rig/streams", seqs=tuple(range(4)), records=tuple(records))
        writer.insert_requests(batch, f"streams-{one.rig.now_s}")
    one.rig.live(40, 0)
    found = one.found(RuleId.ERROR_RATE_STREAM)

    assert (found.sound, found.naive) == (Verdict.PAGE, Verdict.SILENT)
    assert found.words["naive"].startswith("HTTP shows 0 of ")
    assert one.found(RuleId.ERROR_RATE_5XX).sound is Verdict.SILENT
    assert one.told() == [("error_rate_stream", "page", "firing")]


def test_without_an_objective_the_rules_go_on(reader: Store, writer: Store, tmp_path: Path) -> None:
    one = Ruled(reader, writer, tmp_path, "alone")
    one.rig.watched = []
    one.on(reader)
    one.rig.live(40, 0, steps=2)
    one.rig.live(10, 30, steps=16)

    assert one.rig.said == [PAGED]


def test_what_is_switched_off_finds_nothing(reader: Store, writer: Store, tmp_path: Path) -> None:
    one = Ruled(reader, writer, tmp_path, "switched-off")
    off = {rule: Settings(enabled=False) for rule in RuleId}
    one.rules.renew(rules(off))
    one.rig.live(40, 4, steps=6)
    one.rig.live(0, 200, steps=4)

    assert one.told() == []
    assert {last.found for last in one.rules.last} == {()}
