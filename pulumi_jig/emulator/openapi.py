"""The OpenAPI 3.1 description of the API, made from its routes and models."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic.json_schema import models_json_schema

from pulumi_jig.emulator.api import ROUTES, Route
from pulumi_jig.emulator.responses import Error

if TYPE_CHECKING:
    from pulumi_jig.emulator.schemas import Schema

Record = dict[str, Any]

_ERRORS = {
    400: "A field is wrong, missing, or refers to nothing.",
    401: "The key is missing or refused.",
    404: "This account has no such resource.",
    409: "It is in use, or being deleted.",
}


def _content(model: type[Schema]) -> Record:
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"application/json": {"schema": schema}}


def _parameters(route: Route) -> list[Record]:
    found: list[Record] = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": "Id or name.",
            # What an HTTP path carries unharmed. (Names of secrets may hold a slash,
            # which is sent encoded.)
            "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]+$"},
        }
        for name in re.findall(r"\{(\w+)\*?\}", route.path)
    ]
    if route.query is not None:
        properties = route.query.model_json_schema()["properties"]
        found += [
            {"name": name, "in": "query", "schema": _plain(schema)}
            for name, schema in properties.items()
        ]
    return found


def _plain(schema: Record) -> Record:
    """Return the schema of a query parameter, which can be left out but not be null."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    kept = {k: v for k, v in schema.items() if k not in {"anyOf", "default", "title"}}
    return {**kinds[0], **kept} if kinds else kept


def _operation(route: Route) -> Record:
    described: Record = {
        "summary": route.summary,
        "responses": {
            "200": {"description": "Done.", "content": _content(route.response)},
            **{
                str(status): {
                    "description": _ERRORS[status],
                    "content": _content(Error),
                }
                for status in (400, 401, *route.errors)
            },
        },
    }
    if parameters := _parameters(route):
        described["parameters"] = parameters
    if route.body is not None:
        fields = route.body.model_fields.values()
        described["requestBody"] = {
            # No body is an empty one: enough where no key is required.
            "required": any(field.is_required() for field in fields),
            "content": _content(route.body),
        }
    return described


@cache
def document() -> Record:
    """Return the description."""
    models = {Error} | {route.response for route in ROUTES}
    models |= {route.body for route in ROUTES if route.body is not None}
    _, schemas = models_json_schema(
        [(model, "validation") for model in sorted(models, key=lambda m: m.__name__)],
        ref_template="#/components/schemas/{model}",
    )
    paths: Record = {}
    for route in ROUTES:
        path = paths.setdefault(route.path.replace("*", ""), {})
        path[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Deployments API, emulated by pulumi_jig",
            "version": "1",
            "description": "What the emulator serves. Every path can also be written "
            "without /v1. Unknown keys of a request are ignored.",
        },
        "servers": [{"url": "/v1"}],
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            "schemas": schemas["$defs"],
        },
    }
