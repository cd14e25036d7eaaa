import pytest

from loadtest.answer_text import BODY_BYTES_MAX, text_of
from loadtest.null_script import Form, Shape, moves


@pytest.mark.parametrize("form", [Form.CHAT, Form.COMPLETIONS])
def test_the_text_is_what_was_streamed(form: Form) -> None:
    body = b"".join(b"1".join(move.parts) for move in moves(Shape(), form, 3, tokens_in=1, usage=True))

    assert "tok tok tok " == text_of(body)


@pytest.mark.parametrize(
    "body", [b"", b"data: [DONE]\n\n", b"data: {\n\n", b'data: {"choices":[{"delta":{}}]}\n\n', b"\xff"]
)
def test_what_has_no_text_gives_none(body: bytes) -> None:
    assert "" == text_of(body)
    assert BODY_BYTES_MAX > len(body)
