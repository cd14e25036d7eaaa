"""Tests of slo.channels."""

from dataclasses import replace

import pytest
from notices import FIRING

from slo.burn_catalogue import Severity
from slo.channels import REFUSALS, RETRY_AFTER_S_MAX, Channel, ChannelKind, Result, Verdict, judged, routed, wait_of

NOW_S = 1_790_000_000.0
A, P, S, W, D = ChannelKind
HOOK = Channel(name="hook", kind=W, urls=("https://example.org/s3cret",), secret="s3cret")  # noqa: S106 -- of a test


@pytest.mark.parametrize(
    ("kind", "status", "result"),
    [
        pytest.param(A, 200, Result.SENT, id="Alertmanager took all"),
        pytest.param(A, 400, Result.REFUSED, id="Alertmanager found one invalid"),
        pytest.param(A, 500, Result.RETRY, id="Alertmanager failed"),
        pytest.param(A, 404, Result.RETRY, id="Alertmanager is not up yet"),
        pytest.param(P, 202, Result.SENT, id="PagerDuty took it"),
        pytest.param(P, 400, Result.REFUSED, id="PagerDuty: invalid event or key"),
        pytest.param(P, 403, Result.REFUSED, id="PagerDuty: another 4xx"),
        pytest.param(P, 429, Result.RETRY, id="PagerDuty: too many"),
        pytest.param(P, 503, Result.RETRY, id="PagerDuty failed"),
        pytest.param(S, 200, Result.SENT, id="Slack took it"),
        pytest.param(S, 400, Result.REFUSED, id="Slack: invalid_payload"),
        pytest.param(S, 403, Result.REFUSED, id="Slack: action_prohibited"),
        pytest.param(S, 404, Result.REFUSED, id="Slack: channel_not_found"),
        pytest.param(S, 410, Result.REFUSED, id="Slack: channel_is_archived"),
        pytest.param(S, 429, Result.RETRY, id="Slack: too fast"),
        pytest.param(S, 500, Result.RETRY, id="Slack: rollup_error"),
        pytest.param(W, 204, Result.SENT, id="a webhook says any 2xx"),
        pytest.param(W, 422, Result.REFUSED, id="a webhook will never take this body"),
        pytest.param(W, 404, Result.RETRY, id="a webhook is not up yet"),
        pytest.param(W, 302, Result.RETRY, id="a webhook points elsewhere"),
        pytest.param(D, 404, Result.RETRY, id="a switch is told every minute whatever it says"),
    ],
)
def test_what_an_answer_means(kind: ChannelKind, status: int, result: Result) -> None:
    assert judged(kind, status, "", NOW_S).result is result


def test_every_kind_has_its_refusals() -> None:
    assert set(REFUSALS) == set(ChannelKind)


def test_a_redirect_says_that_it_is_not_followed() -> None:
    assert judged(W, 302, "", NOW_S).why == "answered 302, which points elsewhere and is not followed"


def test_a_wait_that_was_asked_for_is_kept() -> None:
    told = Verdict(result=Result.RETRY, why="answered 429", retry_after_s=30.0, http_status=429)

    assert judged(P, 429, "30", NOW_S) == told


@pytest.mark.parametrize(
    ("told", "wait_s"),
    [
        pytest.param("30", 30.0, id="seconds"),
        pytest.param("3600", RETRY_AFTER_S_MAX, id="the longest that is honoured"),
        pytest.param("3601", RETRY_AFTER_S_MAX, id="a longer one"),
        pytest.param("Mon, 21 Sep 2026 14:14:10 GMT", 50.0, id="a date"),
        pytest.param("Mon, 21 Sep 2020 14:14:10 GMT", 0.0, id="a date of the past"),
        pytest.param("Mon, 21 Sep 2999 14:14:10 GMT", RETRY_AFTER_S_MAX, id="a date far away"),
        pytest.param("", None, id="nothing"),
        pytest.param("soon", None, id="a word"),
        pytest.param("-5", None, id="below nothing"),
    ],
)
def test_retry_after_is_read(told: str, wait_s: float | None) -> None:
    assert wait_of(told, NOW_S) == wait_s


@pytest.mark.parametrize(
    ("channel", "takes"),
    [
        pytest.param(HOOK, True, id="no filter"),
        pytest.param(replace(HOOK, severities=frozenset({Severity.PAGE})), True, id="its severity"),
        pytest.param(replace(HOOK, severities=frozenset({Severity.TICKET})), False, id="another severity"),
        pytest.param(replace(HOOK, labels={"endpoint": frozenset({"a", "chat"})}), True, id="one of its values"),
        pytest.param(replace(HOOK, labels={"endpoint": frozenset({"a"})}), False, id="another value"),
        pytest.param(replace(HOOK, labels={"region": frozenset({"eu"})}), False, id="a label that is missing"),
        pytest.param(replace(HOOK, kind=D), False, id="a dead man's switch"),
    ],
)
def test_who_hears_of_an_alert(channel: Channel, takes: bool) -> None:
    assert channel.takes(FIRING.labels) is takes


def test_what_happened_is_queued_for_all_but_alertmanagers() -> None:
    others = [replace(HOOK, name=kind, kind=kind) for kind in (A, P, S)]
    deaf = replace(HOOK, name="deaf", severities=frozenset[Severity]())

    assert routed([HOOK, *others, deaf], [FIRING]) == {"hook": [FIRING], "pagerduty": [FIRING], "slack": [FIRING]}


def test_no_secret_is_shown() -> None:
    assert "s3cret" not in repr(HOOK)
