"""Whatever is asked, the answer is an answer or a problem, and never our fault: paths, parameters, bodies at random."""

import asyncio
import json
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from views import Told, judged, seen

from slo.api import ROUTES, Route, description
from slo.problem import MEDIA_TYPE, STATUSES

STORE_GONE = 503
WORDS = [
    "",
    "chat",
    "other",
    "0" * 16,
    "f" * 16,
    "id-1",
    "..",
    "%2e%2e",
    "\0",
    "\ud83d\ude00",
    "' OR 1=1 --",
    "{x:String}",
]
SOON = "2026-09-21T15:00:00Z"
TIMES = [
    "2026-09-21T14:00:00Z",
    "2026-09-21T14:00:00+14:00",
    "1969-12-31T23:59:59Z",
    "9999-12-31T23:59:59Z",
    "0",
    "now",
]
NUMBERS = [0, -1, 1, 30, 2**31, 2**63, -(2**63), 10**400, 1e308, 0.1]
DOCUMENT = description("0.0.0")
DOCUMENTED: dict[str, Any] = DOCUMENT["components"]["schemas"]

texts = st.one_of(st.sampled_from([*WORDS, *TIMES]), st.text(max_size=40))
scalars = st.one_of(
    st.none(), st.booleans(), st.sampled_from(NUMBERS), st.integers(), st.floats(allow_nan=False), texts
)


def names() -> list[str]:
    """Every name that a body or a query of ours knows, so that values get beyond the first check."""
    found = {name for schema in DOCUMENTED.values() for name in schema.get("properties", {})}
    found |= {
        one["name"] for of in DOCUMENT["paths"].values() for op in of.values() for one in op.get("parameters", ())
    }
    return sorted(found)


NAMES = st.sampled_from(names())
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=4)),
    max_leaves=8,
)


def body_of(route: Route) -> st.SearchStrategy[Any]:
    """Bodies with the keys that a route wants, and such as have nothing to do with it."""
    told = DOCUMENT["paths"][route.path.replace(":path", "")][route.method.lower()].get("requestBody")
    if told is None:
        return values
    name = told["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[-1]
    schema = DOCUMENTED[name]
    keys = dict.fromkeys(schema["properties"], values)
    return st.one_of(values, st.fixed_dictionaries({}, optional=keys), plausible(schema))


def plausible(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Bodies that are nearly right."""
    matcher = st.fixed_dictionaries(
        {"name": texts, "value": texts}, optional={"op": st.sampled_from(["=", "!=", "=~", "!~"])}
    )
    right: dict[str, st.SearchStrategy[Any]] = {
        "matchers": st.lists(matcher, min_size=1, max_size=2),
        "selector": st.lists(matcher, min_size=1, max_size=2),
        "kind": st.sampled_from(["deploy", "incident"]),
        "automated": st.booleans(),
        "duration_s": st.integers(-5, 10**7),
        "percent_excluded": st.integers(-1, 101),
        "target": st.floats(-0.1, 1.1),
        "slos": st.lists(texts, max_size=2),
        "incidents": st.just([]),
        "rrule": st.one_of(st.just("FREQ=DAILY"), texts),
    }
    right |= dict.fromkeys(("who", "author", "actor", "reason", "comment"), st.one_of(st.just("ann"), texts))
    right |= dict.fromkeys(("starts_at", "from", "to"), st.one_of(st.none(), st.sampled_from(TIMES)))
    right |= dict.fromkeys(("until", "ends_at", "start", "end"), st.one_of(st.just(SOON), st.sampled_from(TIMES)))
    keys = {name: right.get(name, texts) for name in schema["properties"]}
    needed = {name: keys.pop(name) for name in schema.get("required", ())}
    return st.fixed_dictionaries(needed, optional=keys)


BODIES = {route.path: body_of(route) for route in ROUTES if route.method == "POST"}
ANY_ROUTE = st.sampled_from(ROUTES)
QUERIES = st.dictionaries(NAMES, texts, max_size=3)


@st.composite
def questions(draw: st.DrawFn) -> tuple[str, str, object]:
    route = draw(ANY_ROUTE)
    path = route.path.replace(":path", "")
    while "{" in path:
        before, _, rest = path.partition("{")
        path = before + quote(draw(texts).encode("utf-8", "surrogatepass"), safe="") + rest.partition("}")[2]
    asked = draw(QUERIES)
    query = urlencode({name: value.encode("utf-8", "surrogatepass") for name, value in asked.items()})
    body = draw(BODIES[route.path]) if route.method == "POST" else None
    return route.method, f"{path}?{query}" if query else path, body


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    return Told(tmp_path_factory.mktemp("hostile"), seen(judged(bad=1_000), judged("other")))


async def _asked(told: Told, method: str, path: str, content: bytes | None) -> httpx.Response:
    headers = {} if content is None else {"content-type": "application/json"}
    return await told.ask(method, path, content=content, headers=headers)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(asked=questions())
def test_no_question_is_our_fault(told: Told, asked: tuple[str, str, object]) -> None:
    method, path, body = asked
    content = None if method != "POST" else json.dumps(body).encode()
    answer = asyncio.run(_asked(told, method, path, content))
    refused = answer.status_code >= 400

    assert answer.status_code < 500 or answer.status_code == STORE_GONE, answer.text
    assert answer.status_code in {200, 201, *STATUSES.values()}
    assert not refused or answer.headers["content-type"] == MEDIA_TYPE
    assert not refused or answer.json()["status"] == answer.status_code


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(route=st.sampled_from([one for one in ROUTES if one.method == "POST"]), content=st.binary(max_size=60))
def test_no_bytes_are_our_fault(told: Told, route: Route, content: bytes) -> None:
    path = route.path.replace(":path", "").replace("{name}", "chat").replace("{fingerprint}", "0" * 16)
    answer = asyncio.run(_asked(told, "POST", path, content))

    assert answer.status_code in {400, 404}
    assert answer.headers["content-type"] == MEDIA_TYPE
