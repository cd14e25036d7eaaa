import pytest

from probes.deadlines import Deadlines
from telemetry.dialects import RequestShape
from telemetry.meter import MeterResult, StreamMeter
from telemetry.outcome import AbortBy

S = 1_000_000_000
LIMITS = Deadlines(first_token_s=5, stall_s=2, total_s=20)
ROLE = b'data: {"choices":[{"index":0,"delta":{"role":"assistant"}}]}\n\n'
TOKEN = b'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'
FINISH = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'


def heard(*chunks: tuple[bytes, int]) -> MeterResult:
    meter = StreamMeter(RequestShape(api="openai_chat", stream=True))
    meter.begin(100 * S)
    meter.headers(200, [(b"content-type", b"text/event-stream")], 100 * S)
    for data, at_ns in chunks:
        meter.feed(data, at_ns)
    return meter.result()


@pytest.mark.parametrize(
    ("at_ns", "found", "expected"),
    [
        (100 * S, None, (120 * S, AbortBy.TOTAL_DEADLINE)),
        (100 * S, heard(), (105 * S, AbortBy.FIRST_TOKEN_DEADLINE)),
        (104 * S, heard((ROLE, 104 * S)), (105 * S, AbortBy.FIRST_TOKEN_DEADLINE)),
        (104 * S, heard((TOKEN, 104 * S)), (106 * S, AbortBy.STALL_DEADLINE)),
        (105 * S, heard((TOKEN, 104 * S), (b": keep-alive\n\n", 105 * S)), (106 * S, AbortBy.STALL_DEADLINE)),
        (106 * S, heard((TOKEN, 104 * S), (FINISH, 106 * S)), (108 * S, AbortBy.STALL_DEADLINE)),
        (119 * S, heard((TOKEN, 119 * S)), (120 * S, AbortBy.TOTAL_DEADLINE)),
    ],
    ids=["whole body", "nothing yet", "role", "token", "a comment is no output", "finish", "the whole ends first"],
)
def test_what_is_waited_for_next(at_ns: int, found: MeterResult | None, expected: tuple[int, AbortBy]) -> None:
    assert expected == LIMITS.next(100 * S, at_ns, found)
