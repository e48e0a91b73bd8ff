"""A program's whole life on the rehearsal, with a toy provider."""

from __future__ import annotations

import textwrap
from pathlib import Path

from pulumi_jig.rehearsal import Rehearsal

HERE = Path(__file__).parent


def program(folder: Path, source: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "Pulumi.yaml").write_text("name: toys\nruntime: python\n")
    (folder / "__main__.py").write_text(textwrap.dedent(source))
    return folder


def rehearse(tmp_path: Path, source: str) -> Rehearsal:
    world = tmp_path / "world"
    world.mkdir(exist_ok=True)
    return Rehearsal(
        program(tmp_path / "program", source),
        env={"PYTHONPATH": str(HERE), "TOY_WORLD": str(world)},
    )


TWO = """
    import pulumi
    from toy import Toy

    a = Toy("a", {"size": 1})
    b = Toy("b", {"of": a.url})
    pulumi.export("url", b.url)
"""


def test_a_whole_life(tmp_path: Path) -> None:
    """Preview, up, an empty preview, destroy, and nothing is left."""
    with rehearse(tmp_path, TWO) as stack:
        assert stack.preview().raise_if_failed().changes == {"create": 3}
        assert list((tmp_path / "world").iterdir()) == []
        up = stack.up().raise_if_failed()
        assert up.changes == {"create": 3}
        assert up.outputs["url"] == "toy://b"
        assert stack.preview().is_empty
        assert stack.destroy().raise_if_failed().changes == {"delete": 3}
        assert stack.resources == []
        assert list((tmp_path / "world").iterdir()) == []
