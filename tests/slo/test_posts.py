"""Tests of slo.posts."""

from typing import Any

import msgspec
import pytest
from notices import FIRING, RESOLVED

from slo.channels import Channel, ChannelKind
from slo.posts import ALERTS_MAX, TOGETHER_MAX, Post, alertmanager_post, chunks, direct_post, group_of
from slo.slack_body import BLOCKS_MAX
from slo.webhook_body import is_signed

NOW_S = 1_790_000_100
URL = "https://example.org/s3cret"


def body(post: Post) -> Any:  # noqa: ANN401 -- JSON
    assert post.headers["Content-Type"] == "application/json"
    return msgspec.json.decode(post.body)


def channel(kind: ChannelKind, secret: str = "") -> Channel:
    return Channel(name="c", kind=kind, urls=(URL,), secret=secret)


@pytest.mark.parametrize("url", ["http://am:9093", "http://am:9093/", "http://am:9093//"])
def test_an_alertmanager_is_told_at_its_api(url: str) -> None:
    post = alertmanager_post(channel(ChannelKind.ALERTMANAGER), url, [FIRING, RESOLVED], NOW_S, step_s=30)

    assert post.url == "http://am:9093/api/v2/alerts"
    assert [alert["labels"] for alert in body(post)] == [FIRING.labels, RESOLVED.labels]
    assert "Authorization" not in post.headers


def test_an_alertmanager_may_want_a_token() -> None:
    post = alertmanager_post(channel(ChannelKind.ALERTMANAGER, "tok"), URL, [FIRING], NOW_S, step_s=30)

    assert post.headers["Authorization"] == "Bearer tok"


def test_pagerduty_is_told_of_one_thing() -> None:
    post = direct_post(channel(ChannelKind.PAGERDUTY, "routing"), [FIRING], NOW_S, external_url="")

    assert (post.url, body(post)["routing_key"], post.headers["Idempotency-Key"]) == (URL, "routing", FIRING.key)


def test_slack_is_told_of_several_things() -> None:
    assert len(body(direct_post(channel(ChannelKind.SLACK), [FIRING, RESOLVED], NOW_S, external_url=""))["blocks"]) == 2


def test_a_webhook_is_told_of_one_thing_with_a_key_and_a_signature() -> None:
    post = direct_post(channel(ChannelKind.WEBHOOK, "key"), [FIRING], NOW_S, external_url="https://us")

    assert (body(post)["receiver"], body(post)["externalURL"]) == ("c", "https://us")
    assert post.headers["Idempotency-Key"] == FIRING.key
    assert is_signed("key", post.body, post.headers["X-Inferometer-Signature"], NOW_S)


def test_without_a_secret_nothing_is_signed() -> None:
    post = direct_post(channel(ChannelKind.WEBHOOK), [FIRING], NOW_S, external_url="")

    assert "X-Inferometer-Signature" not in post.headers


def test_only_slack_hears_of_several_at_once() -> None:
    assert group_of(ChannelKind.SLACK, FIRING) == group_of(ChannelKind.SLACK, RESOLVED) == "chat-good"
    assert group_of(ChannelKind.WEBHOOK, FIRING) != group_of(ChannelKind.WEBHOOK, RESOLVED)
    assert TOGETHER_MAX == {ChannelKind.SLACK: BLOCKS_MAX}


@pytest.mark.parametrize(("n", "sizes"), [(0, []), (64, [64]), (65, [64, 1])])
def test_long_lists_are_cut(n: int, sizes: list[int]) -> None:
    assert [len(part) for part in chunks(range(n), ALERTS_MAX)] == sizes


def test_neither_address_nor_headers_nor_body_are_shown() -> None:
    post = direct_post(channel(ChannelKind.PAGERDUTY, "routing"), [FIRING], NOW_S, external_url="")

    assert repr(post) == "Post()"
