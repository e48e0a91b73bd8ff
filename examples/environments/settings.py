"""
What one environment's `Pulumi.<stack>.yaml` says, as typed data.

It exists so that a slip in a stack's configuration is one sentence before anything is
planned. It refuses keys that it does not know: a misspelt limit is no limit.
"""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveInt,
    ValidationError,
    model_validator,
)


class SettingsError(Exception):
    """What is wrong with the configuration, one sentence per line."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Replicas(_Strict):
    """How many replicas run, at least and at most."""

    min: Annotated[int, Field(ge=0)]
    max: Annotated[int, Field(ge=1)]

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.max < self.min:
            raise ValueError(f"max is {self.max}, which is less than min, {self.min}")
        return self


class Service(_Strict):
    """The key `service` of a stack: all that differs between environments."""

    gpu_type: str
    gpus: PositiveInt
    memory_gib: PositiveInt
    replicas: Replicas
    name: str | None = None
    """Name in the service; made from the resource's name where it is left out."""
    promotes_from: str | None = None
    """The stack before this one; its images are the only ones that run here."""
    protect: bool = False
    """Whether `pulumi destroy` and replacements are refused."""


def read(data: Any, stack: str) -> Service:
    """
    Check a stack's configuration.

    Args:
        data: The object that stands under `service`.
        stack: The stack's name, for the sentences.

    Raises:
        SettingsError: It cannot be used; every fault with its place, one sentence each.
    """
    where = f"Pulumi.{stack}.yaml"
    if data is None:
        raise SettingsError(
            f"{where} has no environments:service; copy the one of Pulumi.dev.yaml and "
            "change what differs."
        )
    try:
        return Service.model_validate(data)
    except ValidationError as error:
        raise SettingsError("\n".join(_sentences(error, where))) from None


def _sentences(error: ValidationError, where: str) -> list[str]:
    found = []
    for fault in error.errors(include_url=False):
        place = ".".join(str(part) for part in ("service", *fault["loc"]))
        if fault["type"] == "extra_forbidden":
            text = "there is no such key."
        elif fault["type"] == "missing":
            text = "it is missing."
        else:
            said = fault["msg"].removeprefix("Value error, ")
            text = f"{said[0].lower()}{said[1:]}."
        found.append(f"{where}: {place}: {text}")
    return found
