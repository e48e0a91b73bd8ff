"""What README shows is what happens."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from pulumi_jig.rehearsal import Rehearsal
from pulumi_jig.rehearsal.display import Paint, heading, report
from pulumi_jig.schema.deployment import FIELDS
from pulumi_jig.schema.field import LEFT_ALONE

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def block(language: str) -> str:
    """The first fenced block of a language."""
    found = re.search(rf"```{language}\n(.*?)```", README, re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """README's first program, as a project."""
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text("name: shop\nruntime: python\n")
    (folder / "__main__.py").write_text(block("python"))
    return folder


def test_the_first_program_previews_as_shown(shop: Path) -> None:
    """The transcript of the preview is the preview, name and address included."""
    paint = Paint(io.StringIO())
    # Nothing of a test leaves this machine.
    env = {"TOGETHER_API_KEY": "key", "HTTPS_PROXY": "http://127.0.0.1:9"}
    with Rehearsal(shop, secret_config={"hfToken": "hf_x"}, env=env) as stack:
        result = stack.preview()
    drawn = f"{heading('preview', 'dev', paint)}\n{report(result, paint)}\n"
    assert block("text") == drawn


def test_the_first_program_comes_up_and_goes(shop: Path, jig_rehearsal) -> None:  # type: ignore[no-untyped-def]
    """The program runs against the emulator, from nothing to nothing."""
    stack = jig_rehearsal(shop, secret_config={"hfToken": "hf_x"})
    stack.up().raise_if_failed()
    assert stack.preview().is_empty
    stack.destroy().raise_if_failed()


def test_the_volume_rolls_what_mounts_it(tmp_path: Path, jig_rehearsal) -> None:  # type: ignore[no-untyped-def]
    """A fresh snapshot makes a version, and the deployment follows in the same update."""
    found = re.search(
        r"```python\n(from pulumi_jig import Deployment, Volume.*?)```",
        README,
        re.DOTALL,
    )
    assert found is not None
    (tmp_path / "Pulumi.yaml").write_text("name: shop\nruntime: python\n")
    program = tmp_path / "__main__.py"
    program.write_text(found[1])
    stack = jig_rehearsal(tmp_path)
    stack.up().raise_if_failed()
    program.write_text(found[1].replace("version=1", "version=2"))
    assert stack.up().raise_if_failed().changes == {"update": 2, "same": 1}
    assert stack.preview().is_empty


def names_in(text: str) -> set[str]:
    """The names in backticks."""
    return set(re.findall(r"`(\w+)`", text))


def test_what_can_be_taken_back_is_told_as_it_is() -> None:
    """The two rows of properties that are no longer declared are the table of fields."""
    cleared, refused = re.findall(r"^\| no longer (.+?) \|", README, re.MULTILINE)

    assert names_in(cleared) == {
        name for name, field in FIELDS.items() if field.default in ("", [], {})
    }
    assert names_in(refused) == {
        name for name, field in FIELDS.items() if field.default is LEFT_ALONE
    } - {"name", "image", "gpu_type"}


def test_what_restarts_replicas_is_told_as_it_is() -> None:
    """The exceptions that README names are those of the table of fields."""
    told = re.search(r"What restarts replicas: (.+?)\.\n", README, re.DOTALL)

    assert told is not None
    assert names_in(told[1]) == {
        name for name, field in FIELDS.items() if not field.rolls
    }
