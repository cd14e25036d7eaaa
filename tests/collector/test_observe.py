from collections.abc import Sequence
from random import Random

import pytest

from collector.connection import Endpoint
from collector.frames import Frame, Kind, decode, encode
from collector.labels import Labels
from collector.observe import (
    _CONNECTIONS_MAX,  # pyright: ignore[reportPrivateUsage] -- the bound under test
    Worker,
)
from collector.rows import Dimensions, Rows, Seen
from telemetry.clock import WallAnchor
from telemetry.meter import MeterResult
from telemetry.outcome import Outcome
from telemetry.record import RequestRecord

MS_NS = 1_000_000
GET = b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def rows() -> Rows:
    anchor = WallAnchor(unix_ms=0, at_ns=0)
    return Rows(Dimensions(endpoint="e"), Labels(), random=Random(1), anchor=anchor)  # noqa: S311 -- seeded


def frame(ms: int, kind: Kind, conn: int = 1, payload: bytes = b"") -> Frame:
    return Frame(kind, conn, ms * MS_NS, payload)


def opened(conn: int = 1) -> list[Frame]:
    return [frame(0, Kind.ACCEPTED, conn, b"client:1"), frame(1, Kind.CONNECTED, conn, b"10.0.0.1:8000")]


def exchanged(ms: int, conn: int = 1) -> list[Frame]:
    return [frame(ms, Kind.REQUEST_BYTES, conn, GET), frame(ms + 1, Kind.RESPONSE_BYTES, conn, OK)]


def observed(frames: Sequence[Frame]) -> tuple[Endpoint, list[RequestRecord]]:
    endpoint = Endpoint(rows())
    Worker(endpoint).take(frames)
    return endpoint, endpoint.take()


def outcomes(frames: Sequence[Frame]) -> list[str]:
    return [str(record.outcome) for record in observed(frames)[1]]


ASKED = [*opened(), frame(10, Kind.REQUEST_BYTES, 1, GET)]


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        pytest.param([*opened(), *exchanged(10)], ["ok"], id="an exchange on a new connection"),
        pytest.param(
            [*opened(1), *opened(2), *exchanged(10, 2), *exchanged(20, 1)], ["ok", "ok"], id="connections are apart"
        ),
        pytest.param([*ASKED, frame(20, Kind.GAP, 1, b"99")], ["unobserved"], id="a gap"),
        pytest.param([*ASKED, frame(20, Kind.HELLO, 0, b"77")], ["unobserved"], id="the worker was replaced"),
        pytest.param([*ASKED, frame(20, Kind.ACCEPTED)], ["unobserved"], id="the number of a connection comes again"),
        pytest.param([*ASKED, frame(20, Kind.CLIENT_RESET)], ["client_cancelled"], id="the client resets"),
        pytest.param(
            [*ASKED, frame(20, Kind.CLIENT_EOF), frame(30, Kind.CLOSED)], ["client_cancelled"], id="the client closes"
        ),
        pytest.param([*ASKED, frame(20, Kind.UPSTREAM_EOF)], ["connect_error"], id="the upstream closes"),
        pytest.param([*ASKED, frame(20, Kind.UPSTREAM_RESET)], ["connect_error"], id="the upstream resets"),
        pytest.param(
            [opened()[0], frame(9, Kind.CONNECT_FAILED, 1, b"111"), frame(9, Kind.CLOSED)],
            ["connect_error"],
            id="the upstream cannot be reached",
        ),
        pytest.param(exchanged(10), [], id="an unknown connection is not guessed at"),
        pytest.param(
            [frame(0, Kind.HELLO, 0, b"1"), *exchanged(200)], ["ok"], id="unless it was silent since the worker began"
        ),
        pytest.param([*opened(2), *exchanged(200)], ["ok"], id="or since the first frame that was seen of its worker"),
        pytest.param([frame(5, Kind.CLOSED), frame(6, Kind.CLOSED, 7)], [], id="the end of an unknown connection"),
        pytest.param([*opened(), Frame(99, 1, 5, b"??"), *exchanged(10)], ["ok"], id="a kind of a later version"),
    ],
)
def test_frames_reach_the_connection_that_they_tell_of(frames: list[Frame], expected: list[str]) -> None:
    assert expected == outcomes(frames)


def test_messages_cut_anywhere_between_frames_give_the_same_rows() -> None:
    frames = [*opened(), *exchanged(10), *exchanged(20)]
    packed = [encode(*one) for one in frames]
    for at in range(len(packed)):
        endpoint = Endpoint(rows())
        worker = Worker(endpoint)
        worker.take(decode(b"".join(packed[:at])))
        last_ns = worker.take(decode(b"".join(packed[at:])))

        assert [record.elapsed_us for record in endpoint.take()] == [1000, 1000]
        assert last_ns == 21 * MS_NS


def test_no_frames_have_no_stamp() -> None:
    assert Worker(Endpoint(rows())).take([]) == 0


def test_lost_frames_are_counted_once_although_the_tee_tells_their_sum() -> None:
    told = [(1, Kind.LOST, b"5"), (2, Kind.LOST, b"8"), (3, Kind.HELLO, b"1"), (4, Kind.LOST, b"2")]
    endpoint, _ = observed([frame(ms, kind, 0, payload) for ms, kind, payload in told])

    assert endpoint.counts.lost_frames == 10


def test_as_many_connections_as_the_bound_are_followed_and_the_oldest_gives_way() -> None:
    endpoint = Endpoint(rows())
    worker = Worker(endpoint)
    worker.take([*ASKED, *(frame(20, Kind.ACCEPTED, conn) for conn in range(2, _CONNECTIONS_MAX + 1))])

    assert not endpoint.counts.desyncs
    worker.take([frame(30, Kind.ACCEPTED, _CONNECTIONS_MAX + 1)])
    assert endpoint.counts.desyncs == {"too_many": 1}
    assert [record.outcome for record in endpoint.take()] == [Outcome.UNOBSERVED]


class FaultyRows(Rows):
    """Rows with a fault: the first records of a run cannot be made."""

    def __init__(self, faults: int) -> None:
        super().__init__(
            Dimensions(endpoint="e"),
            Labels(),
            random=Random(1),  # noqa: S311 -- seeded
            anchor=WallAnchor(unix_ms=0, at_ns=0),
        )
        self._faults = faults

    def record(self, result: MeterResult, seen: Seen) -> RequestRecord:
        if self._faults:
            self._faults -= 1
            raise RuntimeError("a fault of ours")
        return super().record(result, seen)


@pytest.mark.parametrize("faults", [1, 2, 3])
def test_a_fault_of_ours_costs_one_connection_and_never_the_observer(faults: int) -> None:
    endpoint = Endpoint(FaultyRows(faults))
    worker = Worker(endpoint)
    pipelined = [*opened(1), frame(5, Kind.REQUEST_BYTES, 1, GET + GET), frame(6, Kind.RESPONSE_BYTES, 1, OK)]
    worker.take([*pipelined, *exchanged(10, 1), *opened(2), *exchanged(20, 2)])

    assert endpoint.counts.desyncs["internal"] >= 1
    assert endpoint.counts.in_flight == 0
    assert endpoint.counts.begun == endpoint.counts.recorded + endpoint.counts.unparsed == 3
    assert endpoint.counts.recorded == len(endpoint.take())


def test_a_frame_that_cannot_be_read_costs_nothing_else() -> None:
    endpoint, records = observed([frame(1, Kind.LOST, 0, b"many"), *opened(), *exchanged(10)])

    assert endpoint.counts.desyncs == {"internal": 1}
    assert [record.outcome for record in records] == [Outcome.OK]


def test_what_is_open_without_output_is_waiting() -> None:
    worker = Worker(Endpoint(rows()))
    worker.take([*opened(1), *opened(2), *opened(3), *(frame(10, Kind.REQUEST_BYTES, conn, GET) for conn in (1, 2))])
    both = list(worker.open_requests())
    worker.take([frame(20, Kind.RESPONSE_BYTES, 1, OK)])

    assert (both, list(worker.open_requests())) == ([(10_000_000, True)] * 2, [(10_000_000, True)])
