"""A server that cannot take our tables is told, and does not hold up the start.

The embedded store stands for a server whose tables are up to date and whose user is no admin.
"""

import socket
from collections.abc import Iterator

import pytest

from inferometer.errors import ConfigurationError, UnreachableError
from inferometer.server import make_tables, migrated
from telemetry.testing.endpoint import Endpoint
from telemetry.testing.steps import AwaitToken, HalfClose, Send
from telemetry.testing.store_process import StoreProcess


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


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreProcess]:
    with StoreProcess(tmp_path_factory.mktemp("server") / "data") as running:
        yield running


def test_the_plan_for_a_server_that_is_up_to_date_is_empty(process: StoreProcess) -> None:
    assert "" == migrated(process.url, "reader", process.secret("reader"), {}, plan=True)


def test_the_plan_names_what_would_be_kept_for_another_time(process: StoreProcess) -> None:
    assert migrated(process.url, "reader", process.secret("reader"), {"requests": 30, "hints": 0}, plan=True) == (
        "ALTER TABLE inferometer.requests MODIFY SETTING materialize_ttl_recalculate_only = 1;\n"
        "ALTER TABLE inferometer.requests MODIFY TTL toDateTime(ended_at) + INTERVAL 30 DAY;\n"
        "ALTER TABLE inferometer.hints REMOVE TTL;\n"
    )


def test_a_user_who_may_not_is_told_in_one_line(process: StoreProcess) -> None:
    with pytest.raises(ConfigurationError, match=rf"^store {process.url}: .*497.*$"):
        migrated(process.url, "reader", process.secret("reader"), {})


def test_what_is_no_name_of_a_cluster_never_reaches_a_server() -> None:
    with pytest.raises(ConfigurationError, match='cluster name "a\'b"'):
        migrated("http://127.0.0.1:1", "", "", {}, cluster="a'b")


def test_a_server_that_does_not_answer_is_not_migrated() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"

    with pytest.raises(UnreachableError, match=f"^store {url}: "):
        migrated(url, "", "", {}, plan=True)
