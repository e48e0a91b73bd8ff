"""The life of a deployment, end to end, on the rehearsal and on the real engine."""

from __future__ import annotations

from jig_stage import CANARY, IMAGE, JigStage, dep

# --- The straight way ----------------------------------------------------------


def test_a_life_leaves_nothing_behind(jig: JigStage) -> None:
    """Preview, up, empty preview, empty refresh, update, destroy (Case L1)."""
    jig.deployment(min_replicas=1, environment_variables={"A": "1"})

    assert jig.preview().steps["Deployment llm"] == ["create"]
    assert jig.live() == []
    assert jig.up().ok
    assert jig.only()["status"] == "Ready"
    assert jig.preview().steps["Deployment llm"] == ["same"]
    # A refresh that finds nothing new keeps everything.
    assert jig.refresh().steps["Deployment llm"] == ["same"]
    assert jig.preview().steps["Deployment llm"] == ["same"]
    jig.deployment(min_replicas=2, environment_variables={"A": "1"})
    assert jig.up().steps["Deployment llm"] == ["update"]
    assert jig.only()["min_replicas"] == 2
    assert jig.destroy().ok
    assert jig.live() == []


def test_preview_and_update_agree_on_name_and_address(jig: JigStage) -> None:
    """A made-up name and the address that follows from it are known in the preview."""
    jig.plan({"llm": dep()}, {"url": {"$out": ["llm", "endpoint_url"]}})

    preview = jig.preview().calls["Deployment llm"][0]["response"]["inputs"]["name"]
    outputs = jig.up().outputs

    assert preview.startswith("llm-")
    assert outputs["url"].endswith(f"/v1/deployment-request/{preview}")
    assert jig.only()["name"] == preview


def test_a_preview_sends_nothing_that_changes(jig: JigStage) -> None:
    """A preview makes no mutating request, for new and for old resources (Case L18)."""
    jig.deployment()
    jig.preview()
    jig.up()
    before = [jig.requests(m) for m in ("POST", "PATCH", "DELETE")]
    jig.deployment(memory=64)

    jig.preview()

    assert [jig.requests(m) for m in ("POST", "PATCH", "DELETE")] == before


# --- Failing roll-outs ---------------------------------------------------------


def test_a_failed_creation_stays_in_the_state_and_is_repaired(jig: JigStage) -> None:
    """
    A create whose roll-out fails keeps its id; the next `up` repairs it (Case R19).
    """
    jig.deployment(image="registry.together.ai/proj/crashloop:1")

    failed = jig.up()

    assert not failed.ok
    live_id = jig.only()["id"]
    assert jig.resource()["outputs"]["name"] == jig.only()["name"]
    assert "keeps crashing" in jig.errors()
    jig.deployment()
    assert jig.up().ok
    assert jig.only()["id"] == live_id
    assert jig.only()["image"] == IMAGE
    assert jig.preview().steps["Deployment llm"] == ["same"]


def test_a_failed_update_is_not_green_and_is_retried(jig: JigStage) -> None:
    """
    An update whose revision crashes fails; the next `up` tries again (peers' bugs 1,
    29).
    """
    jig.deployment()
    jig.up()
    jig.deployment(image="registry.together.ai/proj/crashloop:2")

    assert not jig.up().ok
    assert jig.preview().steps["Deployment llm"] == ["update"]
    jig.deployment()
    assert jig.up().ok
    assert jig.preview().steps["Deployment llm"] == ["same"]


def test_a_failed_update_goes_back_where_asked(jig: JigStage) -> None:
    """`on_failed_update="rollback"` re-applies the old revision and still fails."""
    jig.deployment(on_failed_update="rollback")
    jig.up()
    jig.deployment(
        on_failed_update="rollback", image="registry.together.ai/proj/crashloop:2"
    )

    failed = jig.up()

    assert not failed.ok
    assert "rolled back" in jig.errors()
    assert jig.only()["image"] == IMAGE
    assert jig.only()["status"] == "Ready"
    assert jig.preview().steps["Deployment llm"] == ["update"]


def test_a_time_limit_ends_the_wait_and_says_so(jig: JigStage) -> None:
    """
    `custom_timeouts` bound the wait; the deployment stays in the state (Case R20).
    """
    jig.deployment(
        "llm",
        {"custom_timeouts": {"create": "2s"}},
        image="registry.together.ai/proj/never-ready:1",
    )

    failed = jig.up()

    assert not failed.ok
    assert "not serving after 2 s" in jig.errors()
    assert "billing" in jig.errors()
    assert jig.has()
    jig.plan({})
    assert jig.up().ok
    assert jig.live() == []


# --- Replacement ---------------------------------------------------------------


def test_a_new_name_replaces_and_the_old_one_goes(jig: JigStage) -> None:
    """
    Only `name` replaces, the new one first, the old one deleted (Case L6, peers' bug
    21).
    """
    jig.deployment(name="first-name")
    jig.up()
    jig.deployment(name="second-name")

    steps = jig.up().steps["Deployment llm"]

    assert steps == ["create-replacement", "replace", "delete-replaced"]
    assert [d["name"] for d in jig.live()] == ["second-name"]


def test_a_rename_with_alias_changes_nothing(jig: JigStage) -> None:
    """
    An alias carries a deployment to its new name in the program (Case L8, peers' bug
    28).
    """
    jig.deployment("llm")
    jig.up()
    before = jig.only()["id"]
    jig.deployment("chat", {"aliases": [{"name": "llm"}]})

    assert jig.up().steps["Deployment chat"] == ["same"]
    assert jig.only()["id"] == before


# --- What others do to it ------------------------------------------------------


def test_what_disappeared_is_made_again(jig: JigStage) -> None:
    """Deleted out of band: refresh drops it, `up` recreates it (Case L2)."""
    jig.deployment()
    jig.up()
    jig.emulator.admin.remove(jig.only()["name"])

    jig.refresh()
    assert not jig.has()
    assert jig.up().steps["Deployment llm"] == ["create"]
    assert jig.only()["status"] == "Ready"


def test_drift_on_a_declared_field_is_seen_and_repaired(jig: JigStage) -> None:
    """An out-of-band change shows in the refresh and is undone by `up` (Case V6)."""
    jig.deployment(memory=32)
    jig.up()
    jig.emulator.admin.patch(jig.only()["name"], {"memory": 64})

    jig.refresh()
    assert jig.resource()["outputs"]["memory"] == 64
    assert jig.preview().steps["Deployment llm"] == ["update"]
    assert jig.up().ok
    assert jig.only()["memory"] == 32


def test_drift_on_a_field_left_out_is_seen_and_repaired(jig: JigStage) -> None:
    """What the program leaves out is held at its default; unless it is ignored."""
    jig.deployment()
    jig.up()
    name = jig.only()["name"]
    jig.emulator.admin.patch(name, {"max_replicas": 50, "args": ["--debug"]})

    jig.refresh()
    assert jig.resource()["outputs"]["max_replicas"] == 50
    assert jig.preview().steps["Deployment llm"] == ["update"]
    assert jig.up().ok
    assert (jig.only()["max_replicas"], jig.only().get("args") or []) == (1, [])

    jig.deployment("llm", {"ignore_changes": ["max_replicas"]})
    jig.emulator.admin.patch(name, {"max_replicas": 50})
    jig.refresh()
    assert jig.preview().steps["Deployment llm"] == ["same"]


def test_drift_on_what_the_service_chooses_is_left_alone(jig: JigStage) -> None:
    """What the service chooses when it is not told is shown and not touched."""
    jig.deployment()
    jig.up()
    jig.emulator.admin.patch(jig.only()["name"], {"memory": 64})

    jig.refresh()
    assert jig.resource()["outputs"]["memory"] == 64
    assert jig.up().steps["Deployment llm"] == ["same"]
    assert jig.only()["memory"] == 64


def test_drift_on_an_ignored_field_is_left_alone(jig: JigStage) -> None:
    """`ignore_changes` holds for what others changed, too (Case L8)."""
    opts = {"ignore_changes": ["memory"]}
    jig.deployment("llm", opts, memory=32)
    jig.up()
    jig.emulator.admin.patch(jig.only()["name"], {"memory": 64})
    jig.refresh()

    assert jig.preview().steps["Deployment llm"] == ["same"]
    jig.deployment("llm", opts, memory=48, port=8000)
    assert jig.up().ok
    assert jig.only()["memory"] == 64
    assert jig.only()["port"] == 8000


def test_a_key_of_another_account_proves_nothing(jig: JigStage) -> None:
    """A refresh with a key of another account keeps the state (Case L5)."""
    jig.deployment()
    jig.up()
    jig.env["TOGETHER_API_KEY"] = "acct:other:key-1"

    assert not jig.refresh().ok
    assert jig.has()
    assert "account" in jig.errors()
    jig.env["TOGETHER_API_KEY"] = "acct:shop:key-2"
    assert jig.refresh().ok
    assert jig.destroy().ok
    assert jig.live() == []


def test_adoption_takes_over_and_says_what_changes(jig: JigStage) -> None:
    """`adopt=True` keeps the id, changes what is declared, leaves the rest."""
    jig.deployment("other", name="my-llm", memory=32, port=8000)
    jig.up()
    before = jig.only()["id"]
    jig.plan(
        {
            "other": dep(None, name="my-llm", memory=32, port=8000),
            "llm": dep(None, name="my-llm", adopt=True),
        }
    )
    # Two resources of one stack cannot share a name, adopted or not.
    assert not jig.preview().ok
    assert "my-llm" in jig.errors()
    assert jig.only()["id"] == before


# --- Secrets -------------------------------------------------------------------


def test_secrets_are_nowhere_in_clear(jig: JigStage) -> None:
    """A secret value stays out of state, messages and logs (Cases S1, S2)."""
    jig.secret_config["token"] = CANARY
    jig.env["TOGETHER_API_KEY"] = f"acct:shop:{CANARY}"
    plan = {"environment_variables": {"TOKEN": {"$config": "token"}, "LEVEL": "info"}}
    jig.deployment(**plan)
    jig.up()
    jig.deployment(**plan, image="registry.together.ai/proj/crashloop:1")
    jig.up()
    jig.refresh()

    assert CANARY not in jig.written()
    env = [v for v in jig.only()["environment_variables"] if v["name"] == "TOKEN"]
    assert env


# --- Bad input -----------------------------------------------------------------


def test_all_faults_come_at_once_with_their_paths(jig: JigStage) -> None:
    """Each fault has its property and a remedy, and nothing is sent."""
    jig.plan(
        {
            "llm": {
                "props": {
                    "image": "x y",
                    "gpu_type": "h100-80gb",
                    "port": 70000,
                    "memory": 2000,
                    "name": "UP",
                    "extra": {"gpu_count": 8},
                    "cpus": 4,
                }
            }
        }
    )

    assert not jig.up().ok
    for path in ("image", "gpu_count", "port", "memory", "name", "extra.gpu_count"):
        assert path in jig.errors()
    assert "Traceback" not in jig.errors()
    assert jig.requests("POST") == 0


def test_no_key_is_one_sentence(jig: JigStage) -> None:
    """Without a key the preview says how to set one (Case L19)."""
    del jig.env["TOGETHER_API_KEY"]
    jig.deployment()

    assert not jig.preview().ok
    assert "pulumi config set --secret jig:apiKey" in jig.errors()


def test_two_resources_of_one_name_are_told_apart(jig: JigStage) -> None:
    """A name can be declared once in a stack (Case L14)."""
    jig.plan({"a": dep(None, name="same-name"), "b": dep(None, name="same-name")})

    assert not jig.preview().ok
    assert "same-name" in jig.errors()


def test_a_name_of_another_customer_is_refused(jig: JigStage) -> None:
    """Names are unique across customers: GET says 404, POST says it exists."""
    jig.emulator.admin.foreign("taken-name")
    jig.deployment(name="taken-name")

    assert not jig.up().ok
    assert "jig:namespace" in jig.errors()
    assert not jig.has()


def test_moving_to_another_account_is_refused_in_the_preview(jig: JigStage) -> None:
    """A resource cannot move to a provider of another account."""
    jig.deployment()
    jig.up()
    provider = {
        "kind": "provider",
        "props": {
            "api_key": {"$secret": "acct:other:key"},
            "base_url": jig.emulator.url,
        },
    }
    jig.plan({"second": provider, "llm": dep({"provider": "second"})})

    assert not jig.preview().ok
    assert "account" in jig.errors()
    assert jig.only()["status"] == "Ready"


def test_a_second_account_works_beside_the_first(jig: JigStage) -> None:
    """An explicit provider brings its own key, whatever the environment says."""
    provider = {
        "kind": "provider",
        "props": {
            "api_key": {"$secret": "acct:other:key"},
            "base_url": jig.emulator.url,
        },
    }
    jig.plan({"second": provider, "a": dep(), "b": dep({"provider": "second"})})

    assert jig.up().ok
    accounts = jig.acts[-1].state
    owners = {
        item["label"]: item["outputs"]["__account"]
        for item in accounts
        if item["label"].startswith("Deployment")
    }
    assert owners["Deployment a"] != owners["Deployment b"]
    assert jig.destroy().ok


# --- Programs ------------------------------------------------------------------


def test_subclasses_and_components_keep_the_type(jig: JigStage) -> None:
    """A user's subclass under a component is still a deployment, by its token."""
    jig.plan(
        {
            "team": {"kind": "team"},
            "llm": {**dep({"parent": "team"}), "kind": "service"},
        }
    )

    assert jig.up().ok
    assert jig.resource()["type"] == "pulumi-python:dynamic/jig:Deployment"
    assert jig.preview().steps["Deployment llm"] == ["same"]


def test_values_that_come_later_are_let_through(jig: JigStage) -> None:
    """Outputs are unknown in a preview, and may stand anywhere (Case V9, peers' bug 46)."""
    jig.plan(
        {
            "a": dep(),
            "b": dep(
                None,
                environment_variables={"PEER": {"$out": ["a", "deployment_id"]}},
                args=["--peer", {"$out": ["a", "revision_id"]}],
                description={"$out": ["a", "deployment_id"]},
            ),
        }
    )

    preview = jig.preview()

    assert preview.ok
    checked = preview.calls["Deployment b"][0]["response"]["inputs"]
    assert checked["environment_variables"] == {"PEER": "<unknown>"}
    assert checked["args"] == ["--peer", "<unknown>"]
    assert jig.up().ok
    assert jig.preview().steps["Deployment b"] == ["same"]


def test_looking_up_does_not_manage(jig: JigStage) -> None:
    """`Deployment.get` reads; it neither changes nor deletes."""
    jig.deployment(name="my-llm")
    jig.up()
    jig.plan(
        {
            "llm": dep(None, name="my-llm"),
            "seen": {"kind": "get", "id": "my-llm"},
        },
        {"image": {"$out": ["seen", "image"]}},
    )

    assert jig.up().outputs == {"image": IMAGE}
    jig.deployment(name="my-llm")
    assert jig.up().ok
    assert jig.only()["name"] == "my-llm"
