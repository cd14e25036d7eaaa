"""What is said of an engine, whatever a rule finds."""

import pytest

from slo.jump import Verdict
from slo.rules.rule import Row, RuleId
from slo.rules.scraped import FRESH_S, engine_found, is_fresh, must_be_heard

ROW: Row = {"endpoint": "chat", "replica": "r0", "heard_unix_ms": 5_000}


@pytest.mark.parametrize(("at_s", "fresh"), [(5, True), (5 + FRESH_S, True), (6 + FRESH_S, False)])
def test_an_engine_is_known_for_a_while_after_a_scrape(at_s: int, fresh: bool) -> None:
    assert fresh is is_fresh(at_s, ROW)
    assert not is_fresh(at_s, {"heard_unix_ms": None})


def test_a_finding_names_its_engine() -> None:
    found = engine_found(ROW, "stands", Verdict.TICKET, is_known=False, said={"naive": "no"})

    assert {"endpoint": "chat", "replica": "r0"} == found.labels
    assert {"summary": "chat/r0 stands", "naive": "no"} == found.words
    assert (Verdict.SILENT, Verdict.TICKET, False) == (found.sound, found.naive, found.is_known)


def test_engines_and_collectors_must_be_heard_themselves_and_what_is_made_of_requests_need_not() -> None:
    engine, collector, endpoint = {"endpoint": "chat", "replica": "r0"}, {"collector": "c0"}, {"endpoint": "chat"}

    assert must_be_heard(RuleId.STALLED_ENGINE, engine)
    assert must_be_heard(RuleId.TELEMETRY_SELF, collector)
    assert not must_be_heard(RuleId.TELEMETRY_SELF, endpoint)
    assert not must_be_heard(RuleId.REPLICA_OUTLIER, engine)
