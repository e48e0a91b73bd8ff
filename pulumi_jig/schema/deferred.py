"""
Models that are built when one is first used.

A check needs one of the requests and a creation one of the answers; building all of them
was half of what a plugin process took to start. Two threads never build at once, which
pydantic's own way of building late does not prevent.
"""

from __future__ import annotations

import threading
from typing import Any, Self

from pydantic import BaseModel, ConfigDict

_building = threading.Lock()


class Deferred(BaseModel):
    """A model that is built by its first `parse`, in one thread only."""

    model_config = ConfigDict(defer_build=True)

    @classmethod
    def prepare(cls) -> None:
        """Build the model now, so that nothing is left to fail when an answer comes."""
        if not cls.__pydantic_complete__:
            with _building:
                cls.model_rebuild()

    @classmethod
    def parse(cls, data: Any) -> Self:
        """
        Validate plain data.

        Raises:
            pydantic.ValidationError: With every fault at once.
        """
        cls.prepare()
        return cls.model_validate(data)
