"""How the API describes itself."""

from typing import Any

import pytest

from slo.api import ROUTES, description

DOCUMENT = description("1.2.3")


def operations() -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{method.upper()} {path}", operation)
        for path, methods in DOCUMENT["paths"].items()
        for method, operation in methods.items()
    ]


def test_every_route_is_described_with_its_scope_and_its_problems() -> None:
    found, of = dict(operations()), {f"{one.method} {one.path.replace(':path', '')}": one for one in ROUTES}

    assert found.keys() == of.keys()
    for name, route in of.items():
        operation = found[name]
        assert operation["x-scope"] == route.scope
        assert operation["description"]
        assert operation["responses"].keys() == {str(route.status), "default"}
        problem = operation["responses"]["default"]["content"]["application/problem+json"]["schema"]
        assert problem == {"$ref": "#/components/schemas/Problem"}


def test_every_reference_leads_somewhere() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    wanted: set[str] = set()

    def look(node: object) -> None:
        match node:
            case {"$ref": str(name)}:
                wanted.add(name)
            case dict():
                for value in node.values():  # pyright: ignore[reportUnknownVariableType] -- any JSON
                    look(value)  # pyright: ignore[reportUnknownArgumentType] -- any JSON
            case list():
                for value in node:  # pyright: ignore[reportUnknownVariableType] -- any JSON
                    look(value)  # pyright: ignore[reportUnknownArgumentType] -- any JSON
            case _:
                return

    look(DOCUMENT)

    assert wanted <= {f"#/components/schemas/{name}" for name in schemas}
    assert (DOCUMENT["openapi"], DOCUMENT["info"]["version"]) == ("3.1.0", "1.2.3")


@pytest.mark.parametrize("name", ["HTTPValidationError", "ValidationError"])
def test_what_only_the_library_would_answer_is_left_out(name: str) -> None:
    assert name not in DOCUMENT["components"]["schemas"]
