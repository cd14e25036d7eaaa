"""Whether a release may go on."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from views import NOW_S, judged, seen

from slo import gate as module
from slo.alarms import Judged
from slo.desk_records import Override
from slo.gate import STALE_S, VALID_S, Asked, GateVerdict, ReasonCode, gate
from slo.shown import instant, slos_shown
from slo.shown_alerts import alerts_shown
from slo.telemetry_state import Heartbeats, ProbeSays

OVERRIDE = Override(service="", slo="", who="ann", reason="a fix must go out", at_s=NOW_S, until_s=NOW_S + 60)


def asked(of: Sequence[Judged], **more: Any) -> Asked:  # noqa: ANN401 -- fields of the question
    view = seen(*of)
    known: dict[str, Any] = {"at_s": NOW_S, "now_s": NOW_S + 30, **more}
    return Asked(slos=slos_shown(view).slos, alerts=alerts_shown(view, {}).alerts, **known)


@pytest.mark.parametrize(
    ("question", "verdict", "exit_code", "codes"),
    [
        pytest.param(asked([judged()]), "pass", 0, [], id="all is well"),
        pytest.param(asked([judged(bad=8)]), "fail", 3, ["BUDGET_LOW"], id="a fifth of the budget is left"),
        pytest.param(asked([judged(bad=8)], min_remaining=0.1), "pass", 0, [], id="less is asked for"),
        pytest.param(asked([judged(bad=1_000)]), "fail", 3, ["PAGE_FIRING", "BUDGET_LOW"], id="a page fires"),
        pytest.param(asked([judged()], frozen=frozenset({"chat"})), "fail", 3, ["FREEZE"], id="releases are frozen"),
        pytest.param(asked([judged()], frozen=frozenset({"other"})), "pass", 0, [], id="those of others are"),
        pytest.param(
            asked([judged()], unapproved=frozenset({"chat"})), "fail", 3, ["APPROVAL_REQUIRED"], id="nobody approved"
        ),
        pytest.param(
            asked([judged()], unapproved=frozenset({"chat"}), frozen=frozenset({"chat"})),
            "fail",
            3,
            ["FREEZE"],
            id="a freeze says more than an approval",
        ),
        pytest.param(
            asked([judged()], unapproved=frozenset({"chat"}), override=OVERRIDE),
            "pass",
            0,
            ["OVERRIDDEN", "APPROVAL_REQUIRED"],
            id="an override is the approval",
        ),
        pytest.param(asked([]), "inconclusive", 4, ["NO_OBJECTIVES"], id="there is nothing to go by"),
        pytest.param(
            asked([judged()], now_s=NOW_S + STALE_S + 1), "inconclusive", 4, ["NOT_EVALUATED"], id="the last is old"
        ),
        pytest.param(asked([judged()], at_s=None), "inconclusive", 4, ["NOT_EVALUATED"], id="nothing was evaluated"),
        pytest.param(asked([judged(seen=Heartbeats.ALL_STALE)]), "inconclusive", 4, ["BLIND"], id="nobody looks"),
        pytest.param(
            asked([judged(seen=Heartbeats.SOME_STALE, coverage_ratio=0.89)]),
            "inconclusive",
            4,
            ["LOW_COVERAGE"],
            id="too few collectors are heard",
        ),
        pytest.param(asked([judged(coverage_ratio=0.9)]), "pass", 0, [], id="just enough collectors are heard"),
        pytest.param(asked([judged(good=9)]), "inconclusive", 4, ["TOO_FEW_EVENTS"], id="nine requests"),
        pytest.param(asked([judged(good=10)]), "pass", 0, [], id="ten requests"),
        pytest.param(
            asked([judged(good=0, probe=ProbeSays.FAILING)]),
            "fail",
            3,
            ["PAGE_FIRING", "TOO_FEW_EVENTS"],
            id="nobody is there: what is seen counts for more than what is not",
        ),
        pytest.param(
            asked([replace(judged(), found=None)]), "fail", 3, ["PAGE_FIRING", "INVALID_COUNTS"], id="impossible counts"
        ),
        pytest.param(
            asked([judged(bad=8)], override=OVERRIDE), "pass", 0, ["OVERRIDDEN", "BUDGET_LOW"], id="a person decides"
        ),
        pytest.param(asked([judged()], override=OVERRIDE), "pass", 0, [], id="and is not needed"),
    ],
)
def test_the_verdict_names_its_reasons(question: Asked, verdict: str, exit_code: int, codes: list[str]) -> None:
    found = gate(question)

    assert [reason.code for reason in found.reasons] == codes
    assert (found.verdict, found.exit_code) == (verdict, exit_code)


def test_the_answer_shows_what_it_rests_on_and_how_long_it_holds() -> None:
    found = gate(asked([judged(bad=8)], override=OVERRIDE, version="v7", frozen=frozenset({"chat"})))
    (one,) = found.slos

    assert (one.name, one.group, one.state, one.method, one.coverage) == (
        "chat", {"endpoint": "chat"}, "ok", "exact", 1.0,
    )  # fmt: skip
    assert one.burn_1h == pytest.approx(0.8 / 1.008)
    assert (found.freeze.active, found.freeze.until, found.freeze.why) == (True, None, "chat")
    assert found.override is not None
    assert (found.override.who, found.override.until) == ("ann", instant(NOW_S + 60))
    assert (found.version, found.as_of, found.expires_at) == ("v7", instant(NOW_S), instant(NOW_S + VALID_S))
    assert found.reasons[0].text == "ann: a fix must go out"


def test_a_silence_keeps_nothing_from_failing_the_gate() -> None:
    question = asked([judged(bad=1_000)])
    held = [replace(alert, held_back_by="silenced by q") for alert in question.alerts]

    assert gate(replace(question, alerts=held)).verdict is GateVerdict.FAIL


def test_every_reason_is_explained_and_has_an_exit_code() -> None:
    source = module.__loader__.get_source(module.__name__)  # type: ignore[union-attr]  # it was loaded from a file
    assert source is not None
    for code in ReasonCode:
        line = source.index(f'    {code.name} = "{code.value}"\n    """')
        assert line > 0
    assert module.EXIT_CODES == {"pass": 0, "fail": 3, "inconclusive": 4}
