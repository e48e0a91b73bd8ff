"""
The provider resources of one operation and the plugin processes behind them.

Why it exists: the engine starts one plugin process per provider resource and operation,
hands the default provider the whole stack configuration, and for resources that no
program registers (refresh, destroy, deletions) configures the provider from the state.

What it refuses: packages other than `pulumi-python`, and of the engine's own package
all but stack references.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from pulumi_jig.rehearsal.goals import PROVIDER_PREFIX, RefusedError, type_of, urn_of
from pulumi_jig.rehearsal.plugins import PACKAGE, Provider
from pulumi_jig.rehearsal.references import BUILTIN

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pulumi_jig.rehearsal.properties import PropertyMap
    from pulumi_jig.rehearsal.responses import DiffResponse
    from pulumi_jig.rehearsal.state import Resource

UNKNOWN_ID: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


class Registry:
    """Provider resources by URN; processes are started when first needed."""

    def __init__(
        self,
        start: Callable[[str], Provider],
        olds: Mapping[str, Resource],
        stack: str,
        project: str,
    ) -> None:
        """
        Args:
        start: Starts a plugin host for the provider of that URN.
        olds: The resources of the old state by URN.
        stack: The stack's name.
        project: The project's name.
        """
        self._start = start
        self._olds = olds
        self._stack = stack
        self._project = project
        self._lock = threading.RLock()
        self._checked: dict[str, Provider] = {}
        self._ready: dict[str, Provider] = {}
        self._all: list[Provider] = []

    def default_urn(self, package: str, version: str) -> str:
        """The URN of a package's default provider."""
        if package != PACKAGE:
            message = (
                f"a rehearsal runs Python dynamic providers only, and the program uses "
                f"the package {package!r}; run it with the `pulumi` command"
            )
            raise RefusedError(message)
        name = f"default_{version.replace('.', '_')}" if version else "default"
        return self._urn(package, name)

    def builtin_urn(self) -> str:
        """The URN of the engine's own provider."""
        return self._urn(BUILTIN, "default")

    def _urn(self, package: str, name: str) -> str:
        return urn_of(
            self._stack, self._project, "", f"{PROVIDER_PREFIX}{package}", name
        )

    def check(self, urn: str, olds: PropertyMap, news: PropertyMap) -> PropertyMap:
        """Start a process for the provider and let it check its configuration."""
        provider = self._new(urn)
        self._checked[urn] = provider
        return provider.check_config(olds, news)

    def diff(self, urn: str, old: Resource, news: PropertyMap) -> DiffResponse:
        """What a changed configuration means for the provider resource."""
        return self._checked[urn].diff_config(old, news)

    def configure(self, urn: str, inputs: PropertyMap, provider_id: str) -> None:
        """Make the provider ready with these inputs."""
        with self._lock:
            provider = self._checked.pop(urn, None) or self._new(urn)
            provider.configure(inputs, provider_id)
            self._ready[urn] = provider

    def of(self, reference: str) -> Provider:
        """
        The provider behind a reference (`urn::id`).

        One that no program registered in this operation is taken from the state, with
        the configuration that the state holds.

        Raises:
            RefusedError: neither the program nor the state knows it.
        """
        urn, _, provider_id = reference.rpartition("::")
        with self._lock:
            if urn in self._ready:
                return self._ready[urn]
            old = self._olds.get(urn)
            if old is None:
                message = f"no provider {urn} is known to the program or the state"
                raise RefusedError(message)
            provider = self._new(urn)
            provider.configure(old.inputs, provider_id)
            self._ready[urn] = provider
            return provider

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

    def _new(self, urn: str) -> Provider:
        package = type_of(urn).removeprefix(PROVIDER_PREFIX)
        if package not in {PACKAGE, BUILTIN}:
            self.default_urn(package, "")  # Which refuses it by name.
        provider = self._start(urn)
        with self._lock:
            self._all.append(provider)
        return provider
