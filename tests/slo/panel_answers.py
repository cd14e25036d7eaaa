"""How the tests of panels read an answer."""

from typing import Any

from panel_rig import PanelRig

Row = dict[str, Any]


def rows(past: PanelRig, panel: str, endpoint: str, **asked: Any) -> list[Row]:  # noqa: ANN401 -- what a panel may be asked
    """Return the rows of a panel by the names of its columns."""
    answer = past.ask(panel, **{"from": "now-1h", "endpoint": [endpoint], **asked})
    assert answer.error is None, answer.error
    return [dict(zip([one.name for one in answer.columns], row, strict=True)) for row in answer.rows]


def known(found: list[Row], column: str) -> set[Any]:
    """Return the values of a column that are known."""
    return {row[column] for row in found if row[column] is not None}
