"""
The engine and the resource monitor, as the program and the plugins see them.

Why it exists: the Pulumi SDK in a program's process, and plugins that log progress,
speak gRPC to whoever runs them. These two services answer in the engine's place.

What it refuses: invokes, component calls, transforms, hooks, parameterised packages:
each by name, so that the program fails with a sentence, and not with silence.
"""

from __future__ import annotations

from concurrent import futures
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

from pulumi_jig.rehearsal.aliases import StepRefusedError
from pulumi_jig.rehearsal.executor import CancelledError, StepFailedError
from pulumi_jig.rehearsal.goals import Goal, RefusedError, goal_from
from pulumi_jig.rehearsal.policies import PolicyError
from pulumi_jig.rehearsal.processes import ProcessError
from pulumi_jig.rehearsal.properties import UnsupportedValueError, decode, encode
from pulumi_jig.rehearsal.responses import ProviderError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pulumi_jig.rehearsal.deployment import Deployment
    from pulumi_jig.rehearsal.results import Severity

# As many registrations can wait at once as programs register resources that wait for
# one another's turn; threads are made only when needed.
_THREADS: Final = 1024
_UNHANDLED: Final = "Program failed with an unhandled exception"
_FEATURES: Final = {
    "secrets": "RESOURCE_MONITOR_FEATURE_SECRETS",
    "aliasSpecs": "RESOURCE_MONITOR_FEATURE_ALIAS_SPECS",
    "deletedWith": "RESOURCE_MONITOR_FEATURE_DELETED_WITH",
    "replacementTrigger": "RESOURCE_MONITOR_FEATURE_REPLACEMENT_TRIGGER",
    # Claimed although they are refused: the SDK's own refusal asks people to update
    # the CLI, which would send them the wrong way.
    "replaceWith": "RESOURCE_MONITOR_FEATURE_REPLACE_WITH",
    "transforms": "RESOURCE_MONITOR_FEATURE_TRANSFORMS",
    "invokeTransforms": "RESOURCE_MONITOR_FEATURE_INVOKE_TRANSFORMS",
    "parameterization": "RESOURCE_MONITOR_FEATURE_PARAMETERIZATION",
    "resourceHooks": "RESOURCE_MONITOR_FEATURE_RESOURCE_HOOKS",
    "errorHooks": "RESOURCE_MONITOR_FEATURE_ERROR_HOOKS",
}
_FAILURES: Final = (
    RefusedError,
    UnsupportedValueError,
    ProviderError,
    ProcessError,
    PolicyError,
)
_SEVERITIES: Final[dict[int, Severity]] = {
    engine_pb2.DEBUG: "debug",
    engine_pb2.INFO: "info",
    engine_pb2.WARNING: "warning",
    engine_pb2.ERROR: "error",
}


def _abort(context: Any, code: grpc.StatusCode, message: str) -> NoReturn:
    context.abort(code, message)
    raise AssertionError(message)


class Engine(engine_pb2_grpc.EngineServicer):
    """Log messages, and the root resource."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._root = ""

    def Log(self, request: Any, context: Any) -> Any:  # noqa: N802, D102
        del context
        severity = _SEVERITIES.get(request.severity, "info")
        if severity == "debug":
            return empty_pb2.Empty()  # The SDK's own chatter; the CLI hides it too.
        if self._deployment.gave_up and request.message.startswith(_UNHANDLED):
            # The program stumbles over the end of the operation, whose reason was
            # given; its traceback would only bury that.
            return empty_pb2.Empty()
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

    def GetDeploymentInfo(self, request: Any, context: Any) -> Any:  # noqa: N802, D102
        del request, context
        deployment = self._deployment
        return resource_pb2.DeploymentInfo(
            project=deployment.project,
            stack=deployment.stack,
            organization=deployment.organization,
            config=deployment.config,
            configSecretKeys=sorted(deployment.secret_keys),
            dryRun=deployment.preview,
            parallel=deployment.parallel,
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
        deployment = self._deployment
        with self._answering(context, request.name):
            state = deployment.register(goal_from(request, str(deployment.root)))
        response = resource_pb2.RegisterResourceResponse(
            urn=state.urn,
            id=state.id,
            object=encode(state.outputs, keep_secrets=request.acceptSecrets),
        )
        # SDKs that have no such field take what is not there for None.
        elided = state.urn in deployment.planner.elided
        if elided and "unknown" in response.DESCRIPTOR.fields_by_name:
            response.unknown = True
        return response

    def RegisterResourceOutputs(self, request: Any, context: Any) -> Any:  # noqa: N802, D102
        del context
        self._deployment.register_outputs(request.urn, decode(request.outputs))
        return empty_pb2.Empty()

    def ReadResource(self, request: Any, context: Any) -> Any:  # noqa: N802, D102
        deployment = self._deployment
        with self._answering(context, request.name):
            state = deployment.read(
                Goal(
                    type=request.type,
                    name=request.name,
                    custom=True,
                    properties=decode(request.properties),
                    parent=request.parent,
                    provider=request.provider,
                    version=request.version,
                    dependencies=sorted(request.dependencies),
                    additional_secret_outputs=list(request.additionalSecretOutputs),
                ),
                request.id,
            )
        return resource_pb2.ReadResourceResponse(
            urn=state.urn,
            properties=encode(state.outputs, keep_secrets=request.acceptSecrets),
        )

    def Invoke(self, request: Any, context: Any) -> Any:  # noqa: N802, D102
        self._refuse(context, f"calling the function {request.tok!r}")

    def Call(self, request: Any, context: Any) -> Any:  # noqa: N802, D102
        self._refuse(context, f"calling the method {request.tok!r}")

    def RegisterStackTransform(self, request: Any, context: Any) -> Any:  # noqa: N802, D102
        del request
        self._refuse(context, "a transform of all resources")

    def RegisterStackInvokeTransform(self, request: Any, context: Any) -> Any:  # noqa: N802, D102
        del request
        self._refuse(context, "a transform of all function calls")

    def RegisterResourceHook(self, request: Any, context: Any) -> Any:  # noqa: N802, D102
        self._refuse(context, f"the resource hook {request.name!r}")

    def RegisterErrorHook(self, request: Any, context: Any) -> Any:  # noqa: N802, D102
        self._refuse(context, f"the error hook {request.name!r}")

    def RegisterPackage(self, request: Any, context: Any) -> Any:  # noqa: N802, D102
        self._refuse(context, f"the parameterised package {request.name!r}")

    def SignalAndWaitForShutdown(self, request: Any, context: Any) -> Any:  # noqa: N802, D102
        del request, context
        return empty_pb2.Empty()

    @contextmanager
    def _answering(self, context: Any, name: str) -> Iterator[None]:
        """Turn a failure into the end of the call, and of the operation."""
        try:
            yield
        except (
            RefusedError,
            UnsupportedValueError,
            ProviderError,
            ProcessError,
        ) as error:
            self._deployment.give_up(str(error), name)
            _abort(context, grpc.StatusCode.UNAVAILABLE, "the rehearsal has ended")
        except (StepRefusedError, StepFailedError, CancelledError):
            self._deployment.executor.cancel()
            _abort(context, grpc.StatusCode.UNAVAILABLE, "the rehearsal has ended")

    def _refuse(self, context: Any, what: str) -> NoReturn:
        message = (
            f"the program uses {what}, which a rehearsal does not support; run this "
            "program with the `pulumi` command"
        )
        self._deployment.give_up(message, "")
        _abort(context, grpc.StatusCode.UNAVAILABLE, "the rehearsal has ended")


class Servers:
    """Both services on one loopback port."""

    def __init__(self, deployment: Deployment) -> None:
        self._server = grpc.server(
            futures.ThreadPoolExecutor(_THREADS),
            options=[
                ("grpc.max_receive_message_length", -1),
                ("grpc.max_send_message_length", -1),
                ("grpc.so_reuseport", 0),
            ],
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
