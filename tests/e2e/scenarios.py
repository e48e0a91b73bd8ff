"""Scenarios of a single stack that both engines must play alike, with the toys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scenario_words import box, out, scenario, toy

if TYPE_CHECKING:
    from engines import Stage


@scenario
def life(stage: Stage) -> None:
    """Create, same, update, delete of what is gone from the program, destroy."""
    stage.plan(
        {"a": toy(size=1), "b": toy(of=out("a", "url"))}, {"url": out("b", "url")}
    )
    stage.preview()
    stage.up()
    assert stage.up().steps["toy a"] == ["same"]
    stage.plan({"a": toy(size=2), "c": toy()}, {"url": out("c", "url")})
    stage.preview()
    stage.up()
    assert stage.toys() == ["a", "c"]
    stage.destroy()
    assert stage.toys() == []


@scenario
def replace_create_first(stage: Stage) -> None:
    """A changed `name` replaces; the old one is deleted at the end, users updated."""
    stage.plan({"a": toy(name="a1"), "b": toy(of=out("a", "url"))})
    stage.up()
    stage.plan({"a": toy(name="a2"), "b": toy(of=out("a", "url"))})
    stage.preview()
    stage.up()
    stage.destroy()


@scenario
def replace_delete_first(stage: Stage) -> None:
    """`delete_before_replace` deletes first; dependents that can live on are updated."""

    def plan(name: str) -> dict[str, Any]:
        return {
            "a": toy({"delete_before_replace": True}, name=name),
            "b": toy(of=out("a", "url")),
            "c": toy(of=out("b", "url")),
        }

    stage.plan(plan("a1"))
    stage.up()
    stage.plan(plan("a2"))
    stage.preview()
    stage.up()
    stage.destroy()


@scenario
def replace_dependents_first(stage: Stage) -> None:
    """Dependents that take their name from the replaced one are deleted before it."""

    def plan(tag: str) -> dict[str, Any]:
        first = {"delete_before_replace": True}
        return {
            "a": toy(first, name=f"a-{tag}", tag=f"b-{tag}"),
            "b": toy(name=out("a", "tag"), tag=f"c-{tag}"),
            "c": toy(name=out("b", "tag")),
        }

    stage.plan(plan("one"))
    stage.up()
    stage.plan(plan("two"))
    stage.preview()
    act = stage.up()
    assert act.order[:3] == ["Delete toy c", "Delete toy b", "Delete toy a"]
    stage.destroy()


@scenario
def provider_wants_delete_first(stage: Stage) -> None:
    """The provider's own wish holds, unless the option says otherwise."""
    stage.plan({"a": toy(name="a1", exclusive=True)})
    stage.up()
    stage.plan({"a": toy(name="a2", exclusive=True)})
    stage.up()
    stage.plan({"a": toy({"delete_before_replace": False}, name="a3", exclusive=True)})
    stage.up()
    stage.destroy()


@scenario
def replace_on_demand(stage: Stage) -> None:
    """`--replace URN` makes anew what has not changed, in either order."""
    stage.plan({"a": toy(size=1), "b": toy(of=out("a", "url"))})
    stage.up()
    stage.preview([stage.urn("a")])
    stage.up([stage.urn("a")])
    stage.plan({"a": toy({"delete_before_replace": True}, size=1)})
    stage.up([stage.urn("a")])
    stage.destroy()


@scenario
def replacement_trigger(stage: Stage) -> None:
    """A changed trigger replaces; a new one does not."""
    stage.plan({"a": toy()})
    stage.up()
    stage.plan({"a": toy({"replacement_trigger": "one"})})
    stage.up()
    stage.plan({"a": toy({"replacement_trigger": "two"})})
    stage.preview()
    stage.up()
    stage.destroy()


@scenario
def unsure_provider(stage: Stage) -> None:
    """A provider that leaves the diff to the engine; `replace_on_changes` counts then."""
    stage.plan({"a": toy(unsure=True, size=1)})
    stage.up()
    stage.up()
    stage.plan({"a": toy(unsure=True, size=2)})
    stage.up()
    stage.plan({"a": toy({"replace_on_changes": ["size"]}, unsure=True, size=3)})
    stage.preview()
    stage.destroy()


@scenario
def ignored_changes(stage: Stage) -> None:
    """An ignored property keeps its old value, also after drift was refreshed."""
    opts = {"ignore_changes": ["size", "deep.inner", "rows[0].x"]}
    stage.plan({"a": toy(opts, size=1, deep={"inner": 1}, rows=[{"x": 1}])})
    stage.up()
    stage.plan({"a": toy(opts, size=2, deep={"inner": 2, "o": 1}, rows=[{"x": 2}])})
    stage.preview()
    stage.up()
    stage.poke("a", size=7)
    stage.refresh()
    assert stage.up().steps["toy a"] == ["same"]
    stage.destroy()


@scenario
def renamed_with_alias(stage: Stage) -> None:
    """Aliases of name and parent keep what exists; children follow their parent."""
    stage.plan(
        {
            "box": box(),
            "box-kid": toy({"parent": "box"}),
            "a": toy(),
            "b": toy(of=out("a", "url")),
        }
    )
    stage.up()
    stage.plan(
        {
            "crate": box(aliases=[{"name": "box"}]),
            "crate-kid": toy({"parent": "crate"}, name="box-kid"),
            "z": toy({"aliases": [{"name": "a"}]}, name="a"),
            "b": toy(
                {"parent": "crate", "aliases": [stage.urn("b")]}, of=out("z", "url")
            ),
        }
    )
    stage.preview()
    act = stage.up()
    assert act.steps["toy crate-kid"] == ["same"]
    assert act.steps["toy z"] == ["same"]
    stage.destroy()


@scenario
def explicit_providers(stage: Stage) -> None:
    """Providers given to a resource and to a component have their own configuration."""
    stage.config = {"toy:where": "default"}
    two = {"kind": "provider", "props": {"toy:where": {"$secret": "two"}}}
    stage.plan(
        {
            "two": two,
            "a": toy(),
            "b": toy({"provider": "two"}),
            "box": box(providers=["two"]),
            "kid": toy({"parent": "box"}),
        }
    )
    stage.preview()
    stage.up()
    stage.up()
    stage.plan({"two": two, "a": toy({"provider": "two"})})
    stage.preview()
    stage.up()
    two["props"]["toy:where"] = "three"
    stage.plan({"two": two, "a": toy({"provider": "two"})})
    stage.up()
    stage.destroy()


@scenario
def changed_configuration(stage: Stage) -> None:
    """A new value reaches the default provider; destroy uses what the state holds."""
    stage.config = {"toy:where": "here"}
    stage.secret_config = {"toy:key": "hush"}
    stage.plan({"a": toy(said={"$config": "said"})})
    stage.config["said"] = "one"
    stage.up()
    stage.secret_config = {"toy:key": "quiet"}
    stage.config["said"] = "two"
    stage.preview()
    stage.up()
    stage.secret_config = {"toy:key": "other"}
    stage.refresh()
    stage.destroy()


@scenario
def create_partial(stage: Stage) -> None:
    """A create that is not finished leaves the resource; the next up updates it."""
    stage.plan({"a": toy(size=1), "b": toy(of=out("a", "url"))})
    stage.faults(create_a="partial")
    act = stage.up()
    assert not act.ok
    assert stage.toys() == ["a"]
    stage.faults()
    stage.preview()
    act = stage.up()
    assert act.steps["toy a"] == ["update"]
    assert stage.up().steps["toy a"] == ["same"]
    stage.destroy()


@scenario
def create_partial_replaced(stage: Stage) -> None:
    """`replace_on_changes=["#initerror"]` replaces what was not finished."""
    plan = {"a": toy({"replace_on_changes": ["#initerror"]}, size=1)}
    stage.plan(plan)
    stage.faults(create_a="partial")
    stage.up()
    stage.faults()
    stage.preview()
    stage.up()
    stage.destroy()


@scenario
def create_refused(stage: Stage) -> None:
    """A create that fails leaves nothing; what stands beside it is not lost."""
    stage.plan(
        {"a": toy(), "b": toy({"depends_on": ["a"]}), "c": toy({"depends_on": ["b"]})}
    )
    stage.faults(create_b="raise")
    assert not stage.up().ok
    assert stage.toys() == ["a"]
    stage.faults()
    stage.up()
    stage.destroy()


@scenario
def update_partial(stage: Stage) -> None:
    """An update that is not finished keeps new outputs and old inputs."""
    stage.plan({"a": toy(size=1)})
    stage.up()
    stage.plan({"a": toy(size=2)})
    stage.faults(update_a="partial")
    assert not stage.up().ok
    stage.faults()
    stage.up()
    stage.up()
    stage.destroy()


@scenario
def update_refused(stage: Stage) -> None:
    """An update that fails changes nothing in the state."""
    stage.plan({"a": toy(size=1)}, {"size": out("a", "size")})
    stage.up()
    stage.plan({"a": toy(size=2)}, {"size": out("a", "size"), "new": 1})
    stage.faults(update_a="raise")
    assert not stage.up().ok
    stage.faults()
    stage.up()
    stage.destroy()


@scenario
def delete_refused(stage: Stage) -> None:
    """A delete that fails keeps the resource and what it depends on."""
    stage.plan({"a": toy(), "b": toy({"depends_on": ["a"]})})
    stage.up()
    stage.faults(delete_b="raise")
    assert not stage.destroy().ok
    assert stage.toys() == ["a", "b"]
    stage.faults()
    stage.destroy()


@scenario
def replace_delete_refused(stage: Stage) -> None:
    """The old half of a replacement that cannot be deleted waits for the next up."""
    stage.plan({"a": toy(name="a1")})
    stage.up()
    stage.plan({"a": toy(name="a2")})
    stage.faults(delete_a1="raise")
    assert not stage.up().ok
    stage.faults()
    stage.preview()
    stage.up()
    stage.destroy()


@scenario
def replace_create_refused(stage: Stage) -> None:
    """Deleted first and then not made: the state remembers what is to be made."""
    opts = {"delete_before_replace": True}
    stage.plan({"a": toy(opts, name="a1")})
    stage.up()
    stage.plan({"a": toy(opts, name="a2")})
    stage.faults(create_a2="raise")
    assert not stage.up().ok
    stage.preview()
    stage.faults()
    stage.up()
    stage.destroy()


@scenario
def pending_replacement_dropped(stage: Stage) -> None:
    """A pending replacement that the program no longer wants is only forgotten."""
    opts = {"delete_before_replace": True}
    stage.plan({"a": toy(opts, name="a1")})
    stage.up()
    stage.plan({"a": toy(opts, name="a2")})
    stage.faults(create_a2="raise")
    stage.up()
    stage.plan({})
    stage.preview()
    stage.up()
    stage.destroy()


@scenario
def check_refused(stage: Stage) -> None:
    """A failed check ends preview and up before anything is made of it."""
    stage.plan({"a": toy(), "b": toy({"depends_on": ["a"]}, size=13)})
    assert not stage.preview().ok
    assert not stage.up().ok
    stage.plan({})
    stage.destroy()


@scenario
def plugin_dies(stage: Stage) -> None:
    """A plugin that dies in create leaves no trace in the state."""
    stage.plan({"a": toy()})
    stage.faults(create_a="die")
    assert not stage.up().ok
    stage.faults()
    stage.up()
    stage.destroy()


@scenario
def refreshed(stage: Stage) -> None:
    """Drift enters the state, what is gone leaves it, what cannot be read stays."""
    stage.plan({"a": toy(size=1), "b": toy(), "c": toy(), "d": toy()})
    stage.up()
    stage.refresh()
    stage.poke("a", size=5)
    stage.lose("b")
    stage.faults(read_c="raise")
    act = stage.refresh()
    assert not act.ok
    stage.faults()
    stage.preview()
    stage.up()
    assert stage.toys() == ["a", "b", "c", "d"]
    stage.destroy()


@scenario
def refresh_partial(stage: Stage) -> None:
    """A read that reports a bad state warns, and the next up updates."""
    stage.plan({"a": toy(size=1)})
    stage.up()
    stage.faults(read_a="partial")
    assert stage.refresh().ok
    stage.faults()
    stage.preview()
    stage.up()
    stage.destroy()


@scenario
def secrets(stage: Stage) -> None:
    """Secrets stay secret in state, by key and path; a list becomes one secret."""
    stage.secret_config = {"word": "hush"}
    stage.plan(
        {
            "a": toy(
                plain="p",
                pw={"$secret": "top"},
                deep={"in": {"$secret": "deep"}, "out": 1},
                rows=["x", {"$secret": "row"}],
                said={"$config": "word"},
            ),
            "b": toy({"additional_secret_outputs": ["url"]}),
            "c": toy(of=out("b", "url")),
        },
        {"pw": out("a", "pw"), "rows": out("a", "rows"), "url": out("b", "url")},
    )
    stage.preview()
    stage.up()
    stage.up()
    stage.refresh()
    stage.destroy()


@scenario
def unknowns(stage: Stage) -> None:
    """What only a real run knows is unknown in preview, at any depth."""
    stage.plan(
        {
            "a": toy(),
            "b": toy(of=out("a", "url"), deep={"x": [1, out("a", "url")]}),
        },
        {"of": out("b", "of"), "deep": out("b", "deep"), "name": out("b", "name")},
    )
    stage.preview()
    stage.up()
    stage.plan(
        {
            "a": toy(name="a2"),
            "b": toy(of=out("a", "url"), deep={"x": [1, out("a", "url")]}),
        },
        {"of": out("b", "of"), "deep": out("b", "deep"), "name": out("b", "name")},
    )
    stage.preview()
    stage.up()
    stage.destroy()


@scenario
def order(stage: Stage) -> None:
    """Creates follow dependencies, deletes go the other way round."""
    stage.plan(
        {
            "a": toy(),
            "b": toy({"depends_on": ["a"]}),
            "c": toy({"depends_on": ["b"]}),
            "d": toy({"parent": "c"}),
            "e": toy(of=out("d", "url")),
        }
    )
    up = stage.up()
    assert up.order == [f"Create toy {name}" for name in "abcde"]
    down = stage.destroy()
    assert down.order == [f"Delete toy {name}" for name in "edcba"]


@scenario
def protected(stage: Stage) -> None:
    """A protected resource is neither deleted nor replaced until it is unprotected."""
    stage.plan({"a": toy({"protect": True}, name="a1")})
    stage.up()
    stage.plan({"a": toy({"protect": True}, name="a2")})
    assert not stage.preview().ok
    assert not stage.up().ok
    stage.plan({})
    assert not stage.preview().ok
    assert not stage.up().ok
    assert not stage.destroy().ok
    stage.plan({"a": toy(name="a1")})
    stage.up()
    stage.destroy()


@scenario
def timeouts(stage: Stage) -> None:
    """`custom_timeouts` reach the provider in seconds."""
    limits = {"create": "5m", "update": "1h30m", "delete": "45s"}
    stage.plan({"a": toy({"custom_timeouts": limits}, size=1)})
    stage.up()
    stage.plan({"a": toy({"custom_timeouts": limits}, size=2)})
    stage.up()
    stage.refresh()
    stage.destroy()


@scenario
def components(stage: Stage) -> None:
    """Components have no provider; they frame their children's URNs."""
    stage.plan(
        {
            "outer": box(),
            "inner": box(parent="outer"),
            "kid": toy({"parent": "inner"}),
            "kin": toy({"parent": "outer", "depends_on": ["inner"]}),
        }
    )
    stage.preview()
    stage.up()
    stage.plan({"outer": box(), "kin": toy({"parent": "outer"})})
    stage.up()
    stage.destroy()


@scenario
def duplicate_names(stage: Stage) -> None:
    """Two resources of one type and name are refused."""
    stage.plan(
        {"a": toy(), "b": {"name": "a", "props": {}, "opts": {"depends_on": ["a"]}}}
    )
    assert not stage.preview().ok
    assert not stage.up().ok
    stage.destroy()


@scenario
def failing_program(stage: Stage) -> None:
    """A program that fails deletes nothing, though it no longer registered all."""
    stage.plan({"a": toy(), "b": toy()}, {"one": 1, "two": 2})
    stage.up()
    stage.plan({"a": toy()}, {"one": 11}, fail="it broke")
    assert not stage.preview().ok
    assert not stage.up().ok
    assert stage.toys() == ["a", "b"]
    stage.destroy()


@scenario
def retained(stage: Stage) -> None:
    """`retain_on_delete` forgets without deleting."""
    stage.plan({"a": toy({"retain_on_delete": True}), "b": toy()})
    stage.up()
    stage.plan({"b": toy()})
    stage.preview()
    stage.up()
    assert stage.toys() == ["a", "b"]
    stage.destroy()


@scenario
def deleted_with(stage: Stage) -> None:
    """Who is deleted with another is not deleted by its provider."""
    stage.plan({"a": toy(), "b": toy({"deleted_with": "a"})})
    stage.up()
    stage.destroy()


@scenario
def drifted(stage: Stage) -> None:
    """After a refresh `up` repairs drift, since read returned the inputs."""
    stage.plan({"a": toy(size=1)}, {"size": out("a", "size")})
    stage.up()
    stage.poke("a", size=4)
    stage.refresh()
    assert stage.preview().steps["toy a"] == ["update"]
    stage.up()
    assert stage.preview().steps["toy a"] == ["same"]
    stage.destroy()


@scenario
def policy_on_resource(stage: Stage) -> None:
    """A mandatory violation fails a preview, and in an up comes before the create."""
    stage.use_pack()
    stage.plan({"a": toy(size=3), "b": toy({"depends_on": ["a"]}, size=4)})
    assert not stage.preview().ok
    assert not stage.up().ok
    assert stage.toys() == ["a"]
    stage.plan({"a": toy(size=3), "b": toy(size=2)})
    assert stage.up().ok
    stage.destroy()


@scenario
def policy_on_stack(stage: Stage) -> None:
    """A stack policy blocks a preview, but in an up comes after all creates."""
    stage.use_pack({"toy-count": {"most": 1}})
    stage.plan({"a": toy(), "b": toy({"depends_on": ["a"]}, shout=True)})
    assert not stage.preview().ok
    assert not stage.up().ok
    assert stage.toys() == ["a", "b"]
    stage.destroy()


@scenario
def policy_levels(stage: Stage) -> None:
    """`all` sets every level, an entry its own; advisory does not fail."""
    stage.use_pack(
        {"all": "advisory", "toy-size": {"most": 1}, "toy-count": "disabled"}
    )
    stage.plan({"a": toy(size=2, shout=True)})
    assert stage.preview().ok
    assert stage.up().ok
    stage.destroy()


@scenario
def policy_on_unknown(stage: Stage) -> None:
    """A policy that meets an unknown value in preview is advisory there."""
    stage.use_pack()
    stage.plan({"a": toy(), "b": toy(size=out("a", "url"))})
    assert stage.preview().ok
    stage.destroy()


@scenario
def policy_remediates(stage: Stage) -> None:
    """A remediation changes the inputs that are created."""
    stage.use_pack()
    stage.plan({"a": toy(size=0, pw={"$secret": "s"})})
    stage.preview()
    assert stage.up().ok
    assert stage.up().steps["toy a"] == ["same"]
    stage.destroy()


@scenario
def policy_config_refused(stage: Stage) -> None:
    """Configuration that does not fit the schema fails the run before the program."""
    stage.use_pack({"toy-size": {"most": 0}})
    stage.plan({"a": toy()})
    assert not stage.preview().ok


@scenario
def looked_up(stage: Stage) -> None:
    """A resource that is only read is never deleted."""
    stage.plan({"a": toy(size=2)})
    stage.up()
    stage.plan({"a": toy(size=2), "r": toy({"id": "a", "depends_on": ["a"]}, name="a")})
    stage.preview()
    stage.up()
    stage.refresh()
    stage.plan({"a": toy(size=2)})
    stage.preview()
    stage.up()
    stage.destroy()


@scenario
def let_go(stage: Stage) -> None:
    """A managed resource that becomes a read one is let go of, and taken back."""
    stage.plan({"a": toy(size=2)})
    stage.up()
    stage.plan({"a": toy({"id": "a"}, size=2)})
    stage.up()
    stage.plan({"a": toy(size=2, name="a2")})
    stage.preview()
    stage.up()
    stage.plan({"a": toy({"id": "a"}, size=2)})
    stage.up()
    stage.destroy()


@scenario
def provider_not_yet_known(stage: Stage) -> None:
    """A provider whose configuration is unknown in preview is asked nothing there."""

    def plan(size: int) -> dict[str, Any]:
        return {
            "a": toy(size=size),
            "p": {"kind": "provider", "props": {"toy:where": out("a", "url")}},
            "b": toy({"provider": "p"}, size=size),
        }

    stage.plan(plan(1))
    stage.preview()
    stage.up()
    changed = plan(2)
    changed["a"]["props"]["name"] = "a2"
    stage.plan(changed)
    stage.preview()
    stage.up()
    stage.destroy()


@scenario
def lost_dependency(stage: Stage) -> None:
    """What refers to a resource that is gone stands alone after a refresh."""
    stage.plan(
        {
            "a": toy(),
            "b": toy({"depends_on": ["a"]}, of=out("a", "url")),
            "c": toy({"parent": "a"}),
            "d": toy({"deleted_with": "a"}),
        }
    )
    stage.up()
    stage.lose("a")
    stage.refresh()
    stage.preview()
    stage.up()
    stage.destroy()


@scenario
def renamed_type(stage: Stage) -> None:
    """An alias of type keeps a component's children."""
    stage.plan({"box": box(), "kid": toy({"parent": "box"})})
    stage.up()
    crate = {"kind": "crate", "opts": {"aliases": [{"type_": "toy:index:Box"}]}}
    stage.plan({"box": crate, "kid": toy({"parent": "box"})})
    stage.preview()
    assert stage.up().steps["toy kid"] == ["same"]
    stage.plan({"box": crate, "kid": toy({"parent": "box"}, name="kid2")})
    stage.up()
    stage.destroy()


@scenario
def refreshed_while_waiting(stage: Stage) -> None:
    """The old half of a replacement that waits for its deletion is refreshed too."""
    stage.plan({"a": toy(name="a1")})
    stage.up()
    stage.plan({"a": toy(name="a2")})
    stage.faults(delete_a1="raise")
    stage.up()
    stage.refresh()
    stage.lose("a1")
    stage.refresh()
    stage.faults()
    stage.up()
    stage.destroy()


@scenario
def ignored_everything(stage: Stage) -> None:
    """`*` ignores every property, paths may be absent."""
    opts = {"ignore_changes": ["*"]}
    stage.plan({"a": toy(opts, size=1), "b": toy({"ignore_changes": ["no.such[2]"]})})
    stage.up()
    stage.plan(
        {
            "a": toy(opts, size=2, more=1),
            "b": toy({"ignore_changes": ["no.such[2]"]}, size=1),
        }
    )
    stage.preview()
    stage.up()
    stage.destroy()


@scenario
def hidden_keys(stage: Stage) -> None:
    """Bookkeeping keys that a check adds are kept in inputs and outputs."""
    stage.use_pack()
    stage.plan({"a": toy(mark=True, size=1)})
    stage.up()
    stage.plan({"a": toy(mark=True, size=2)})
    stage.preview()
    stage.up()
    stage.refresh()
    stage.plan({"a": toy(mark=True, size=2, name="a2")})
    stage.up()
    stage.destroy()


@scenario
def looked_up_in_vain(stage: Stage) -> None:
    """Reading a resource that its provider cannot read fails the run."""
    stage.plan({"a": toy()})
    stage.up()
    stage.faults(read_a="raise")
    stage.plan({"a": toy(), "r": toy({"id": "a", "depends_on": ["a"]}, name="a")})
    assert not stage.preview().ok
    assert not stage.up().ok
    stage.faults()
    stage.destroy()


@scenario
def check_refused_on_replacement(stage: Stage) -> None:
    """A replacement checks twice; a resource that fails the check is left alone."""
    stage.plan({"a": toy(name="a1", size=1)})
    stage.up()
    stage.plan({"a": toy(name="a2", size=13)})
    assert not stage.preview().ok
    assert not stage.up().ok
    stage.destroy()


@scenario
def replaced_under_an_alias(stage: Stage) -> None:
    """A renamed resource that must be replaced, in either order."""
    first = {"delete_before_replace": True}
    stage.plan({"a": toy(name="a1"), "b": toy(first, name="b1")})
    stage.up()
    stage.plan(
        {
            "x": toy({"aliases": [{"name": "a"}]}, name="a2"),
            "y": toy({**first, "aliases": [{"name": "b"}]}, name="b2"),
        }
    )
    stage.preview()
    stage.up()
    stage.destroy()


@scenario
def update_of_dependent_fails(stage: Stage) -> None:
    """After a replacement whose dependent cannot be updated nothing is deleted."""
    stage.plan({"a": toy(name="a1"), "b": toy(of=out("a", "url"))})
    stage.up()
    stage.plan({"a": toy(name="a2"), "b": toy(of=out("a", "url"))})
    stage.faults(update_b="raise")
    assert not stage.up().ok
    assert stage.toys() == ["a1", "a2", "b"]
    stage.faults()
    stage.preview()
    stage.up()
    assert stage.toys() == ["a2", "b"]
    stage.destroy()


@scenario
def outputs_change(stage: Stage) -> None:
    """Stack outputs are replaced as a whole."""
    stage.plan({"a": toy(size=1)}, {"one": out("a", "size"), "two": [1, {"x": None}]})
    stage.up()
    stage.plan({"a": toy(size=1)}, {"one": 1.5, "three": {"$secret": {"x": 1}}})
    stage.preview()
    stage.up()
    stage.destroy()


@scenario
def project_configuration(stage: Stage) -> None:
    """What the project sets holds for all its stacks, unless one says otherwise."""
    stage.project_settings = {
        "config": {
            "plain": "p",
            "number": 3,
            "flag": True,
            "list": [1, "x"],
            "scenes:full": "f",
            "toy:where": "project",
            "toy:deep": {"value": {"y": [True], "x": 1}},
            "valued": {"value": "v"},
            "hidden": {"value": "h", "secret": True},
            "over": "project",
            "typed": {"type": "string", "default": "t", "description": "d"},
            "whole": {"type": "integer", "default": 4},
            "off": {"type": "boolean", "default": False},
            "rows": {"type": "array", "items": {"type": "string"}, "default": ["x"]},
            "map": {"type": "object", "default": {"x": 1}},
            "untyped": {"default": {"x": 1}},
            "must": {"type": "string"},
            "sealed": {"type": "string", "secret": True},
        }
    }
    stage.move()
    stage.config = {"over": "stack", "must": "be", "toy:where": "stack"}
    stage.secret_config = {"sealed": "hush"}
    names = ("plain", "number", "list", "hidden", "over", "whole", "must", "sealed")
    stage.plan({"a": toy()}, {name: {"$config": name} for name in names})
    stage.preview()
    stage.up()
    stage.config["whole"] = "5"
    stage.up()
    stage.destroy()
