"""Scenarios of operations that are limited to some resources."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scenario_words import box, out, scenario, toy

if TYPE_CHECKING:
    from engines import Stage


def chain(size: int) -> dict[str, Any]:
    """`b` is made from `a`, and `c` stands alone."""
    return {
        "a": toy(size=size),
        "b": toy(of=out("a", "url"), size=size),
        "c": toy(size=size),
    }


@scenario
def target_update(stage: Stage) -> None:
    """Only targets change; everything else stays as the state has it."""
    outputs = {"size": out("a", "size"), "other": out("c", "size")}
    stage.plan(chain(1), outputs)
    stage.up()
    stage.plan(chain(2), {**outputs, "new": 1})
    stage.preview(targets=[stage.urn("a")])
    stage.up(targets=[stage.urn("a")])
    stage.up(targets=[stage.urn("b"), stage.urn("c")])
    assert stage.up().steps["toy c"] == ["same"]
    stage.destroy()


@scenario
def target_dependents(stage: Stage) -> None:
    """With its dependents a target takes along what is made from it."""
    stage.plan(chain(1))
    stage.up()
    stage.plan({**chain(2), "d": toy({"depends_on": ["b"]}), "e": toy()})
    stage.preview(targets=[stage.urn("a")], dependents=True)
    stage.up(targets=[stage.urn("a")], dependents=True)
    assert stage.toys() == ["a", "b", "c", "d"]
    stage.up()
    stage.destroy()


@scenario
def target_create(stage: Stage) -> None:
    """What is not a target is not made; a target cannot be made from it."""
    stage.plan(chain(1), {"url": out("b", "url"), "size": out("c", "size")})
    stage.preview(targets=[stage.urn("c")])
    stage.up(targets=[stage.urn("c")])
    assert stage.toys() == ["c"]
    assert not stage.preview(targets=[stage.urn("b")]).ok
    assert not stage.up(targets=[stage.urn("b")]).ok
    stage.up()
    stage.destroy()


@scenario
def target_delete(stage: Stage) -> None:
    """Of what the program no longer has, only targets are deleted."""
    stage.plan({**chain(1), "d": toy()})
    stage.up()
    stage.plan({})
    stage.preview(targets=[stage.urn("c")])
    stage.up(targets=[stage.urn("c")])
    assert stage.toys() == ["a", "b", "d"]
    assert not stage.preview(targets=[stage.urn("a")]).ok
    assert not stage.up(targets=[stage.urn("a")]).ok
    assert stage.toys() == ["a", "b", "d"]
    assert stage.up(targets=[stage.urn("a")], dependents=True).ok
    assert stage.toys() == ["d"]
    stage.destroy()


@scenario
def target_destroy(stage: Stage) -> None:
    """Destroying a target destroys what depends on it, if that is asked for."""
    stage.plan({**chain(1), "d": toy({"parent": "c"})})
    stage.up()
    assert not stage.destroy(targets=[stage.urn("a")]).ok
    assert stage.toys() == ["a", "b", "c", "d"]
    assert stage.destroy(targets=[stage.urn("b")]).ok
    assert stage.destroy(targets=[stage.urn("c")], dependents=True).ok
    assert stage.toys() == ["a"]
    stage.up()
    stage.destroy()


@scenario
def target_refresh(stage: Stage) -> None:
    """Only targets are read."""
    stage.plan(chain(1))
    stage.up()
    stage.poke("a", size=5)
    stage.poke("b", size=5)
    stage.poke("c", size=5)
    stage.refresh(targets=[stage.urn("a")])
    stage.lose("c")
    stage.refresh(targets=[stage.urn("c")])
    stage.refresh(targets=[stage.urn("a")], dependents=True)
    stage.up()
    stage.destroy()


@scenario
def target_replace(stage: Stage) -> None:
    """A target may be replaced; what must go before it must be a target too."""

    def plan(tag: str) -> dict[str, Any]:
        first = {"delete_before_replace": True}
        return {
            "a": toy(first, name=f"a-{tag}", tag=f"b-{tag}"),
            "b": toy(name=out("a", "tag")),
            "c": toy(name=f"c-{tag}"),
        }

    stage.plan(plan("one"))
    stage.up()
    stage.plan(plan("two"))
    stage.up(targets=[stage.urn("c")])
    stage.preview(targets=[stage.urn("a")])
    stage.up(targets=[stage.urn("a")])
    stage.up(targets=[stage.urn("a")], dependents=True)
    stage.destroy()


@scenario
def target_unknown(stage: Stage) -> None:
    """A target that is nowhere is told."""
    stage.plan({"a": toy()})
    stage.up()
    nobody = stage.urn("nobody")
    stage.preview(targets=[nobody])
    stage.up(targets=[nobody])
    stage.destroy()


@scenario
def target_component(stage: Stage) -> None:
    """A component stands for its children where dependents are asked for."""

    def plan(size: int) -> dict[str, Any]:
        return {
            "box": box(),
            "kid": toy({"parent": "box"}, size=size),
            "out": toy(size=size),
        }

    stage.plan(plan(1))
    stage.up()
    stage.plan(plan(2))
    urn = stage.urn("box", "toy:index:Box")
    stage.up(targets=[urn])
    stage.up(targets=[urn], dependents=True)
    stage.destroy(targets=[urn], dependents=True)
    stage.destroy()


@scenario
def target_provider(stage: Stage) -> None:
    """The provider of a target must be there, or be a target as well."""
    two = {"kind": "provider", "props": {"toy:where": "two"}}
    stage.plan({"two": two, "a": toy({"provider": "two"}), "b": toy()})
    stage.up(targets=[stage.urn("a")])
    two["props"]["toy:where"] = "three"
    stage.plan({"two": two, "a": toy({"provider": "two"}, size=2), "b": toy()})
    stage.up(targets=[stage.urn("a")])
    stage.up()
    stage.destroy()


@scenario
def target_and_retained(stage: Stage) -> None:
    """Targets that go with another, or stay behind, go and stay as ever."""
    stage.plan(
        {
            "a": toy(),
            "b": toy({"deleted_with": "a"}),
            "c": toy({"retain_on_delete": True}),
            "d": toy({"additional_secret_outputs": ["url"]}, size=1),
        }
    )
    stage.up()
    stage.destroy(targets=[stage.urn("a"), stage.urn("b"), stage.urn("c")])
    stage.refresh(targets=[stage.urn("d")])
    stage.destroy()
