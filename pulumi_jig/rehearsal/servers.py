"""
The engine and the resource monitor, as the program and the plugins see them.

What a rehearsal does not do is refused by name, so that the program fails with a sentence.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NoReturn

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import (
    engine_pb2,
    engine_pb2_grpc,
    resource_pb2,
    resource_pb2_grpc,
)

from pulumi_jig.rehearsal.errors import RehearsalError, StoppedError, unsupported
from pulumi_jig.rehearsal.goals import goal_from, goal_from_read
from pulumi_jig.rehearsal.processes import GRPC_OPTIONS
from pulumi_jig.rehearsal.properties import decode, encode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pulumi_jig.rehearsal.deployment import Deployment
    from pulumi_jig.rehearsal.results import Severity

# As many registrations can wait at once as programs register resources that wait for
# one another's turn; threads are made only when needed.
_THREADS: Final = 1024
_UNHANDLED: Final = "Program failed with an unhandled exception"
_FEATURES: Final = {
    "aliasSpecs": "RESOURCE_MONITOR_FEATURE_ALIAS_SPECS",
    "secrets": "RESOURCE_MONITOR_FEATURE_SECRETS",
    # Claimed although they are refused: the SDK's own refusal asks people to update
    # the CLI, which would send them the wrong way.
    "deletedWith": "RESOURCE_MONITOR_FEATURE_DELETED_WITH",
    "replacementTrigger": "RESOURCE_MONITOR_FEATURE_REPLACEMENT_TRIGGER",
    "replaceWith": "RESOURCE_MONITOR_FEATURE_REPLACE_WITH",
    "transforms": "RESOURCE_MONITOR_FEATURE_TRANSFORMS",
    "invokeTransforms": "RESOURCE_MONITOR_FEATURE_INVOKE_TRANSFORMS",
    "parameterization": "RESOURCE_MONITOR_FEATURE_PARAMETERIZATION",
    "resourceHooks": "RESOURCE_MONITOR_FEATURE_RESOURCE_HOOKS",
    "errorHooks": "RESOURCE_MONITOR_FEATURE_ERROR_HOOKS",
}
_SEVERITIES: Final[dict[int, Severity]] = {
    engine_pb2.DEBUG: "debug",
    engine_pb2.INFO: "info",
    engine_pb2.WARNING: "warning",
    engine_pb2.ERROR: "error",
}
#: Calls that are refused, and what the program uses then.
_REFUSED: Final = {
    "Invoke": "calling the function {0.tok!r}",
    "Call": "calling the method {0.tok!r}",
    "RegisterStackTransform": "a transform of all resources",
    "RegisterStackInvokeTransform": "a transform of all function calls",
    "RegisterResourceHook": "the resource hook {0.name!r}",
    "RegisterErrorHook": "the error hook {0.name!r}",
    "RegisterPackage": "the parameterised package {0.name!r}",
}


class Engine(engine_pb2_grpc.EngineServicer):
    """Log messages, and the root resource."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._root = ""

    def Log(self, request: Any, context: Any) -> Any:  # noqa: N802, D102
        del context
        severity = _SEVERITIES.get(request.severity, "info")
        # The SDK's debug messages are hidden by the CLI too. And after the end of the
        # operation, whose reason was given, the program's traceback would only bury it.
        is_noise = severity == "debug" or (
            self._deployment.gave_up and request.message.startswith(_UNHANDLED)
        )
        if not is_noise:
            self._deployment.events.log(
                severity, request.message, request.urn, ephemeral=request.ephemeral
            )
        return empty_pb2.Empty()

    def GetRootResource(self, request: Any, context: Any) -> Any:  # noqa: N802, D102
        del request, context
        return engine_pb2.GetRootResourceResponse(urn=self._root)

    def SetRootResource(self, request: Any, context: Any) -> Any:  # noqa: N802, D102
        del context
        self._root = request.urn
        return engine_pb2.SetRootResourceResponse()

    def StartDebugging(self, request: Any, context: Any) -> Any:  # noqa: N802, D102
        del request, context
        return empty_pb2.Empty()

    def RequirePulumiVersion(self, request: Any, context: Any) -> Any:  # noqa: N802, D102
        del request, context
        return engine_pb2.RequirePulumiVersionResponse()


class Monitor(resource_pb2_grpc.ResourceMonitorServicer):
    """Registrations of resources."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        for method, words in _REFUSED.items():
            setattr(self, method, self._refusing(words))

    def GetDeploymentInfo(self, request: Any, context: Any) -> Any:  # noqa: N802, D102
        del request, context
        settings = self._deployment.settings
        return resource_pb2.DeploymentInfo(
            project=settings.project,
            stack=settings.stack,
            organization=settings.organization,
            config=settings.config,
            configSecretKeys=sorted(settings.secret_keys),
            dryRun=self._deployment.preview,
            parallel=settings.parallel,
            supportedFeatures=[
                resource_pb2.ResourceMonitorFeature.Value(name)
                for name in _FEATURES.values()
                if name in resource_pb2.ResourceMonitorFeature.keys()  # noqa: SIM118
            ],
        )

    def SupportsFeature(self, request: Any, context: Any) -> Any:  # noqa: N802, D102
        del context
        return resource_pb2.SupportsFeatureResponse(hasSupport=request.id in _FEATURES)

    def RegisterResource(self, request: Any, context: Any) -> Any:  # noqa: N802, D102
        settings = self._deployment.settings
        with self._ending(context, request.name):
            goal = goal_from(request, settings.stack, settings.project)
            found = self._deployment.register(goal)
        return resource_pb2.RegisterResourceResponse(
            urn=found.urn,
            id=found.id,
            object=encode(found.outputs, keep_secrets=request.acceptSecrets),
        )

    def RegisterResourceOutputs(self, request: Any, context: Any) -> Any:  # noqa: N802, D102
        del context
        self._deployment.register_outputs(request.urn, decode(request.outputs))
        return empty_pb2.Empty()

    def ReadResource(self, request: Any, context: Any) -> Any:  # noqa: N802, D102
        settings = self._deployment.settings
        with self._ending(context, request.name):
            goal = goal_from_read(request, settings.stack, settings.project)
            found = self._deployment.register(goal)
        return resource_pb2.ReadResourceResponse(
            urn=found.urn,
            properties=encode(found.outputs, keep_secrets=request.acceptSecrets),
        )

    def SignalAndWaitForShutdown(self, request: Any, context: Any) -> Any:  # noqa: N802, D102
        del request, context
        return empty_pb2.Empty()

    @contextmanager
    def _ending(self, context: Any, name: str) -> Iterator[None]:
        """Turn a failure into the end of the call, and of the operation."""
        try:
            yield
            return
        except StoppedError:
            self._deployment.executor.cancel()
        except RehearsalError as error:
            self._deployment.give_up(str(error), name)
        _abort(context)

    def _refusing(self, words: str) -> Any:
        def refuse(request: Any, context: Any) -> NoReturn:
            error = unsupported(f"the program uses {words.format(request)}")
            self._deployment.give_up(str(error))
            _abort(context)

        return refuse


def _abort(context: Any) -> NoReturn:
    message = "the rehearsal has ended"
    context.abort(grpc.StatusCode.UNAVAILABLE, message)
    raise AssertionError(message)


class Servers:
    """Both services on one loopback port."""

    def __init__(self, deployment: Deployment) -> None:
        self._server = grpc.server(
            ThreadPoolExecutor(_THREADS),
            options=[*GRPC_OPTIONS, ("grpc.so_reuseport", 0)],
        )
        engine_pb2_grpc.add_EngineServicer_to_server(Engine(deployment), self._server)
        resource_pb2_grpc.add_ResourceMonitorServicer_to_server(
            Monitor(deployment), self._server
        )
        port = self._server.add_insecure_port("127.0.0.1:0")
        self.address = f"127.0.0.1:{port}"
        self._server.start()

    def close(self) -> None:
        """Stop serving; calls that still run are cut off."""
        self._server.stop(0).wait()
