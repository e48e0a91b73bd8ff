"""
The schemas of the emulator's OpenAPI description: what goes in, what comes out.

Bounds and shapes that the real service's documents leave open are the ones that this
server holds.
"""

from __future__ import annotations

from typing import Any

from .validation import CAPACITY_TYPES, GPU_TYPES, REPLICA_QUOTA

Record = dict[str, Any]


def ref(name: str) -> Record:
    """Return a reference to a schema."""
    return {"$ref": f"#/components/schemas/{name}"}


def _maybe(kind: str, **more: Any) -> Record:
    """Return the schema of an optional request field, where null means left out."""
    return {"type": [kind, "null"], **more}


def _list(items: Record) -> Record:
    return {"type": "array", "items": items}


TEXT: Record = {"type": "string"}
_WHOLE: Record = {"type": "integer"}
_TIME: Record = {"type": "string", "format": "date-time"}
_MOUNT_PATH: Record = {
    "type": "string",
    "maxLength": 1024,
    "pattern": r"^/[A-Za-z0-9_\-][A-Za-z0-9_/\-]*$",
}

_VARIABLE: Record = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$"},
        "value": _maybe("string"),
        "value_from_secret": _maybe("string", minLength=1, maxLength=100),
        "value_from_secret_expires_at": {
            "readOnly": True,
            "description": "When the secret is deleted; ignored in requests.",
        },
    },
    "description": "Exactly one of value and value_from_secret; names are unique.",
}
_VOLUME_MOUNT: Record = {
    "type": "object",
    "required": ["name", "mount_path"],
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 100},
        "mount_path": _MOUNT_PATH,
        "version": _maybe("integer", minimum=0, maximum=1_000_000),
    },
}
_MODEL_MOUNT: Record = {
    "type": "object",
    "required": ["model_id", "mount_path"],
    "properties": {
        "model_id": {"type": "string", "pattern": "^ml_[A-Za-z0-9]+$"},
        "mount_path": _MOUNT_PATH,
        "revision_id": _maybe("string", pattern="^rv_[A-Za-z0-9]+$"),
    },
}
_TARGET: Record = _maybe("number", exclusiveMinimum=0, maximum=1e15)
_AUTOSCALING: Record = {
    "description": "Discriminated by metric; an empty object switches it off.",
    "anyOf": [
        {"type": "null"},
        {"type": "object", "maxProperties": 0},
        {
            "type": "object",
            "required": ["metric"],
            "properties": {
                "metric": {"enum": ["HTTPTotalRequests", "HTTPAvgRequestDuration"]},
                "target": _TARGET,
                "time_interval_minutes": _maybe("integer", minimum=1, maximum=10_080),
                "model": _maybe("string", maxLength=200),
            },
        },
        {
            "type": "object",
            "required": ["metric"],
            "properties": {
                "metric": {"enum": ["QueueBacklogPerWorker"]},
                "target": _TARGET,
                "model": _maybe("string", maxLength=200),
            },
        },
        {
            "type": "object",
            "required": ["metric", "custom_metric_name"],
            "properties": {
                "metric": {"enum": ["CustomMetric"]},
                "custom_metric_name": {
                    "type": "string",
                    "pattern": "^[a-zA-Z_:][a-zA-Z0-9_:]*$",
                },
                "target": _TARGET,
                "model": _maybe("string", maxLength=200),
            },
        },
    ],
}

_SPEC: Record = {
    "description": _maybe("string", maxLength=10_000),
    "image": {"type": "string", "minLength": 1, "maxLength": 1024, "pattern": r"^\S+$"},
    "gpu_type": {"enum": list(GPU_TYPES)},
    "gpu_count": _maybe("integer", minimum=0, maximum=64),
    "cpu": _maybe("number", minimum=0.1, maximum=10_000),
    "memory": _maybe("number", exclusiveMinimum=0, maximum=1000),
    "storage": _maybe("integer", minimum=1, maximum=400),
    "port": _maybe("integer", minimum=1, maximum=65_535),
    "min_replicas": _maybe("integer", minimum=0, maximum=REPLICA_QUOTA),
    "max_replicas": _maybe("integer", minimum=0, maximum=REPLICA_QUOTA),
    "health_check_path": _maybe("string", maxLength=1024, pattern=r"^(/[ -~]*)?$"),
    "command": _maybe("array", items=TEXT),
    "args": _maybe("array", items=TEXT),
    "termination_grace_period_seconds": _maybe("integer", minimum=0, maximum=86_400),
    "capacity_type": {"enum": [*CAPACITY_TYPES, None]},
    "autoscaling": _AUTOSCALING,
    "environment_variables": _maybe("array", items=ref("EnvironmentVariable")),
    "volumes": _maybe("array", items=ref("VolumeMount"), maxItems=1),
    "model_mounts": _maybe("array", items=ref("ModelMount"), maxItems=1),
}
_NAME: Record = {
    "type": "string",
    "pattern": "^[a-z0-9][a-z0-9-]{3,62}$",
    "description": "Unique over all accounts; not secrets or storage.",
}
_SECRET: Record = {
    "name": {"type": "string", "pattern": r"^[A-Za-z0-9_\-/.]{1,100}$"},
    "value": {"type": "string", "minLength": 1, "maxLength": 1_000_000},
    "description": _maybe("string", maxLength=500),
    "ttl_seconds": _maybe("integer", minimum=86_400, maximum=1_209_600),
    "project_id": {"description": "Ignored."},
}
_CONTENT: Record = {
    "oneOf": [
        {
            "type": "object",
            "required": ["source_prefix"],
            "properties": {
                "type": {"enum": ["files", None]},
                "source_prefix": {"type": "string", "minLength": 1, "maxLength": 1024},
            },
            "not": {"required": ["origin"]},
        },
        {
            "type": "object",
            "required": ["origin"],
            "properties": {
                "type": {"enum": ["files", None]},
                "origin": {
                    "type": "object",
                    "required": ["s3"],
                    "properties": {"s3": ref("S3Origin")},
                },
            },
            "not": {"required": ["source_prefix"]},
        },
    ]
}
_VOLUME: Record = {
    "name": {"type": "string", "pattern": r"^[A-Za-z0-9_\-.]{1,100}$"},
    "type": {"enum": ["readOnly"]},
    "content": ref("VolumeContentRequest"),
}


def _optional(properties: Record, names: tuple[str, ...]) -> Record:
    """Return properties with those of *names* allowed to be null, as in a PATCH."""
    return {
        name: {"anyOf": [schema, {"type": "null"}]} if name in names else schema
        for name, schema in properties.items()
    }


def _object(properties: Record, required: tuple[str, ...] = ()) -> Record:
    schema: Record = {"type": "object", "properties": properties}
    if required:
        schema["required"] = list(required)
    return schema


_EVENT_KEYS = (
    "image",
    "revision_id",
    "replica_status",
    "replica_status_reason",
    "replica_status_message",
    "replica_ready_since",
    "volume_preload_status",
    "volume_preload_started_at",
    "volume_preload_completed_at",
)
_SHOWN_SPEC: Record = {
    "description": TEXT,
    "image": TEXT,
    "gpu_type": TEXT,
    "gpu_count": _WHOLE,
    "cpu": {"type": "number"},
    "memory": {"type": "number"},
    "storage": _WHOLE,
    "port": _WHOLE,
    "min_replicas": _WHOLE,
    "max_replicas": _WHOLE,
    "health_check_path": TEXT,
    "command": _list(TEXT),
    "args": _list(TEXT),
    "termination_grace_period_seconds": _WHOLE,
    "capacity_type": {"enum": list(CAPACITY_TYPES)},
    "autoscaling": {"type": "object", "required": ["metric", "target"]},
    "environment_variables": _list(ref("EnvironmentVariable")),
    "volumes": _list(ref("VolumeMount")),
    "model_mounts": _list(ref("ModelMount")),
}
_ALWAYS = tuple(name for name in _SHOWN_SPEC if name not in {"port", "autoscaling"})
_VERSION_SHOWN: Record = {
    "content": {"type": "object"},
    "mounted_by": _list(TEXT),
    "status": {"enum": ["pending", "syncing", "ready", "failed"]},
    "status_message": TEXT,
}


def _listing(item: str) -> Record:
    return _object(
        {"object": {"const": "list"}, "data": _list(ref(item))}, ("object", "data")
    )


SCHEMAS: Record = {
    "Error": _object(
        {
            "error": _object(
                {
                    "message": TEXT,
                    "type": TEXT,
                    "param": {"type": ["string", "null"]},
                    "code": {"type": ["string", "null"]},
                },
                ("message", "type", "param", "code"),
            )
        },
        ("error",),
    ),
    "EnvironmentVariable": _VARIABLE,
    "VolumeMount": _VOLUME_MOUNT,
    "ModelMount": _MODEL_MOUNT,
    "CreateDeploymentRequest": _object(
        {"name": _NAME, **_SPEC}, ("name", "image", "gpu_type")
    ),
    "UpdateDeploymentRequest": _object(
        _optional(
            {"name": {**_NAME, "description": "The same name only."}, **_SPEC},
            ("name", "image", "gpu_type"),
        )
    ),
    "ReplicaEvent": _object(dict.fromkeys(_EVENT_KEYS, TEXT)),
    "DeploymentStatus": {
        "enum": ["Updating", "Scaling", "Ready", "Failed", "ScaledToZero"]
    },
    "DeploymentResponseItem": _object(
        {
            "object": {"const": "deployment"},
            "id": TEXT,
            "name": TEXT,
            "status": ref("DeploymentStatus"),
            **_SHOWN_SPEC,
            "desired_replicas": _WHOLE,
            "ready_replicas": _WHOLE,
            "replica_events": {
                "type": "object",
                "additionalProperties": ref("ReplicaEvent"),
            },
            "created_at": _TIME,
            "updated_at": _TIME,
        },
        (
            "object",
            "id",
            "name",
            "status",
            *_ALWAYS,
            "desired_replicas",
            "ready_replicas",
            "replica_events",
            "created_at",
            "updated_at",
        ),
    ),
    "DeploymentListResponse": _listing("DeploymentResponseItem"),
    "DeploymentLogs": _object({"lines": _list(TEXT)}, ("lines",)),
    "DeploymentRevisionEvent": _object(
        {
            "object": {"const": "revision_event"},
            "action": {"enum": ["create", "update", "system", "rollback"]},
            "activated_at": _TIME,
            "event_number": _WHOLE,
            "image": TEXT,
            "revision_id": TEXT,
            "revision_number": _WHOLE,
        },
        (
            "object",
            "action",
            "activated_at",
            "event_number",
            "image",
            "revision_id",
            "revision_number",
        ),
    ),
    "DeploymentRevisionEventList": _listing("DeploymentRevisionEvent"),
    "DeploymentRevision": _object(
        {
            "object": {"const": "revision"},
            "revision_id": TEXT,
            "created_at": _TIME,
            "protocol": TEXT,
            **{k: v for k, v in _SHOWN_SPEC.items() if k != "description"},
        },
        ("object", "revision_id", "created_at", "protocol", "image", "port"),
    ),
    "RollbackRequest": _object(
        {"revision_identifier": {"type": "string", "minLength": 1}},
        ("revision_identifier",),
    ),
    "CreateSecretRequest": _object(_SECRET, ("name", "value")),
    "UpdateSecretRequest": _object(_optional(_SECRET, ("name", "value"))),
    "SecretResponseItem": _object(
        {
            "object": {"const": "secret"},
            "id": TEXT,
            "name": TEXT,
            "description": TEXT,
            "created_at": _TIME,
            "updated_at": _TIME,
            "created_by": TEXT,
            "last_updated_by": TEXT,
            "ttl_seconds": _WHOLE,
            "expires_at": _TIME,
        },
        ("object", "id", "name", "description", "created_at", "updated_at"),
    ),
    "ListSecretsResponse": _listing("SecretResponseItem"),
    "S3Origin": _object(
        {
            "uri": {
                "type": "string",
                "maxLength": 1024,
                "pattern": "^s3://[a-z0-9.-]+(/[a-z0-9./-]*)?$",
            },
            "role_arn": {
                "type": "string",
                "maxLength": 2048,
                "pattern": "^arn:aws:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]+$",
            },
        },
        ("uri", "role_arn"),
    ),
    "VolumeContentRequest": _CONTENT,
    "CreateVolumeRequest": _object(_VOLUME, ("name", "type", "content")),
    "UpdateVolumeRequest": _object(_optional(_VOLUME, ("name", "type", "content"))),
    "VolumeResponseItem": _object(
        {
            "object": {"const": "volume"},
            "id": TEXT,
            "name": TEXT,
            "type": {"const": "readOnly"},
            "current_version": _WHOLE,
            "created_at": _TIME,
            "updated_at": _TIME,
            **_VERSION_SHOWN,
            "version_history": {
                "type": "object",
                "additionalProperties": _object(
                    {"version": _WHOLE, **_VERSION_SHOWN}, ("version", "status")
                ),
            },
        },
        ("object", "id", "name", "type", "current_version", "status", "content"),
    ),
    "ListVolumesResponse": _listing("VolumeResponseItem"),
    "Whoami": _object(
        {
            "type": {"const": "project_api_key"},
            "api_key": _object({"id": TEXT}, ("id",)),
            "organization": _object({"id": TEXT, "name": TEXT}, ("id", "name")),
            "project": _object(
                {"id": TEXT, "name": TEXT, "slug": TEXT}, ("id", "name", "slug")
            ),
        },
        ("type", "api_key", "organization", "project"),
    ),
    "BasePath": _object({"base-path": TEXT}, ("base-path",)),
    "Empty": {"type": "object", "maxProperties": 0},
    "PrewarmRequest": {"type": "object", "description": "Best effort: not looked at."},
}
