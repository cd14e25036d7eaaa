"""Tests of slo.slack_body."""

from dataclasses import replace

import pytest
from notices import FIRING, RESOLVED

from slo.slack_body import BLOCK_CHARS_MAX, BLOCKS_MAX, slack_body


def test_the_text_alone_says_everything() -> None:
    body = slack_body([FIRING, RESOLVED])

    assert body["text"] == ":rotating_light: page: chat burns 20x\n:white_check_mark: resolved: chat burns 20x"
    assert body["blocks"][0]["text"]["text"] == (
        ":rotating_light: page: *chat burns 20x*\nburn: 20\n<http://127.0.0.1:8200/alerts/ab|look>"
    )


def test_names_cannot_become_markup() -> None:
    hostile = replace(FIRING, annotations={"summary": "<!channel> & <http://x|y>"}, link="")
    body = slack_body([hostile])

    assert "<" not in body["text"]
    assert "&lt;!channel&gt; &amp; &lt;http://x|y&gt;" in body["blocks"][0]["text"]["text"]


@pytest.mark.parametrize("beyond", [0, 1])
def test_alerts_beyond_the_bound_are_a_number(beyond: int) -> None:
    body = slack_body([FIRING] * (BLOCKS_MAX + beyond))

    assert len(body["blocks"]) == BLOCKS_MAX + beyond
    assert body["text"].endswith("and 1 more") == (beyond == 1)


@pytest.mark.parametrize("beyond", [0, 1])
def test_a_block_beyond_the_bound_is_cut_and_keeps_its_link(beyond: int) -> None:
    rest = len(slack_body([replace(FIRING, annotations={"summary": "s", "a": ""})])["blocks"][0]["text"]["text"])
    long = replace(FIRING, annotations={"summary": "s", "a": "x" * (BLOCK_CHARS_MAX - rest + beyond)})
    text = slack_body([long])["blocks"][0]["text"]["text"]

    assert len(text) == BLOCK_CHARS_MAX
    assert text.endswith("|look>")
