"""
The language host that lets the `pulumi` of `make engine` run Python programs.

`pulumi` starts one process of it for each command, reads a port from its first line of
output, and asks it over gRPC (the interface `LanguageRuntime`, whose messages come with
Pulumi's SDK) to run the program and the policy packs. Users have the one that Pulumi's
makers ship; it is no published Go module, so the tests of this project bring their own.
It does what our programs and packs need and says UNIMPLEMENTED to everything else.

    python language_host.py EXECUTOR ENGINE_ADDRESS

EXECUTOR is `pulumi-language-python-exec`, the script of the SDK that runs one program.
"""

from __future__ import annotations

import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import grpc
from google.protobuf import empty_pb2, json_format
from pulumi.runtime.proto import (
    analyzer_pb2,
    language_pb2,
    language_pb2_grpc,
    plugin_pb2,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The program has told the user what is wrong; `pulumi` need not say it again.
REPORTED: Final = 32
#: Seconds that an interrupted program has for its own end.
GRACE: Final = 5.0


def serve(*handlers: grpc.GenericRpcHandler) -> tuple[grpc.Server, int]:
    """A gRPC server on a free port of loopback, not yet started."""
    server = grpc.server(ThreadPoolExecutor(64), options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers(handlers)
    return server, server.add_insecure_port("127.0.0.1:0")


def command(info: Any) -> tuple[str, dict[str, str]]:
    """
    The Python of a project or pack, and the environment to start it in.

    Raises:
        ValueError: the project names one that is not there, or that is not ours to run.
    """
    options = json_format.MessageToDict(info.options)
    toolchain = options.get("toolchain", "pip")
    if toolchain not in {"pip", "uv"}:
        message = f"the language host of the tests does not run toolchain {toolchain!r}"
        raise ValueError(message)
    folder = options.get("virtualenv", ".venv" if toolchain == "uv" else "")
    env = dict(os.environ)
    if not folder:
        asked = env.get("PULUMI_PYTHON_CMD") or "python3"
        python = shutil.which(asked)
        if python is None:
            message = f"{asked}, the Python to run the program with, is not on PATH"
            raise ValueError(message)
        return python, env
    bin_ = Path(info.root_directory, str(folder), "bin")
    if not (bin_ / "python").exists():
        message = (
            f"the 'virtualenv' option in Pulumi.yaml is set to {folder!r}, which is no "
            f"virtual environment; make it with `python3 -m venv {bin_.parent}`"
        )
        raise ValueError(message)
    env.pop("PYTHONHOME", None)
    return str(bin_ / "python"), {**env, "PATH": f"{bin_}{os.pathsep}{env['PATH']}"}


class PackFront(grpc.GenericRpcHandler):
    """
    Answers for a policy pack until the engine has said which stack it is about.

    `pulumi-policy` reads the stack from its environment, so the pack can start only
    afterwards; from then on every call is handed on as it is.
    """

    def __init__(self) -> None:
        #: The request that names the stack; None where the engine names none.
        self.stack: queue.Queue[bytes | None] = queue.Queue()
        #: The channel to the pack.
        self.pack: Future[grpc.Channel] = Future()

    def service(self, details: Any) -> grpc.RpcMethodHandler:
        """Take every method, as bytes."""

        def behave(request: bytes, context: grpc.ServicerContext) -> bytes:
            match details.method.rpartition("/")[2]:
                case "Handshake":
                    return b""
                case "ConfigureStack":
                    self.stack.put(request)
                    return b""
            self.stack.put(None)
            try:
                return self.call(details.method, request)
            except grpc.RpcError as error:
                context.abort(error.code(), error.details() or "")
            except ChildProcessError as error:
                context.abort(grpc.StatusCode.UNAVAILABLE, str(error))

        return grpc.unary_unary_rpc_method_handler(behave)

    def call(self, method: str, request: bytes) -> bytes:
        """Ask the pack, once there is one."""
        answer: bytes = self.pack.result().unary_unary(method)(request)
        return answer

    def attach(self, port: str, stack: bytes | None) -> None:
        """Hand calls on to the pack that listens on `port`."""
        self.pack.set_result(grpc.insecure_channel(f"127.0.0.1:{port}"))
        if stack is not None:
            try:
                self.call("/pulumirpc.Analyzer/ConfigureStack", stack)
            except grpc.RpcError as error:
                if error.code() != grpc.StatusCode.UNIMPLEMENTED:
                    raise


def stack_environment(request: bytes | None) -> dict[str, str]:
    """What a pack reads of the stack, as environment variables."""
    if request is None:
        return {}
    stack = analyzer_pb2.AnalyzerStackConfigureRequest.FromString(request)
    values = {
        "PULUMI_ORGANIZATION": stack.organization,
        "PULUMI_PROJECT": stack.project,
        "PULUMI_STACK": stack.stack,
        "PULUMI_DRY_RUN": str(stack.dry_run).lower(),
        "PULUMI_CONFIG": json.dumps(dict(stack.config)),
    }
    return {name: value for name, value in values.items() if value}


class LanguageHost(language_pb2_grpc.LanguageRuntimeServicer):
    """Runs programs and policy packs; `engine` is the address for their messages."""

    def __init__(self, executor: str, engine: str) -> None:
        self._executor = executor
        self._engine = engine
        self._programs: set[subprocess.Popen[bytes]] = set()

    def Handshake(self, request: Any, context: Any) -> Any:
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        return plugin_pb2.PluginInfo()

    def GetRequiredPackages(self, request: Any, context: Any) -> Any:
        return language_pb2.GetRequiredPackagesResponse()

    def GetRequiredPlugins(self, request: Any, context: Any) -> Any:
        return language_pb2.GetRequiredPluginsResponse()

    def GetProgramDependencies(self, request: Any, context: Any) -> Any:
        return language_pb2.GetProgramDependenciesResponse()

    def About(self, request: Any, context: Any) -> Any:
        python, _ = self._command(request.info, context)
        version = ".".join(map(str, sys.version_info[:3]))
        return language_pb2.AboutResponse(executable=python, version=version)

    def _command(self, info: Any, context: Any) -> tuple[str, dict[str, str]]:
        try:
            return command(info)
        except ValueError as error:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
            raise

    def Run(self, request: Any, context: Any) -> Any:
        """Run a program to its end; its output goes where ours goes."""
        python, env = self._command(request.info, context)
        env["PULUMI_CONFIG"] = json.dumps(dict(request.config))
        env["PULUMI_CONFIG_SECRET_KEYS"] = json.dumps(list(request.configSecretKeys))
        options = {
            "monitor": request.monitor_address,
            "engine": self._engine,
            "project": request.project,
            "root_directory": request.info.root_directory,
            "stack": request.stack,
            "pwd": request.pwd,
            "dry_run": str(request.dryRun).lower(),
            "parallel": str(request.parallel),
            "tracing": "",
            **({"organization": request.organization} if request.organization else {}),
        }
        program = request.info.program_directory
        if request.info.entry_point not in {"", "."}:
            program = str(Path(program, request.info.entry_point))
        words = [word for key, value in options.items() for word in (f"--{key}", value)]
        process = subprocess.Popen(
            [python, "-u", self._executor, *words, program, *request.args], env=env
        )
        self._programs.add(process)
        context.add_callback(lambda: self._interrupt(process))
        status = process.wait()
        self._programs.discard(process)
        if status == REPORTED:
            return language_pb2.RunResponse(bail=True)
        error = f"program exited with non-zero exit code: {status}" if status else ""
        return language_pb2.RunResponse(error=error)

    def Cancel(self, request: Any, context: Any) -> Any:
        """The first Ctrl-C of a person."""
        for process in list(self._programs):
            threading.Thread(target=self._interrupt, args=(process,)).start()
        return empty_pb2.Empty()

    @staticmethod
    def _interrupt(process: subprocess.Popen[bytes]) -> None:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(GRACE)
            except subprocess.TimeoutExpired:
                process.kill()

    def end(self) -> None:
        """Leave no program behind."""
        for process in list(self._programs):
            process.kill()

    def RunPlugin(self, request: Any, context: Any) -> Iterator[Any]:
        """Run a policy pack to its end, and say what it prints."""
        if request.kind != "analyzer":
            message = f"the language host of the tests runs no {request.kind} plugins"
            context.abort(grpc.StatusCode.UNIMPLEMENTED, message)
        python, env = self._command(request.info, context)
        front = PackFront()
        # Nobody waits any longer for a pack once the engine has closed the stream.
        context.add_callback(lambda: front.stack.put(None))
        server, port = serve(front)
        server.start()
        yield language_pb2.RunPluginResponse(stdout=f"{port}\n".encode())
        stack = front.stack.get()
        directory = request.info.program_directory
        variables = dict(item.split("=", 1) for item in request.env if "=" in item)
        process = subprocess.Popen(
            [python, "-u", "-m", "pulumi.policy", *request.args, directory],
            cwd=directory,
            env={**env, **variables, **stack_environment(stack)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        context.add_callback(process.kill)
        said: queue.Queue[Any] = queue.Queue()
        readers = [
            threading.Thread(target=self._read, args=(process.stderr, "stderr", said)),
            threading.Thread(
                target=self._read, args=(process.stdout, "stdout", said, front, stack)
            ),
        ]
        for reader in readers:
            reader.start()
        for _ in readers:
            yield from iter(said.get, None)
        yield language_pb2.RunPluginResponse(exitcode=process.wait())
        server.stop(None)

    @staticmethod
    def _read(
        stream: Any,
        name: str,
        said: queue.Queue[Any],
        front: PackFront | None = None,
        stack: bytes | None = None,
    ) -> None:
        """Hand on what a pack prints; its first line of output is its port."""
        try:
            if front is not None:
                port = stream.readline().decode(errors="replace").strip()
                if port.isdigit():
                    front.attach(port, stack)
                else:
                    error = ChildProcessError("the policy pack did not start")
                    front.pack.set_exception(error)
            for line in stream:
                said.put(language_pb2.RunPluginResponse(**{name: line}))
        finally:
            said.put(None)


def main(executor: str, engine: str) -> int:
    """Serve until whoever started this process is gone, or ends it."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    host = LanguageHost(executor, engine)
    server, port = serve()
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(host, server)
    server.start()
    print(port, flush=True)
    parent = os.getppid()
    try:
        while os.getppid() == parent:
            time.sleep(0.2)
    except KeyboardInterrupt:
        pass
    finally:
        host.end()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
