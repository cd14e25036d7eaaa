from typing import Any

import pytest

from probes.payload import DEPTH_MAX, TAKEN_CHARS_MAX, filled_body, taken


def test_all_texts_are_filled_and_no_names() -> None:
    body = {"a": "${x}", "${x}": ["b ${x}", 1, None, {"c": "${x}${y}"}]}

    assert {"a": "1", "${x}": ["b 1", 1, None, {"c": "1${y}"}]} == filled_body(body, {"x": "1"})


def test_texts_are_filled_so_deep_and_no_deeper() -> None:
    deep: Any = "${x}"
    for _ in range(DEPTH_MAX):
        deep = [deep]

    assert "${x}" not in str(filled_body(deep, {"x": "1"}))
    assert "${x}" in str(filled_body([[deep]], {"x": "1"}))


@pytest.mark.parametrize(
    ("body", "path", "expected"),
    [
        (b'{"a":"b"}', "a", "b"),
        (b'{"a":[{"b":"c"}]}', "a.0.b", "c"),
        (b'{"a":1.5}', "a", "1.5"),
        (b'{"a":true}', "a", None),
        (b'{"a":{"b":1}}', "a", None),
        (b'{"a":[1]}', "a.1", None),
        (b'{"a":[1]}', "a.-1", None),
        (b'{"a":[1]}', "a." + "9" * 5000, None),
        (b'{"a":1}', "a.b", None),
        (b"[1,2]", "1", "2"),
        (b"no json", "a", None),
        (b"[" * 99_999, "0", None),
    ],
)
def test_a_text_is_taken_from_its_place(body: bytes, path: str, expected: str | None) -> None:
    assert expected == taken(body, path)


def test_a_text_is_taken_up_to_its_bound() -> None:
    text = "x" * TAKEN_CHARS_MAX

    assert text == taken(f'{{"a":"{text}"}}'.encode(), "a")
    assert taken(f'{{"a":"{text}x"}}'.encode(), "a") is None
