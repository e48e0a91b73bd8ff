"""
Which image an environment runs: one that the environment before it has run.

An image is built once. Where an environment promotes from another, it takes the digest
that the other one serves now, or one that it has served and that is named by hand (a
roll back). It refuses tags, since a tag can be pushed again and would be another image
of the same name, and digests that the environment before has not served.

What has served is kept by a resource of its own, `Served`, which waits for the
deployment: a digest is in its list only once its replicas were ready. (A stack cannot
read its own outputs while it is being updated.)
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import pulumi
from pulumi import dynamic

if TYPE_CHECKING:
    from collections.abc import Sequence

_DIGEST: Final = re.compile(r"[^@]+@sha256:[0-9a-f]{64}")
#: How many images of the past can be rolled back to.
REMEMBERED: Final = 20


class PromotionError(Exception):
    """Why an image may not run here, in one sentence."""


def image(here: str, wanted: str | None, before: str | None) -> pulumi.Output[str]:
    """
    The image that this environment is to run.

    Args:
        here: This environment.
        wanted: The image that its configuration names, if any.
        before: The environment that it promotes from, if any.
    """
    if before is None:
        if wanted is None:
            raise pulumi.RunError(
                f"{here}: there is no image to run; say which with `pulumi config set "
                "image REGISTRY/NAME@sha256:DIGEST`."
            )
        return pulumi.Output.from_input(wanted)
    there = pulumi.StackReference(
        f"{pulumi.get_organization()}/{pulumi.get_project()}/{before}"
    )

    def decide(outputs: dict[str, object]) -> str:
        try:
            return choose(here, wanted, before, outputs.get("image"), outputs["ran"])
        except PromotionError as error:
            raise pulumi.RunError(str(error)) from None

    return pulumi.Output.all(
        image=there.get_output("image"), ran=there.get_output("ran")
    ).apply(decide)


def choose(
    here: str, wanted: str | None, before: str, serves: object, ran: object
) -> str:
    """
    The image to run, given what the environment before says of itself.

    Raises:
        PromotionError: There is none, or it may not run here.
    """
    if not isinstance(serves, str) or not isinstance(ran, list):
        raise PromotionError(
            f"{here}: {before} has not served any image yet, so there is nothing to "
            f"promote; bring {before} up first."
        )
    found = wanted or serves
    if _DIGEST.fullmatch(found) is None:
        whose = "its configuration names" if wanted else f"{before} serves"
        raise PromotionError(
            f"{here}: {whose} {found}, which has no digest and so could be pushed "
            f"again; give {here if wanted else before} the image as "
            "REGISTRY/NAME@sha256:DIGEST."
        )
    if found not in ran:
        raise PromotionError(
            f"{here}: {before} has not served {found}; promote it to {before} first, or "
            f"take one that it has served: {', '.join(map(str, ran[:3]))}."
        )
    return found


# --- What has served ----------------------------------------------------------------


class _Memory(dynamic.ResourceProvider):
    """Keeps a list in the stack's state, and nothing anywhere else."""

    # There is nothing secret in it, so the state need not encrypt it.
    serialize_as_secret_always = False

    def diff(
        self, _id: str, olds: dict[str, Any], news: dict[str, Any]
    ) -> dynamic.DiffResult:
        """Another image serves, or the same."""
        return dynamic.DiffResult(changes=olds["image"] != news["image"])

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        """Begin the list."""
        return dynamic.CreateResult("served", {**props, "ran": [props["image"]]})

    def update(
        self, _id: str, olds: dict[str, Any], news: dict[str, Any]
    ) -> dynamic.UpdateResult:
        """Put the image in front."""
        ran = remember(news["image"], olds["ran"])
        return dynamic.UpdateResult({**news, "ran": ran})


class Served(dynamic.Resource, module="environments", name="Served"):
    """
    What an environment has served.

    Args:
        name: The resource's name.
        image: What it serves now: an output of the deployment, not of the
            configuration, so that an image that never came to serve is never here.
    """

    ran: pulumi.Output[list[str]]
    """The image that serves, then earlier ones."""

    def __init__(self, name: str, image: pulumi.Output[str]) -> None:
        super().__init__(_Memory(), name, {"image": image, "ran": None})


def remember(image: str, earlier: Sequence[str]) -> list[str]:
    """The newest first, each once."""
    return [image, *(one for one in earlier if one != image)][:REMEMBERED]
