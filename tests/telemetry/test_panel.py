"""A panel that cannot change a decision, or be answered, is refused."""

from typing import Any

import pytest

from telemetry.panel import COLUMNS_MAX, Column, Document, Kind, Page, Panel, Reads, Unit
from telemetry.queries.asked import Asked, Pick
from telemetry.queries.question import Question

WHOLE: dict[str, Any] = {
    "id": "fleet.x",
    "title": "X",
    "page": Page.FLEET,
    "question": "What?",
    "unit": Unit.SECONDS,
    "kind": Kind.STAT,
    "columns": (Column(name="x", unit=Unit.SECONDS),),
    "meaning": "What it says.",
    "action": "What to do.",
    "document": Document.SLOS,
}


def columns(n: int) -> tuple[Column, ...]:
    return tuple(Column(name=f"c{at}") for at in range(n))


def changed(changes: dict[str, Any]) -> Panel:
    words: dict[str, Any] = {**WHOLE, **changes}
    return Panel(**words)


def asked(_asked: Asked, _pick: Pick) -> Question:
    return Question(sql="")


def test_a_whole_panel_is_taken() -> None:
    assert "fleet.x" == changed({}).id
    assert COLUMNS_MAX == len(changed({"columns": columns(COLUMNS_MAX)}).columns)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"action": ""}, id="without an action"),
        pytest.param({"meaning": ""}, id="without a meaning"),
        pytest.param({"document": None}, id="answered by nobody"),
        pytest.param({"ask": asked}, id="answered by both"),
        pytest.param({"reads": Reads.ENGINE}, id="a document that reads"),
        pytest.param({"columns": ()}, id="no columns"),
        pytest.param({"columns": columns(COLUMNS_MAX + 1)}, id="too many columns"),
        pytest.param({"columns": (Column(name="x"), Column(name="x"))}, id="two of a name"),
    ],
)
def test_what_is_no_panel_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"^panel fleet\.x: "):
        changed(changes)
