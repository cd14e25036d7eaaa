"""What Grafana's published models say of a document: fields that they do not know, lack, or know with another type.

The models are those of grafana-foundation-sdk, which Grafana generates from its schemas. A document is read into its
model and written again: what is lost or changed is no field of Grafana. Then each value is compared with the type that
its model declares, and what a model requires must be there, but in what a panel leaves to its plugin: Grafana merges
that with the plugin's defaults. A query of ClickHouse has no model there; its shape is that of its own plugin.

Source: grafana-foundation-sdk 1769699379!11.6.0; grafana/clickhouse-datasource, src/types/sql.ts (CHSqlQuery).
"""

import json
from collections.abc import Iterator, Mapping
from enum import Enum
from types import NoneType
from typing import Any, Literal, Union, cast, get_args, get_origin, get_type_hints

from grafana_foundation_sdk.cog import runtime
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models import alerting, dashboard

from dashboards.grafana_source import PLUGINS, Flavour

Json = dict[str, Any]
_SQL = {"refId": str, "datasource": dict, "editorType": str, "format": int, "rawSql": str}
_FILE = {"apiVersion", "groups"}
_GROUP = {"orgId", "name", "folder", "interval", "rules"}
_READING = (KeyError, TypeError, ValueError, AttributeError)

register_default_plugins()


def of_dashboard(document: Json) -> list[str]:
    """Return what is wrong with a dashboard, each with the panel's title."""
    found = list(_of(dashboard.Dashboard, document | {"panels": []}, str(document["title"])))
    for panel in document["panels"]:
        where = str(panel.get("title") or panel.get("id"))
        found += _of(dashboard.Panel, panel, where)
        found += _of_plugin(panel, where)
    return found


def of_alerts(document: Json) -> list[str]:
    """Return what is wrong with a file of alert rules, each with the rule's title.

    The file says once for a group what the model of a rule has in each (Grafana, provisioning/alerting/rules_types.go).
    """
    found = [f"unknown or missing {name}" for name in sorted(set(document) ^ _FILE)]
    for group in document["groups"]:
        found += [f"{group.get('name')}: unknown or missing {name}" for name in sorted(set(group) ^ _GROUP)]
        for rule in group["rules"]:
            beside = {"folderUID": group.get("folder"), "ruleGroup": group.get("name"), "orgID": group.get("orgId")}
            found += _of(alerting.Rule, rule | beside, str(rule.get("title")))
    return found


def _of(kind: type[Any], data: Json, where: str) -> Iterator[str]:
    try:
        written: Json = json.loads(JSONEncoder().encode(kind.from_json(data)))
    except _READING as error:
        yield f"{where}: cannot be read: {error!r}"
        return
    yield from _lost(data, written, where)
    yield from _walked(kind, data, where)


def _of_plugin(panel: Json, where: str) -> Iterator[str]:
    """Yield what is wrong with that of a panel whose model depends on how it is drawn."""
    config = runtime.panelcfg_config(panel["type"])
    if config is None:
        yield f"{where}: no panel is a {panel['type']}"
        return
    custom = panel.get("fieldConfig", {}).get("defaults", {}).get("custom", {})
    parts = (
        (config.options_from_json_hook, panel.get("options", {}), "options"),
        (config.field_config_from_json_hook, custom, "custom"),
    )
    for read, part, name in parts:
        if read is not None:
            model: object = read(part)
            yield from _walked(type(model), part, f"{where}.{name}", is_merged=True)


def _lost(ours: Any, theirs: Any, where: str) -> Iterator[str]:  # noqa: ANN401 -- whatever a document holds
    own, other = _parts(ours), _parts(theirs)
    if own is None or other is None:
        yield from () if ours == theirs else (f"{where}: {ours!r} became {theirs!r}",)
        return
    yield from (f"{where}: unknown field {name}" for name in own if name not in other)
    for name in own.keys() & other.keys():
        yield from _lost(own[name], other[name], f"{where}.{name}")


def _parts(value: Any) -> Mapping[str, Any] | None:  # noqa: ANN401 -- as above
    """Return what an object or a list is made of, by name or by place; None of all else."""
    if isinstance(value, dict):
        return cast("Json", value)
    return {str(at): one for at, one in enumerate(cast("list[Any]", value))} if isinstance(value, list) else None


def _walked(kind: type[Any], data: Mapping[str, Any], where: str, *, is_merged: bool = False) -> Iterator[str]:
    fields = _fields(kind)
    yield from (f"{where}: unknown field {name}" for name in data if name not in fields)
    if not is_merged:
        yield from (f"{where}: no {name}" for name in sorted(_required(kind) - data.keys()))
    for name in data.keys() & fields.keys():
        yield from _typed(data[name], fields[name], f"{where}.{name}")


def _fields(kind: type[Any]) -> dict[str, Any]:
    """Return the fields of a model, as they are written, with their types."""
    bare, hints = kind(), get_type_hints(kind)
    marks = {name: object() for name in hints}
    for name, mark in marks.items():
        setattr(bare, name, mark)
    return {name: hints[own] for name, mark in bare.to_json().items() for own in hints if marks[own] is mark}


def _required(kind: type[Any]) -> set[str]:
    """Return the fields that are written though nothing is known of any that may be left out."""
    bare = kind()
    for name, hint in get_type_hints(kind).items():
        if NoneType in get_args(hint):
            setattr(bare, name, None)
    return set(bare.to_json())


def _typed(value: Any, hint: Any, where: str) -> Iterator[str]:  # noqa: ANN401 -- as above
    inner, parts = get_args(hint), _parts(value) or {}
    if get_origin(hint) is Union:
        kinds = [one for one in inner if (one is NoneType) == (value is None)] or inner
        yield from min((list(_typed(value, one, where)) for one in kinds), key=len)
    elif hint is Dataquery and isinstance(value, dict):
        yield from _query(parts, where)
    elif hasattr(hint, "from_json") and isinstance(value, dict):
        yield from _walked(hint, parts, where)
    elif not _is(value, hint):
        yield f"{where}: {value!r} is no {getattr(hint, '__name__', hint)}"
    elif get_origin(hint) in {list, dict}:
        for name, one in parts.items():
            yield from _typed(one, inner[-1], f"{where}.{name}")


def _query(query: Mapping[str, Any], where: str) -> Iterator[str]:
    source = query.get("datasource", {}).get("type")
    if source in runtime.Runtime().dataquery_variants:
        yield from _walked(type(runtime.dataquery_from_json(dict(query), source)), query, where)
        return
    if source != PLUGINS[Flavour.CLICKHOUSE]:
        yield f"{where}: a query of {source}"
    yield from (f"{where}: unknown or missing {name}" for name in sorted(query.keys() ^ _SQL.keys()))
    wrong = (name for name, kind in _SQL.items() if name in query and type(query[name]) is not kind)
    yield from (f"{where}.{name}: {query[name]!r} is no {_SQL[name].__name__}" for name in wrong)
    if (query.get("editorType"), query.get("format")) not in {("sql", 0), ("sql", 1)}:
        yield f"{where}: neither series nor table of SQL"


def _is(value: Any, hint: Any) -> bool:  # noqa: ANN401 -- as above
    origin = get_origin(hint)
    if hint in {object, Any}:
        return True
    if origin is Literal:
        return value in get_args(hint)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return value in {one.value for one in hint}
    if hint is float:
        return type(value) in {int, float}
    return type(value) is (origin or hint)
