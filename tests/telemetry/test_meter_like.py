"""An event that is like one before is measured without being read in full, and nothing tells the difference."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.dialects import RequestShape
from telemetry.likeness import LESSONS_MAX
from telemetry.meter import StreamMeter

MS = 1_000_000
CHAT = RequestShape(api="openai_chat", stream=True)


def event(payload: object) -> bytes:
    return b"data: " + json.dumps(payload, separators=(",", ":")).encode() + b"\n\n"


def choice(**members: object) -> bytes:
    return event({"choices": [members]})


def delta(content: str, finish: str | None = None, **more: object) -> bytes:
    return event({"choices": [{"index": 0, "delta": {"content": content}, "finish_reason": finish}], **more})


USED = event({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4}})


def streaming(asked: RequestShape) -> StreamMeter:
    meter = StreamMeter(asked)
    meter.begin(10 * MS)
    meter.connected(11 * MS)
    meter.sent(12 * MS)
    meter.headers(200, [(b"content-type", b"text/event-stream")], 15 * MS)
    return meter


@given(
    st.lists(
        st.tuples(
            st.one_of(
                st.builds(delta, st.sampled_from(["a", "b c", "", 'q"', "\\", "é", '","role":"x']), st.just(None)),
                st.builds(delta, st.just("a"), st.sampled_from([None, "stop"]), id=st.sampled_from(["x", "y"])),
                st.builds(delta, st.just("a"), usage=st.fixed_dictionaries({"completion_tokens": st.integers(1, 9)})),
                st.sampled_from([USED, event({"error": {"code": 500}}), b": c\n\n", b"data: [DONE]\n\n"]),
                st.builds(choice, text=st.sampled_from(["a", "b", ""])),
                st.builds(choice, index=st.integers(0, 2), delta=st.just({"content": "x"})),
            ),
            st.integers(0, 3),
        ),
        max_size=30,
    ),
    st.sampled_from([CHAT, RequestShape(api="openai_chat", stream=True, n=2, echo=True)]),
)
def test_events_that_are_like_others_are_measured_as_if_read_in_full(
    steps: list[tuple[bytes, int]], asked: RequestShape
) -> None:
    """The law of `telemetry.likeness`: an event that comes in two pieces is always read in full."""
    quick, full = streaming(asked), streaming(asked)
    at_ns = 20 * MS
    for chunk, gap_ms in steps:
        at_ns += gap_ms * MS
        quick.feed(chunk, at_ns)
        full.feed(chunk[:9], at_ns)
        full.feed(chunk[9:], at_ns)
        assert quick.result() == full.result()
    quick.end(at_ns)
    full.end(at_ns)

    assert quick.result() == full.result()


@pytest.mark.parametrize("looks", [1, LESSONS_MAX, LESSONS_MAX + 1, 3 * LESSONS_MAX])
def test_a_stream_may_change_its_looks_as_often_as_it_wants(looks: int) -> None:
    chunks = [delta("a", id=str(number)) for number in range(looks) for _ in range(3)]
    quick, full = streaming(CHAT), streaming(CHAT)
    for number, chunk in enumerate(chunks):
        quick.feed(chunk, (20 + number) * MS)
        full.feed(chunk[:9], (20 + number) * MS)
        full.feed(chunk[9:], (20 + number) * MS)

    assert 3 * looks == quick.result().n_out_events
    assert quick.result() == full.result()
