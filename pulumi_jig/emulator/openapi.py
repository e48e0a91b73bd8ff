"""
What the emulator serves, described by hand in OpenAPI 3.1.

Written beside the code, not generated from it, so that a tool that compares the two
finds where one of them is wrong. It describes this server: bounds and shapes that the
real service's documents leave open are the ones that are held here.
"""

from __future__ import annotations

from typing import Any

from .openapi_schemas import SCHEMAS, TEXT, ref

Record = dict[str, Any]


# Ids and names in paths: what an HTTP path carries unharmed. (Secrets may hold a slash
# too, which is sent encoded.)
_ID: Record = {
    "name": "id",
    "in": "path",
    "required": True,
    "description": "Id or name.",
    "schema": {"type": "string", "minLength": 1, "pattern": "^[A-Za-z0-9_-]+$"},
}


def _query(name: str, schema: Record, description: str) -> Record:
    return {"name": name, "in": "query", "description": description, "schema": schema}


def _operation(
    summary: str,
    answer: str,
    *statuses: int,
    body: str | None = None,
    parameters: tuple[Record, ...] = (),
) -> Record:
    """Return an operation; every one can answer 401, and the errors named."""
    said = {
        400: "A field is wrong, missing, or refers to nothing.",
        401: "The key is missing or refused.",
        404: "There is no such thing in this account.",
        409: "It is in use, or being deleted.",
    }
    operation: Record = {
        "summary": summary,
        "responses": {
            "200": {
                "description": "Done.",
                "content": {"application/json": {"schema": ref(answer)}},
            },
            **{
                str(status): {
                    "description": said[status],
                    "content": {"application/json": {"schema": ref("Error")}},
                }
                for status in sorted({400, 401, *statuses})
            },
        },
    }
    if parameters:
        operation["parameters"] = list(parameters)
    if body is not None:
        operation["requestBody"] = {
            # No body is an empty one: enough where no key is required.
            "required": "required" in SCHEMAS[body],
            "content": {"application/json": {"schema": ref(body)}},
        }
    return operation


def _noun(
    path: str, item: str, listing: str, create: str, update: str, *extra: Record
) -> Record:
    """Return the two paths that every noun has."""
    return {
        path: {
            "get": _operation("List", listing),
            "post": _operation("Create", item, body=create),
        },
        path + "/{id}": {
            "get": _operation("Get", item, 404, parameters=(_ID, *extra)),
            "patch": _operation(
                "Update", item, 404, 409, body=update, parameters=(_ID,)
            ),
            "delete": _operation("Delete", "Empty", 404, 409, parameters=(_ID,)),
        },
    }


DOCUMENT: Record = {
    "openapi": "3.1.0",
    "info": {
        "title": "Deployments API, emulated by pulumi_jig",
        "version": "1",
        "description": "What the emulator serves. Every path can also be written "
        "without /v1. Unknown keys of a request are ignored.",
    },
    "servers": [{"url": "/v1"}],
    "security": [{"bearer": []}],
    "paths": {
        **_noun(
            "/deployments",
            "DeploymentResponseItem",
            "DeploymentListResponse",
            "CreateDeploymentRequest",
            "UpdateDeploymentRequest",
        ),
        "/deployments/{id}/logs": {
            "get": _operation(
                "Logs",
                "DeploymentLogs",
                404,
                parameters=(
                    _ID,
                    _query("replica_id", TEXT, "Of this replica."),
                    _query("revision", TEXT, "Of this revision (its id)."),
                    _query("version", TEXT, "Image tag or last 4 of its digest."),
                    _query(
                        "follow",
                        {"enum": ["false", "0", ""]},
                        "true streams one JSON object per line, without end.",
                    ),
                ),
            )
        },
        "/deployments/{id}/revisions": {
            "get": _operation(
                "Revision events, newest first",
                "DeploymentRevisionEventList",
                404,
                parameters=(
                    _ID,
                    _query(
                        "limit",
                        {"type": "integer", "minimum": 1, "maximum": 100},
                        "Default 10.",
                    ),
                    _query(
                        "before",
                        {"type": "integer", "minimum": 0, "maximum": 10**18 - 1},
                        "Events with a lower number only.",
                    ),
                ),
            )
        },
        "/deployments/{id}/revisions/{revision}": {
            "get": _operation(
                "Configuration of a revision",
                "DeploymentRevision",
                404,
                parameters=(_ID, {**_ID, "name": "revision"}),
            )
        },
        "/deployments/{id}/rollback": {
            "post": _operation(
                "Re-apply a revision",
                "DeploymentResponseItem",
                404,
                409,
                body="RollbackRequest",
                parameters=(_ID,),
            )
        },
        **_noun(
            "/deployments/secrets",
            "SecretResponseItem",
            "ListSecretsResponse",
            "CreateSecretRequest",
            "UpdateSecretRequest",
        ),
        **_noun(
            "/deployments/storage/volumes",
            "VolumeResponseItem",
            "ListVolumesResponse",
            "CreateVolumeRequest",
            "UpdateVolumeRequest",
            _query("version", {"type": "integer", "minimum": 0}, "Default: current."),
        ),
        "/deployments/prewarm": {
            "post": _operation(
                "Warm caches (does nothing)", "Empty", body="PrewarmRequest"
            )
        },
        "/image-repositories/base-path": {
            "get": _operation("Registry of the project", "BasePath")
        },
        "/whoami": {"get": _operation("Who the key is", "Whoami")},
    },
    "components": {
        "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        "schemas": SCHEMAS,
    },
}
