"""The public face: what is promised exists, and costs nothing until it is used."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import pulumi_jig
from pulumi_jig import resources


@pytest.mark.parametrize("name", pulumi_jig.__all__)
def test_every_promised_name_exists(name: str) -> None:
    """`__all__` names nothing that is not there."""
    assert getattr(pulumi_jig, name) is not None


def test_every_resource_is_promised() -> None:
    """What the resources' room exports is public."""
    assert set(resources.__all__) <= set(pulumi_jig.__all__)


def test_the_engine_looks_for_no_plugin_of_this_name() -> None:
    """
    The package says that no plugin belongs to it.

    Pulumi takes every Python package whose name begins with `pulumi-` for one with a
    plugin to download, and would ask the network for `pulumi-resource-jig` at each run.
    """
    file = Path(pulumi_jig.__file__).parent / "pulumi-plugin.json"
    assert json.loads(file.read_text()) == {"resource": False}


def test_an_unknown_name_is_an_attribute_error() -> None:
    """A typing mistake is told as Python tells it."""
    with pytest.raises(AttributeError, match="Deploment"):
        _ = pulumi_jig.Deploment  # type: ignore[attr-defined] # A typing mistake.


def test_a_program_loads_neither_http_nor_models() -> None:
    """Importing a resource in a program loads neither httpx nor pydantic (Case G2)."""
    code = (
        "import sys; from pulumi_jig import Deployment, Provider; "
        "print([m for m in ('httpx', 'pydantic', 'tenacity') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_the_client_loads_no_command_line_of_its_library() -> None:
    """
    A plugin process loads httpx without rich, click and pygments, which httpx takes for
    its own command where they are installed; and httpx itself stays whole.
    """
    code = (
        "import sys, httpx._main as whole; del sys.modules['httpx'], whole\n"
        "for name in [n for n in sys.modules if n.split('.')[0] in "
        "('httpx', 'rich', 'click', 'pygments')]: del sys.modules[name]\n"
        "import pulumi_jig.client.http\n"
        "print([m for m in ('rich', 'click', 'pygments') if m in sys.modules])\n"
        "import httpx._main; print(httpx.Client.__module__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.split("\n")[:2] == ["[]", "httpx"], done.stderr
