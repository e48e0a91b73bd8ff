"""The provider resources of one operation and the plugin processes behind them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from pulumi_jig.rehearsal.errors import RehearsalError
from pulumi_jig.rehearsal.goals import PROVIDER_PREFIX
from pulumi_jig.rehearsal.plugins import PACKAGE, ReadResponse
from pulumi_jig.rehearsal.references import BUILTIN_TYPE, REFERENCE_TYPE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pulumi_jig.rehearsal.plugins import Provider
    from pulumi_jig.rehearsal.properties import PropertyMap
    from pulumi_jig.rehearsal.references import Backend
    from pulumi_jig.rehearsal.state import Resource


class Registry:
    """
    Provider resources by URN.

    Each has a plugin process of its own, which is started when it is first needed.
    """

    def __init__(
        self,
        start: Callable[[Resource], Provider],
        olds: Mapping[str, Resource],
        backend: Backend,
    ) -> None:
        """
        Args:
            start: Starts the plugin of a provider resource.
            olds: The resources of the old state by URN.
            backend: Where stack references are read.
        """
        self._backend = backend
        self._start = start
        self._olds = olds
        self._lock = threading.RLock()
        self._ready: dict[str, Provider] = {}
        self._all: list[Provider] = []

    def configure(self, resource: Resource) -> None:
        """
        Start and configure the plugin of a provider resource.

        Raises:
            RehearsalError: the plugin is not the one of dynamic providers.
        """
        if resource.type == BUILTIN_TYPE:
            return
        with self._lock:
            check_package(resource.type.removeprefix(PROVIDER_PREFIX))
            provider = self._start(resource)
            self._all.append(provider)
            provider.configure(resource)
            self._ready[resource.urn] = provider

    def of(self, reference: str) -> Provider:
        """
        The provider behind a reference (`urn::id`).

        One that no program registered in this operation is taken from the state, with
        the configuration that the state holds.

        Raises:
            RehearsalError: neither the program nor the state knows it.
        """
        urn = reference.rpartition("::")[0]
        with self._lock:
            if urn not in self._ready:
                if urn not in self._olds:
                    message = f"no provider {urn} is known to the program or the state"
                    raise RehearsalError(message)
                self.configure(self._olds[urn])
            return self._ready[urn]

    def read(self, resource: Resource, outputs: PropertyMap) -> ReadResponse:
        """Read a resource, whose last outputs were `outputs`."""
        if resource.type == REFERENCE_TYPE:
            return self._backend.read(resource)
        return self.of(resource.provider).read(resource, outputs)

    def cancel(self) -> None:
        """Tell all that the operation is being given up, as at a first Ctrl-C."""
        for provider in list(self._all):
            provider.cancel()

    def close(self) -> None:
        """End all processes."""
        with self._lock:
            self.cancel()
            for provider in self._all:
                provider.close()
            self._all.clear()


def check_package(package: str) -> None:
    """
    Refuse packages other than that of dynamic providers.

    Raises:
        RehearsalError: `package` is another one.
    """
    if package != PACKAGE:
        message = (
            "a rehearsal runs Python dynamic providers only, and the program uses the "
            f"package {package!r}; run it with the `pulumi` command"
        )
        raise RehearsalError(message)
