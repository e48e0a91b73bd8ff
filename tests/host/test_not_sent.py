"""What fails before a byte of a request has left is an error that leaves no state."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from plugin import Failed, Plugin
from scripted import RawServer

if TYPE_CHECKING:
    import socket
    from pathlib import Path

    from pulumi_jig.emulator import EmulatorServer

Record = dict[str, Any]

PROGRAM: Record = {
    "name": "never-sent",
    "image": "registry.example/app:1",
    "gpu_type": "none",
}
#: An address to which the environment's proxies apply; nobody answers for it.
REMOTE = "https://api.together.ai"


def refused(plugin: Plugin) -> str:
    """Create, and return the sentence with which it failed; no state may come with it."""
    inputs, failures = plugin.check(PROGRAM)
    assert failures == []
    with pytest.raises(Failed) as caught:
        plugin.create(inputs)
    assert caught.value.id is None
    assert "not known" not in caught.value.message
    assert "Traceback" not in caught.value.message
    return caught.value.message


# --- Settings of this machine --------------------------------------------------


@pytest.mark.parametrize(
    "proxy",
    [
        "http://127.0.0.1:abc",
        "http://127.0.0.1:99999",
        "http://127.0.0.1:0",
        "http://:3128",
        "http://a host:3128",
        "http://a..b:3128",
        f"http://{'a' * 64}.example:3128",
        "http://pr\u00f6xy:3128",
        "http://[::1:3128",
        "http://me:key-canary@",
    ],
)
def test_a_proxy_that_is_no_address(proxy: str) -> None:
    """HTTPS_PROXY that nothing can be sent through is named, without its password."""
    with Plugin(REMOTE, env={"HTTPS_PROXY": proxy}) as plugin:
        said = refused(plugin)
    assert "HTTPS_PROXY" in said
    assert "canary" not in said


def test_a_proxy_of_another_kind() -> None:
    """A proxy that cannot be spoken to is refused before anything is sent."""
    with Plugin(REMOTE, env={"ALL_PROXY": "ftp://127.0.0.1:21"}) as plugin:
        assert "of a kind that is not supported" in refused(plugin)


def _garbage(folder: Path) -> str:
    (folder / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\nnone\n")
    return str(folder / "ca.pem")


@pytest.mark.parametrize("kind", ["missing", "a folder", "garbage"])
def test_certificates_that_cannot_be_read(tmp_path: Path, kind: str) -> None:
    """SSL_CERT_FILE that is missing, no file or no certificate is named."""
    file = {
        "missing": str(tmp_path / "none.pem"),
        "a folder": str(tmp_path),
        "garbage": _garbage(tmp_path),
    }[kind]
    with Plugin(REMOTE, env={"SSL_CERT_FILE": file}) as plugin:
        assert "SSL_CERT_FILE" in refused(plugin)


def test_a_netrc_and_a_no_proxy_that_nobody_can_read_do_not_matter(
    service: EmulatorServer, tmp_path: Path
) -> None:
    """What is not needed is not read."""
    (tmp_path / ".netrc").mkdir()
    env = {
        "HOME": str(tmp_path),
        "NETRC": str(tmp_path / ".netrc"),
        "NO_PROXY": "[::1,*.*,(((,\\",
        "HTTP_PROXY": "http://127.0.0.1:9",
    }
    with Plugin(service.url, env=env) as plugin:
        outputs = plugin.made({**PROGRAM, "name": "odd-surroundings"})
        plugin.delete(outputs)


# --- Modules -------------------------------------------------------------------

#: What the host of the plugin, and the SDK in a program, have loaded before us.
_LOADED_BY_PULUMI = """
import sys
import concurrent.futures.thread, dill, grpc
import pulumi.dynamic, pulumi.runtime.mocks, pulumi.runtime._serialization
print(*sorted(sys.modules))
"""


@pytest.fixture(scope="module")
def shadows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """
    A program's folder with a file for each standard module that Pulumi leaves unloaded.

    (With a file of the name of one that it loads itself, Pulumi does not start.)
    """
    folder = tmp_path_factory.mktemp("program")
    ran = subprocess.run(
        [sys.executable, "-c", _LOADED_BY_PULUMI],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {name.partition(".")[0] for name in ran.stdout.split()}
    for name in sys.stdlib_module_names - loaded - set(sys.builtin_module_names):
        # What another platform has is asked for everywhere, and is missing here.
        if not name.startswith("_") and importlib.util.find_spec(name) is not None:
            (folder / f"{name}.py").write_text("raise RuntimeError(__name__)\n")
    assert (folder / "secrets.py").exists()
    return folder


def test_a_programs_files_are_not_taken_for_standard_modules(
    shadows: Path, service: EmulatorServer
) -> None:
    """A `secrets.py` or `calendar.py` beside the program stands in nobody's way."""
    with Plugin(service.url, folder=shadows) as plugin:
        outputs = plugin.made({**PROGRAM, "name": "shadowed"})
        outputs = plugin.update(outputs, {**outputs, "image": "registry.example/app:2"})
        plugin.delete(outputs)


def test_a_program_with_such_files_imports_the_package(shadows: Path) -> None:
    """Every name of the package can be had beside them, and they stay the program's."""
    (shadows / "secrets.py").write_text("OWN = 'the own file'\n")
    (shadows / "program.py").write_text(
        "import pulumi_jig\n"
        "[getattr(pulumi_jig, name) for name in pulumi_jig.__all__]\n"
        "import secrets\n"
        "print(secrets.OWN)\n"
    )
    ran = subprocess.run(
        [sys.executable, "program.py"], cwd=shadows, capture_output=True, text=True
    )
    assert (ran.stdout, ran.stderr) == ("the own file\n", "")


def test_a_file_that_was_loaded_for_a_standard_module_is_let_go(tmp_path: Path) -> None:
    """Who asks from then on gets the standard one."""
    (tmp_path / "calendar.py").write_text("OWN = 1\n")
    (tmp_path / "program.py").write_text(
        "import calendar\n"
        "assert calendar.OWN\n"
        "from pulumi_jig.host.imports import find_standard_library_first\n"
        "assert find_standard_library_first()\n"
        "import calendar\n"
        "print(calendar.isleap(2024))\n"
    )
    ran = subprocess.run(
        [sys.executable, "program.py"], cwd=tmp_path, capture_output=True, text=True
    )
    assert (ran.stdout, ran.stderr) == ("True\n", "")


@pytest.mark.parametrize("module", ["tenacity", "httpx", "h11", "certifi"])
def test_a_package_that_cannot_be_loaded(
    service: EmulatorServer, tmp_path: Path, module: str
) -> None:
    """A broken installation is found out before anything is asked of the service."""
    (tmp_path / f"{module}.py").write_text("raise ImportError('broken')\n")
    with Plugin(service.url, env={"PYTHONPATH": str(tmp_path)}) as plugin:
        inputs, _ = plugin.check(PROGRAM)
        with pytest.raises(Failed) as caught:
            plugin.create(inputs)
    assert caught.value.id is None
    assert "(ImportError)" in caught.value.message
    assert service.backend.store.by_name("deployments", "never-sent") is None


@pytest.mark.parametrize(
    ("where", "error"),
    [
        ("httpx.Client.build_request", "MemoryError"),
        ("httpcore.ConnectionPool.handle_request", "RecursionError"),
        ("pulumi_jig.client.core._remember", "MemoryError"),
    ],
)
def test_a_machine_that_is_at_its_end(
    service: EmulatorServer, tmp_path: Path, where: str, error: str
) -> None:
    """Whatever is raised on the way to the socket is no reason to keep a state."""
    module, _, name = where.rpartition(".")
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib, pulumi_jig.client.http\n"
        f"module, last = {module!r}, {name!r}\n"
        "try: home = importlib.import_module(module)\n"
        "except ImportError:\n"
        "    module, _, cls = module.rpartition('.')\n"
        "    home = getattr(importlib.import_module(module), cls)\n"
        "real = getattr(home, last)\n"
        "def broken(*args, **options):\n"
        "    import sys\n"
        "    if any('POST' in str(f.f_locals.get('method', '')) for f in frames()):\n"
        f"        raise {error}('token=secret-canary')\n"
        "    return real(*args, **options)\n"
        "def frames():\n"
        "    import sys\n"
        "    frame = sys._getframe(1)\n"
        "    while frame:\n"
        "        yield frame\n"
        "        frame = frame.f_back\n"
        "setattr(home, last, broken)\n"
    )
    with Plugin(service.url, env={"PYTHONPATH": str(tmp_path)}) as plugin:
        said = refused(plugin)
    assert error in said
    assert "canary" not in said


def test_no_more_open_files(service: EmulatorServer, tmp_path: Path) -> None:
    """Too many open files are said to be that, and nothing was sent."""
    (tmp_path / "sitecustomize.py").write_text(
        "import errno, os, socket\n"
        "def full(*_, **__): raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))\n"
        "import httpcore._backends.sync as sync\n"
        "class Socket: create_connection = staticmethod(full)\n"
        "for name in dir(socket):\n"
        "    if not hasattr(Socket, name): setattr(Socket, name, getattr(socket, name))\n"
        "sync.socket = Socket\n"
    )
    env = {"PYTHONPATH": str(tmp_path)}
    with Plugin(service.url, env=env) as plugin:
        inputs, _ = plugin.check(PROGRAM)
        with pytest.raises(Failed, match="has no more files to open") as caught:
            plugin.create(inputs, timeout=1.0)
    assert caught.value.id is None


# --- Whoever listens there -----------------------------------------------------


def _close(sock: socket.socket) -> None:
    sock.recv(1)


def _alert(sock: socket.socket) -> None:
    sock.recv(1)
    # What OpenSSL says to what is no handshake: fatal, unexpected message.
    sock.sendall(b"\x15\x03\x01\x00\x02\x02\x0a")


def _banner(sock: socket.socket) -> None:
    sock.sendall(b"SSH-2.0-OpenSSH_9.6\r\n")
    sock.recv(1)


def _wait(sock: socket.socket) -> None:
    while sock.recv(4096):
        pass


@pytest.mark.parametrize("serve", [_close, _alert, _banner, _wait])
def test_a_server_that_never_said_a_word_of_http(serve: Any) -> None:
    """Plain http to a TLS port: it was not reached, so nothing can exist."""
    with RawServer(serve) as server, Plugin(server.url) as plugin:
        inputs, _ = plugin.check(PROGRAM)
        with pytest.raises(Failed) as caught:
            plugin.create(inputs, timeout=2.0)
    assert caught.value.id is None
    assert "Deployment never-sent was not created" in caught.value.message
    assert "use https:// there if the server speaks TLS" in caught.value.message
