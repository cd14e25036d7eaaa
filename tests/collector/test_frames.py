import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.frames import HEADER, MESSAGE_BYTES_MAX, PAYLOAD_BYTES_MAX, Frame, Kind, decode, encode

FRAMES = st.lists(
    st.builds(
        Frame,
        kind=st.sampled_from([int(kind) for kind in Kind]),
        conn=st.integers(0, 2**64 - 1),
        at_ns=st.integers(0, 2**64 - 1),
        payload=st.binary(max_size=40),
    ),
    max_size=6,
)


@given(FRAMES)
def test_a_message_gives_back_its_frames(frames: list[Frame]) -> None:
    message = b"".join(encode(*frame) for frame in frames)

    assert list(decode(message)) == frames


@pytest.mark.parametrize("cut", range(1, HEADER.size + 3), ids=lambda cut: f"at byte {cut}")
def test_a_message_cut_inside_a_frame_is_refused(cut: int) -> None:
    message = encode(Kind.REQUEST_BYTES, 1, 2, b"abc")

    with pytest.raises(ValueError, match="cut at byte"):
        list(decode(message[:cut]))


def test_the_largest_payload_fits_into_a_message() -> None:
    message = encode(Kind.RESPONSE_BYTES, 1, 2, bytes(PAYLOAD_BYTES_MAX))

    assert len(message) <= MESSAGE_BYTES_MAX
    assert [len(frame.payload) for frame in decode(message)] == [PAYLOAD_BYTES_MAX]
