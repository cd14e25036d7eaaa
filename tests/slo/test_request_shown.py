"""One request with all its parts."""

from uuid import UUID

import pytest

from slo.request_shown import cursor, facets_shown, read_cursor, rows_shown, whole
from telemetry.schema import REQUESTS

ID = UUID(int=7)
NOTHING: dict[str, object] = {one.name: None for one in REQUESTS.columns}
ROW = NOTHING | {
    "residual_us": 5_000, "tee_us": 1_000, "srv_queue_us": 10_000, "srv_prefill_us": 20_000, "e2e_us": 500_000,
    "ttft_us": 36_500, "stall_us": 100_000, "tok_by_s": [3, 4], "trace_id": b"\x01" * 16, "itl_h": {-3: 2},
    "record_id": ID, "endpoint": "chat",
}  # fmt: skip
LISTED = {
    "t": 1, "id": str(ID), "endpoint": "chat", "model": "m", "outcome": "ok", "phase": "done", "ttft": 0.1,
    "tpot": None, "icl_max": None, "e2e": 0.5, "tokens_in": 1, "tokens_out": 2, "replica": "r", "trace": None,
}  # fmt: skip


def test_the_parts_add_up() -> None:
    shown = whole(ID, ROW)

    names = ["network", "tee", "queue", "prefill", "decode", "stall", "rest"]
    assert names == [one.name for one in shown.parts]
    assert 0.5 == pytest.approx(sum(one.s for one in shown.parts))
    assert {"client", "engine", "client and engine"} == {one.clock for one in shown.parts}


def test_what_is_not_known_is_no_part() -> None:
    shown = whole(ID, ROW | {"srv_queue_us": None, "e2e_us": None})

    assert ["network", "tee", "prefill"] == [one.name for one in shown.parts]


def test_everything_stored_is_told_with_unit_and_meaning() -> None:
    shown = whole(ID, ROW)

    assert len(REQUESTS.columns) == len(shown.columns)
    assert ("01" * 16, {"-3": 2}, [3, 4]) == tuple(
        shown.columns[name].value for name in ("trace_id", "itl_h", "tok_by_s")
    )
    assert ("us", True) == (shown.columns["ttft_us"].unit, bool(shown.columns["ttft_us"].meaning))
    assert (3, 4) == shown.tokens_by_s
    assert str(ID) == shown.columns["record_id"].value


def test_a_cursor_is_read_as_it_was_written() -> None:
    (row,) = rows_shown([LISTED])

    assert (123, ID) == read_cursor(cursor(row, 123))
    for text in ("", "x.y", "1", f"-1.{ID}"):
        with pytest.raises(ValueError, match=r"."):
            read_cursor(text)


def test_facets_are_told_as_they_are() -> None:
    row = {"facet": "model", "value": "m", "n": 3, "share_of_all": 0.5, "share_of_bad": None, "lift": None}

    assert "m" == facets_shown([row])[0].value
