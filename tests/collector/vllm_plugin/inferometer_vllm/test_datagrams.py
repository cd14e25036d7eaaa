"""What the plugin packs, read back by the receiver that takes it."""

import struct

import pytest
from inferometer_vllm.datagrams import NAME_BYTES_MAX, ROWS_MAX, Source, datagrams
from plugin_requests import NOW_MS, SOURCE, finished
from vllm.v1.metrics.stats import FinishedRequestStats

from collector.plugin_rows import DATAGRAM_BYTES_MAX, Datagram, decoded


def sent(rows: list[FinishedRequestStats], source: Source = SOURCE, dropped: int = 0) -> list[Datagram]:
    made = list(datagrams(rows, source, at_unix_s=NOW_MS / 1000, dropped=dropped))
    read = [decoded(datagram, NOW_MS) for datagram, _ in made]
    assert [n for _, n in made] == [len(one.rows) for one in read]
    assert all(len(datagram) <= DATAGRAM_BYTES_MAX for datagram, _ in made)
    return read


def test_what_is_read_is_what_was_packed() -> None:
    [read] = sent([finished(0), finished(1, "cmpl-ünïque-0")], dropped=7)

    assert (read.pid, read.engine, read.model, read.dropped) == (4_000_000_000, 3, "tiny", 7)
    assert read.ended_at == NOW_MS
    assert [tuple(row)[2:] for row, _ in read.rows] == [
        (1.25, 0.001, 0.02, 0.4, 100, 5, 64),
        (2.25, 0.001, 0.02, 0.4, 101, 5, 64),
    ]
    assert [(row.reason, name) for row, name in read.rows] == [(1, f"chatcmpl-{0:032x}"), (1, "cmpl-ünïque-0")]


@pytest.mark.parametrize(("rows", "parts"), [(1, [1]), (ROWS_MAX, [ROWS_MAX]), (ROWS_MAX + 1, [ROWS_MAX, 1])])
def test_an_iteration_is_one_datagram_up_to_the_bound(rows: int, parts: list[int]) -> None:
    read = sent([finished(number, f"{number}-{'x' * NAME_BYTES_MAX}") for number in range(rows)])

    assert parts == [len(one.rows) for one in read]
    assert [100 + number for number in range(rows)] == [row.tokens_in for one in read for row, _ in one.rows]


def test_nothing_finished_is_nothing_sent() -> None:
    assert sent([]) == []


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("x" * NAME_BYTES_MAX, "x" * NAME_BYTES_MAX),
        ("x" * (NAME_BYTES_MAX + 1), "x" * NAME_BYTES_MAX),
        ("x" * (NAME_BYTES_MAX - 1) + "ü", "x" * (NAME_BYTES_MAX - 1) + "\ufffd"),
        ("lone \ud800", "lone ?"),
    ],
    ids=["at the bound", "beyond it", "cut inside a character", "not encodable"],
)
def test_long_and_odd_names_are_cut_not_refused(name: str, read: str) -> None:
    [one] = sent([finished(name=name)], Source(pid=1, engine=0, model=name))

    assert (one.model, one.rows[0][1]) == (read, read)


def test_a_request_without_a_name_has_an_empty_one() -> None:
    row = finished()
    row.request_id = None
    [one] = sent([row])

    assert one.rows[0][1] == ""


def test_a_number_that_does_not_fit_is_refused() -> None:
    row = finished()
    row.num_prompt_tokens = -1

    with pytest.raises(struct.error):
        sent([row])
