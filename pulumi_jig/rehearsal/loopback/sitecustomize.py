"""
The guard that keeps every process of a rehearsal on this machine.

Python imports a module of this name at start-up when its folder is on PYTHONPATH. The
audit hook sees each connection and each name look-up through Python's sockets before it
happens, and cannot be removed again. Unix sockets stay allowed. It does not see sockets
that a C library opens for itself, as gRPC's core does; no HTTP client in Python is one.
"""

# ruff: noqa: INP001 - This folder is put on PYTHONPATH; a package would not be found.

from __future__ import annotations

import importlib.util
import ipaddress
import sys
from pathlib import Path
from typing import Any

_NAMES = frozenset({"", "localhost", "localhost.localdomain", "ip6-localhost"})


def _is_loopback(host: Any) -> bool:
    if host is None:
        return True
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    if not isinstance(host, str):
        return False
    if host.lower() in _NAMES:
        return True
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    # The unspecified address (0.0.0.0, ::) reaches this machine too.
    return (mapped or address).is_loopback or address.is_unspecified


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if event in {"socket.connect", "socket.sendto"}:
        address = args[1]
        # Unix sockets have a path or bytes for an address, not a tuple.
        if isinstance(address, tuple) and not _is_loopback(address[0]):
            _refuse(address[0])
    elif event in {"socket.getaddrinfo", "socket.gethostbyname"} and not _is_loopback(
        args[0]
    ):
        _refuse(args[0])


def _refuse(host: Any) -> None:
    message = (
        f"a rehearsal may reach loopback only, but something tried to reach {host}; "
        "point the program at an emulator on 127.0.0.1"
    )
    raise PermissionError(message)


sys.addaudithook(_hook)


def _chain() -> None:
    """Run the sitecustomize that this one hides, if the machine has one."""
    here = Path(__file__).resolve().parent
    for entry in sys.path:
        folder = Path(entry or ".").resolve()
        candidate = folder / "sitecustomize.py"
        if folder == here or not candidate.is_file():
            continue
        spec = importlib.util.spec_from_file_location("_hidden_site", candidate)
        if spec is not None and spec.loader is not None:
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
        return


_chain()
