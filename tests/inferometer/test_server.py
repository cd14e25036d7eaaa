"""A server that cannot take our tables is told, and does not hold up the start."""

import socket

from inferometer.server import make_tables
from telemetry.testing.endpoint import Endpoint
from telemetry.testing.steps import AwaitToken, HalfClose, Send


class Events:
    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, object]]] = []

    def __call__(self, event: str, /, **fields: object) -> None:
        self.told.append((event, fields))


REFUSAL = b"Code: 497. DB::Exception: Not enough privileges. (ACCESS_DENIED)"
DENIED = b"HTTP/1.1 403 Forbidden\r\nX-ClickHouse-Exception-Code: 497\r\nContent-Length: %d\r\n\r\n%s"


def test_a_server_that_lets_nobody_look_gets_its_rows_all_the_same() -> None:
    log = Events()
    with Endpoint([AwaitToken(), Send(DENIED % (len(REFUSAL), REFUSAL)), HalfClose()]) as endpoint:
        host, port = endpoint.address

        assert not make_tables(f"http://{host}:{port}", "", "", log)

    assert [event for event, _ in log.told] == [
        "the tables may not be checked by this user; rows are sent all the same"
    ]


def test_a_server_that_is_away_is_told() -> None:
    log = Events()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"

    assert not make_tables(url, "", "", log)
    [(event, fields)] = log.told
    assert (event, fields["store"]) == ("the store is not ready; rows wait in the spool", url)
