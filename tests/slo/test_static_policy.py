"""The policy of the pages: spec/ui.md A11."""

import hashlib
from base64 import b64encode

import pytest

from slo.static_policy import DEPTH_MAX, index_pages

MAP = '{"imports":{"preact":"./vendor/preact-1/preact.js"}}'
PAGE = f"""<!doctype html><link rel="stylesheet" href="app/theme.css">
<script type="importmap">{MAP}</script>
<script type="module" src="app/main.js"></script><a href="https://x.test/app/">x</a>"""


def hashed(text: str) -> str:
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_the_hash_is_that_of_the_import_map() -> None:
    page = index_pages(PAGE)[0]

    assert f"script-src 'self' {hashed(MAP)};" in page.policy
    assert page.policy.startswith("default-src 'none'; ")
    assert page.policy.endswith("require-trusted-types-for 'script'; trusted-types 'none'")
    assert "unsafe" not in page.policy
    assert PAGE == page.html


def test_below_a_deeper_address_everything_is_lifted_and_hashed_again() -> None:
    page = index_pages(PAGE)[2]

    assert 'href="../../app/theme.css"' in page.html
    assert 'src="../../app/main.js"' in page.html
    assert '"../../vendor/preact-1/preact.js"' in page.html
    assert 'href="https://x.test/app/"' in page.html
    assert hashed(MAP.replace("./vendor", "../../vendor")) in page.policy
    assert DEPTH_MAX + 1 == len(index_pages(PAGE))


@pytest.mark.parametrize(
    "more",
    [
        pytest.param("<script>alert(1)</script>", id="a script"),
        pytest.param('<script type="importmap">{}</script>', id="a second map"),
        pytest.param("<style>p{}</style>", id="a style"),
        pytest.param('<p style="x">', id="a style of an element"),
        pytest.param('<p onclick="x">', id="a handler"),
        pytest.param('<base href="/">', id="a base, which the policy forbids"),
        pytest.param('<script src="app/x.js">alert(1)</script>', id="a file with a script in it"),
    ],
)
def test_what_the_policy_would_stop_is_refused_at_the_start(more: str) -> None:
    with pytest.raises(ValueError, match=r"^index\.html: "):
        index_pages(PAGE + more)
