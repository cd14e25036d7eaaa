"""What is said of an engine, whatever a rule finds."""

import pytest

from slo.jump import Verdict
from slo.rules.rule import Row
from slo.rules.scraped import FRESH_S, engine_found, is_fresh

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
