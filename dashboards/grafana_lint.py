"""Knows what a Grafana dashboard of ours must have, and names the panel that lacks it; refuses to make one.

Source: spec/ui.md 8 (own lint); grafana/dashboard-linter, rules panel-units, panel-datasource, panel-title-description.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_UID = "${datasource}"
_WIDTH = 24
Json = Mapping[str, Any]


def faults(dashboard: Json) -> list[str]:
    """Return what is wrong with a dashboard, each with the panel's title; nothing if all is well."""
    panels: Sequence[Json] = dashboard["panels"]
    found = [f"{one.get('title') or one.get('id')}: {fault}" for one in panels for fault in _of_panel(one)]
    ids = [one["id"] for one in panels]
    found += [f"{one['title']}: its id is another's" for one in panels if ids.count(one["id"]) > 1]
    found += _overlaps(panels)
    names = [one["name"] for one in dashboard["templating"]["list"]]
    if "datasource" not in names:
        found.append(f"{dashboard['title']}: no variable for the data source")
    return found


def _of_panel(panel: Json) -> Iterator[str]:
    yield from (f"no {name}" for name in ("title", "description") if not panel.get(name))
    if panel["type"] != "text":
        yield from _of_chart(panel)


def _of_chart(panel: Json) -> Iterator[str]:
    if not panel["fieldConfig"]["defaults"].get("unit"):
        yield "no unit"
    sources = [one.get("datasource", {}).get("uid") for one in (panel, *panel["targets"])]
    if any(uid != _UID for uid in sources):
        yield "the data source is not the variable"
    if not all(target.get("rawSql") or target.get("expr") for target in panel["targets"]):
        yield "nothing is asked"


def _overlaps(panels: Sequence[Json]) -> Iterator[str]:
    taken: dict[tuple[int, int], str] = {}
    for one in panels:
        place = one["gridPos"]
        if place["x"] + place["w"] > _WIDTH:
            yield f"{one['title']}: wider than the dashboard"
        cells = [
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        ]
        others = {taken[cell] for cell in cells if cell in taken}
        yield from (f"{one['title']}: lies over {other}" for other in sorted(others))
        taken |= {cell: str(one["title"]) for cell in cells}
