"""Headers that say what a request is part of: a keyed number for the name, and nothing that was not configured."""

from random import Random

import pytest

from collector.connection import Connection, Endpoint
from collector.flow_headers import ATTEMPT_MAX, NO_HEADERS, WORKLOAD_CLASSES, FlowHeaders
from collector.http_heads import Headers
from collector.labels import Labels
from collector.rows import Dimensions, Rows, Seen
from telemetry.clock import WallAnchor
from telemetry.ids import flow_id

READS = FlowHeaders("X-Workflow-Id", b"key", "X-Workload-Class")


def seen(headers: Headers, reads: FlowHeaders = READS) -> Seen:
    found = Seen(t_issue_ns=0)
    reads.read(headers, found)
    return found


def test_the_name_of_a_workflow_becomes_a_keyed_number_whatever_the_case_of_the_header() -> None:
    named: Headers = [(b"x-workflow-id", b"order 17")]
    one, other_key = seen(named), seen(named, FlowHeaders("x-workflow-id", b"another"))

    assert one.flow_id == flow_id(b"key", b"order 17")
    assert one.flow_id != other_key.flow_id
    assert seen([(b"x-workflow-id", b"")]).flow_id is None
    assert (seen([]).flow_id, seen(named, NO_HEADERS).flow_id) == (None, None)


@pytest.mark.parametrize(
    ("word", "expected"), [(b"batch", "batch"), (b"Workflow", "workflow"), (b"x' --", ""), (b"", "")]
)
def test_only_a_class_that_there_is_is_believed(word: bytes, expected: str) -> None:
    assert seen([(b"x-workload-class", word)]).workload_class == expected
    assert not expected or expected in WORKLOAD_CLASSES


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        (b"0", 1),
        (b"2", 3),
        (b"-1", 1),
        (b"x", 1),
        (b"254", ATTEMPT_MAX),
        (b"255", ATTEMPT_MAX),
        (b"9" * 5000, ATTEMPT_MAX),
    ],
)
def test_the_number_of_the_attempt_is_that_of_the_retries_and_one(word: bytes, expected: int) -> None:
    assert seen([(b"x-stainless-retry-count", word)]).attempt == expected


def test_a_row_of_the_wire_says_which_flow_it_belongs_to() -> None:
    anchor = WallAnchor(unix_ms=0, at_ns=0)
    rows = Rows(Dimensions(endpoint="e"), Labels(), random=Random(1), anchor=anchor)  # noqa: S311 -- seeded
    endpoint = Endpoint(rows, flows=READS)
    connection = Connection(endpoint, 0, is_known=True)
    connection.connected("10.0.0.1:8000", 1)
    for name, at_ns in ((b"a", 10), (b"b", 30)):
        connection.request_bytes(b"GET /x HTTP/1.1\r\nhost: h\r\nX-Workflow-ID: " + name + b"\r\n\r\n", at_ns)
        connection.response_bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", at_ns + 10)

    assert [one.flow_id for one in endpoint.take()] == [flow_id(b"key", b"a"), flow_id(b"key", b"b")]
