import json
import re
from base64 import b64encode
from hashlib import sha256

import pytest

from loadtest.report_page import page
from loadtest.report_shapes import Sheet

HOSTILE = "</script><img src=x onerror=alert(1)><!--<script>&amp;"


def sheet(title: str) -> Sheet:
    return Sheet(title=title, signs=[], facts=[("model", title)], sections=[])


def test_the_policy_allows_the_one_script_and_the_one_style_and_nothing_else() -> None:
    made = page(sheet("t"), "let a = 1 < 2;", "p { color: red }")
    (policy,) = re.findall('Content-Security-Policy" content="([^"]*)"', made)

    for name, text in (("script", "let a = 1 < 2;"), ("style", "p { color: red }")):
        digest = b64encode(sha256(text.encode()).digest()).decode()
        assert f"{name}-src 'sha256-{digest}'" in policy
        assert f"<{name}>{text}</{name}>" in made
    assert policy.startswith("default-src 'none'; ")


@pytest.mark.parametrize("text", [HOSTILE, "\u2028 \u2029 \u202e", "x" * 10_240])
def test_no_text_of_the_data_leaves_its_block(text: str) -> None:
    made = page(sheet(text), "", "")
    (data,) = re.findall('<script type="application/json" id="data">(.*?)</script>', made, re.DOTALL)

    assert text == json.loads(data)["facts"][0][1]
    assert not set("<>&") & set(data)
    assert 2 == made.count("</script>")


def test_the_title_is_text_and_short() -> None:
    (title,) = re.findall("<title>(.*?)</title>", page(sheet(HOSTILE + "x" * 200), "", ""))

    assert "&lt;/script&gt;" in title
    assert len(title) < 200
