import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.likeness import LESSONS_MAX, LIKE_BYTES_MAX, likeness

KEYS = (b'"content":"', b'"text":"')
BEFORE = b'data: {"choices":[{"delta":{"content":"'
AFTER = b'"},"finish_reason":null}]}\n\n'


def an_event(text: bytes) -> bytes:
    return BEFORE + text + AFTER


@pytest.mark.parametrize(
    ("chunk", "expected"),
    [
        pytest.param(an_event(b"b"), True, id="another text"),
        pytest.param(an_event(b" two words, 3!"), True, id="a longer text"),
        pytest.param(an_event(b""), False, id="no text"),
        pytest.param(an_event(b'b","role":"x'), False, id="a text that ends and goes on with a member"),
        pytest.param(an_event(b"\\n"), False, id="an escape"),
        pytest.param(an_event(b"\n"), False, id="a line end"),
        pytest.param(an_event("é".encode()), False, id="a letter beyond ASCII"),
        pytest.param(an_event(b"\x7f"), False, id="a control character"),
        pytest.param(an_event(b"b") + an_event(b"c"), False, id="two events"),
        pytest.param(an_event(b"b").replace(b"null", b'"stop"'), False, id="an end"),
        pytest.param(an_event(b"b")[:-1], False, id="a part"),
        pytest.param(b"x" + an_event(b"b"), False, id="something before"),
        pytest.param(BEFORE + AFTER[1:], False, id="one quote for two"),
        pytest.param(an_event(b"b" * (LIKE_BYTES_MAX - len(an_event(b"")))), True, id="as long as it may be"),
        pytest.param(an_event(b"b" * (LIKE_BYTES_MAX - len(an_event(b"")) + 1)), False, id="one byte longer"),
    ],
)
def test_what_is_like_an_event(chunk: bytes, expected: bool) -> None:
    found = likeness(an_event(b"a"), KEYS)

    assert found is not None
    assert expected is found.holds(chunk)


@pytest.mark.parametrize(
    "chunk",
    [
        pytest.param(b'data: {"other":"a"}\n\n', id="no such key"),
        pytest.param(an_event(b""), id="no text"),
        pytest.param(an_event(b'\\"content\\":\\"'), id="an escaped text"),
        pytest.param(b'data: {"content":"a","x":{"content":"a"}}\n\n', id="the key twice"),
        pytest.param(b'data: {"content":"a', id="no end"),
    ],
)
def test_what_nothing_is_like(chunk: bytes) -> None:
    assert likeness(chunk, KEYS) is None
    assert LESSONS_MAX > 0


def test_the_second_key_serves_where_the_first_is_missing() -> None:
    found = likeness(b'{"text":"a"}', KEYS)

    assert found is not None
    assert found.holds(b'{"text":"bc"}')


texts = st.text(st.characters(codec="utf-8"), max_size=12)


@given(st.dictionaries(st.sampled_from(["a", "content", "text", "role"]), texts, min_size=1), texts)
def test_what_is_alike_decodes_to_the_same_but_for_its_text(members: dict[str, str], other: str) -> None:
    """The law that the proof stands on, with any text, quotes and backslashes included."""
    chunk = json.dumps(members, separators=(",", ":")).encode()
    found = likeness(chunk, KEYS)
    for key in ("content", "text"):
        again = json.dumps(members | {key: other}, separators=(",", ":"), ensure_ascii=False).encode()
        if found is not None and found.holds(again):
            changed = [name for name, value in json.loads(again).items() if members.get(name) != value]
            assert members.keys() == json.loads(again).keys()
            assert changed in ([], [key])
            assert all(json.loads(again)[name] for name in changed)
