"""Knows how the API describes itself: OpenAPI 3.1, with the problems that any route may answer; refuses to know routes.

Source: OpenAPI 3.1; RFC 9457; spec/ui.md 11 (validation is 400, not 422).
"""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import TypeAdapter

from slo.problem import MEDIA_TYPE, Problem

_OF_FASTAPI = ("HTTPValidationError", "ValidationError")


def document(app: FastAPI) -> dict[str, Any]:
    """Return the description of an application, the same for the same routes."""
    found = get_openapi(
        title=app.title, version=app.version, openapi_version="3.1.0", summary="Objectives, alerts, the gate.",
        routes=app.routes,
    )  # fmt: skip
    schemas: dict[str, Any] = found["components"]["schemas"]
    for name in _OF_FASTAPI:
        schemas.pop(name, None)
    of_problem = TypeAdapter(Problem).json_schema(ref_template="#/components/schemas/{model}")
    schemas |= of_problem.pop("$defs")
    schemas["Problem"] = of_problem
    problem = {
        "description": "A problem",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for operations in found["paths"].values():
        for operation in operations.values():
            operation["responses"].pop("422", None)
            operation["responses"]["default"] = problem
    return found
