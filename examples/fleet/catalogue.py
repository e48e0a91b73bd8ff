"""
`fleet.yaml` as typed data.

It exists so that a slip in the file is one sentence with the place where it is, all
slips at once, before Pulumi is asked for anything. It refuses keys that it does not
know (a misspelt limit is no limit) and entries that are written twice (YAML would
silently take the second).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveInt,
    ValidationError,
    model_validator,
)

if TYPE_CHECKING:
    from pathlib import Path


class FleetError(Exception):
    """What is wrong with the file, one sentence per line."""


class _Strict(BaseModel):
    # Frozen, since the defaults are shared; strict, so that "2" is not taken for 2.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Replicas(_Strict):
    """How many replicas run, at least and at most."""

    min: Annotated[int, Field(ge=0)] = 1
    max: Annotated[int, Field(ge=1)]

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.max < self.min:
            raise ValueError(f"max is {self.max}, which is less than min, {self.min}")
        return self


class Model(_Strict):
    """One model that is served; sizes are per replica."""

    image: str
    gpu_type: str
    gpus: PositiveInt
    memory_gib: PositiveInt
    port: PositiveInt
    health_check_path: str
    replicas: Replicas = Replicas(min=1, max=1)
    scale_on: Literal["requests", "queue"] | None = None
    environment: dict[str, str] = {}

    @model_validator(mode="after")
    def _scales(self) -> Self:
        if self.replicas.max > max(self.replicas.min, 1) and self.scale_on is None:
            raise ValueError("replicas may vary, so scale_on must say on what")
        return self


class Fleet(_Strict):
    """The whole file."""

    models: Annotated[dict[str, Model], Field(min_length=1)]


def read(path: Path) -> Fleet:
    """
    Read the file.

    Raises:
        FleetError: It cannot be used; every fault with its place, one sentence each.
    """
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), Loader=_OnceLoader)  # noqa: S506 - a SafeLoader
    except (OSError, yaml.YAMLError) as error:
        raise FleetError(f"{path.name} cannot be read: {_plain(error)}") from None
    try:
        return Fleet.model_validate(_with_defaults(data))
    except ValidationError as error:
        raise FleetError("\n".join(_sentences(error, path.name))) from None


def _with_defaults(data: Any) -> Any:
    """Fill each model with the defaults; whatever is odd is left to the validation."""
    if not isinstance(data, dict):
        return data
    data = dict(data)
    defaults, models = data.pop("defaults", None) or {}, data.get("models")
    if isinstance(defaults, dict) and isinstance(models, dict):
        data["models"] = {
            name: {**defaults, **entry} if isinstance(entry, dict) else entry
            for name, entry in models.items()
        }
    return data


def _sentences(error: ValidationError, name: str) -> list[str]:
    found = []
    for fault in error.errors(include_url=False):
        place = ".".join(str(part) for part in fault["loc"]) or "the file"
        if fault["type"] == "extra_forbidden":
            text = "there is no such key."
        elif fault["type"] == "missing":
            text = "it is missing, here and in defaults."
        else:
            said = fault["msg"].removeprefix("Value error, ")
            text = f"{said[0].lower()}{said[1:]}."
        found.append(f"{name}: {place}: {text}")
    return found


class _OnceLoader(yaml.SafeLoader):
    """Refuses a key that stands twice in one mapping."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> Any:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(
                    None, None, f'"{key}" is written twice', node.start_mark
                )
        return super().construct_mapping(node, deep)


def _plain(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"{error.problem}, in the block at line {error.problem_mark.line + 1}."
    return f"{error}."
