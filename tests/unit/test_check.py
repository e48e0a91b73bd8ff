"""Checking inputs: completing them, and finding every fault with a remedy."""

from __future__ import annotations

import json
import math
import re

import pytest
from core_cases import IMAGE, JUNK, LEAST, URN, checked, faults, programs
from hypothesis import given
from hypothesis import strategies as st

from pulumi_jig.lifecycle.deployment import shapes
from pulumi_jig.lifecycle.deployment.check import check
from pulumi_jig.lifecycle.deployment.inputs import EXTRA, OPTIONS
from pulumi_jig.schema.deployment import FIELDS
from pulumi_jig.values import UNKNOWN, SecretValue

GPU = {**LEAST, "gpu_type": "h100-80gb", "gpu_count": 1}
CANARY = "canary-4711"
BOOKKEEPING = {"__declared", "__nonce"}


def told(program, path, olds=None, **more):
    """The one sentence at a path; it must be the only fault."""
    found = faults(program, olds, **more)
    assert [path] == list(found)
    (sentence,) = found[path]
    return sentence


def warned(program):
    """The warnings of a program without faults."""
    said = []
    result = check(
        {}, program, log=lambda severity, text: said.append((severity, text))
    )
    assert () == result.faults
    assert {"warning"} >= {severity for severity, _ in said}
    return [text for _, text in said]


# --- Completing ----------------------------------------------------------------


def test_inputs_are_kept_and_bookkeeping_is_added():
    """What the program set stays, and the names of what it set are remembered."""
    inputs = checked({**LEAST, "cpu": 2.0, "port": None})

    assert {**LEAST, "cpu": 2} == {k: v for k, v in inputs.items() if k[:2] != "__"}
    assert ["cpu", "gpu_type", "image", "name"] == inputs["__declared"]


def test_the_programs_word_about_itself_is_kept():
    """What the resource class tells about its place is an input of its own."""
    program = {"organization": "acme", "resource": "llm"}

    assert program == checked({**LEAST, "__program": program})["__program"]


def test_other_hidden_keys_do_not_come_from_a_program():
    """Bookkeeping is ours: a program cannot set a nonce."""
    inputs = checked({**LEAST, "__nonce": "stolen000000", "__x": 1})

    assert "stolen000000" != inputs["__nonce"]
    assert "__x" not in inputs


def test_a_nonce_is_drawn_once():
    """The nonce of the state is kept, and every new resource gets its own."""
    first = checked(LEAST)
    second = checked({**LEAST, "cpu": 1}, first)

    assert first["__nonce"] == second["__nonce"]
    assert first["__nonce"] != checked(LEAST)["__nonce"]


@pytest.mark.parametrize("old", [5, "", "UPPER-CASE", "a]b"])
def test_a_nonce_that_no_mark_can_carry_is_drawn_anew(old):
    """A damaged nonce would make the deployment look like somebody else's."""
    nonce = checked(LEAST, {**LEAST, "__nonce": old})["__nonce"]

    assert re.fullmatch(r"[0-9a-f]{12}", nonce)


def test_a_name_is_made_where_none_is_declared():
    """The name is the same at every check, and it is not counted as declared."""
    program = {"image": IMAGE, "gpu_type": "none"}
    one, other = checked(program), checked(program)

    assert one["name"] == other["name"]
    assert one["name"].startswith("llm-")
    assert "name" not in one["__declared"]


def test_a_name_is_kept_once_it_stands():
    """Moving a resource or dropping `name` does not rename what runs."""
    program = {"image": IMAGE, "gpu_type": "none"}
    moved = URN.replace("prod", "dev")

    assert "llm-prod" == checked(program, LEAST, urn=moved)["name"]


def test_the_namespace_changes_every_made_name():
    """Whoever meets a taken name sets one word and gets other names."""
    program = {"image": IMAGE, "gpu_type": "none"}
    spaced = {**program, "__program": {"namespace": "two"}}

    assert checked(program)["name"] != checked(spaced)["name"]


def test_without_a_place_a_name_is_required():
    """Nothing to make a name from is a fault that says what to do."""
    sentence = told({"image": IMAGE, "gpu_type": "none"}, "name", urn=None)

    assert "is required here" in sentence


@pytest.mark.parametrize("old_name", ["Legacy_Name", "ab"])
def test_a_legacy_name_is_fine_where_it_stands(old_name):
    """Peers' bug 42: the rule of today holds for new names only."""
    program = {**LEAST, "name": old_name}

    assert old_name == checked(program, program)["name"]
    assert old_name == checked({**program, "adopt": True})["name"]
    assert "must be 4 to 63" in told(program, "name")


def test_the_forms_of_variables_become_one():
    """List and mapping, short and long form are stored alike."""
    listed = [
        {"name": "A", "value": "1"},
        {"name": "B", "value_from_secret": "s", "value": None},
    ]
    mapped = {"A": {"value": "1"}, "B": {"value_from_secret": "s"}}
    plain = {"A": "1", "B": {"value_from_secret": "s"}}

    assert [plain] * 3 == [
        checked({**LEAST, "environment_variables": form})["environment_variables"]
        for form in (listed, mapped, plain)
    ]


def test_secret_markers_survive_the_check():
    """What is marked is stored marked, in whichever form it came."""
    whole = SecretValue([{"name": "A", "value": "1"}])
    single = {"A": SecretValue({"value": "1"}), "B": SecretValue("2")}
    entry = [SecretValue({"name": "A", "value": SecretValue("1")})]

    assert [
        SecretValue({"A": "1"}),
        {"A": SecretValue("1"), "B": SecretValue("2")},
        {"A": SecretValue("1")},
    ] == [
        checked({**LEAST, "environment_variables": form})["environment_variables"]
        for form in (whole, single, entry)
    ]


def test_a_marked_value_is_checked_like_any_other():
    """A secret is validated without being shown."""
    found = faults({**LEAST, "cpu": SecretValue(0), "command": SecretValue(CANARY)})

    assert {"cpu", "command"} == found.keys()
    assert CANARY not in str(found)


# --- Unknown values ------------------------------------------------------------


@pytest.mark.parametrize("name", [*FIELDS, *OPTIONS, EXTRA])
def test_a_value_that_is_not_known_yet_is_let_through(name):
    """Case V9 and peers' bug 31: a preview knows some values only later."""
    assert UNKNOWN is checked({**LEAST, name: UNKNOWN})[name]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("environment_variables", {"A": UNKNOWN}),
        ("environment_variables", {"A": {"value_from_secret": UNKNOWN}}),
        ("environment_variables", [UNKNOWN, {"name": "B", "value": "1"}]),
        ("environment_variables", [{"name": UNKNOWN, "value": "1"}]),
        ("environment_variables", [{"name": "A", "value": UNKNOWN}]),
        ("volumes", [{"name": UNKNOWN, "mount_path": "/d"}]),
        ("volumes", [UNKNOWN, UNKNOWN]),
        ("autoscaling", {"metric": UNKNOWN, "target": 1}),
        ("autoscaling", {"metric": "HTTPTotalRequests", "target": UNKNOWN}),
        ("command", ["a", UNKNOWN]),
        ("extra", {"new": [UNKNOWN]}),
    ],
)
def test_a_part_that_is_not_known_yet_is_let_through(name, value):
    """Case V9: unknown values pass at any depth."""
    assert UNKNOWN in _leaves(checked({**LEAST, name: value})[name])


def _leaves(value):
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in _leaves(item)]
    if isinstance(value, list):
        return [leaf for item in value for leaf in _leaves(item)]
    return [value]


def test_what_is_known_is_checked_beside_what_is_not():
    """One unknown value does not hide the faults of the others."""
    found = faults(
        {
            **LEAST,
            "cpu": 0,
            "port": UNKNOWN,
            "environment_variables": {"A": UNKNOWN, "1B": "x"},
        }
    )

    assert {"cpu", 'environment_variables["1B"]'} == found.keys()


@given(programs(), st.data())
def test_no_unknown_value_is_a_fault(program, data):
    """Case V9: hiding any value of a good program makes no fault."""
    hidden = data.draw(st.sets(st.sampled_from(sorted(program))))

    assert {} == faults({**program, **dict.fromkeys(hidden, UNKNOWN)})


# --- Never an exception --------------------------------------------------------


@given(
    st.dictionaries(
        st.sampled_from([*FIELDS, *OPTIONS, EXTRA, "x", "\ud800", "__program"]), JUNK
    ),
    st.dictionaries(
        st.sampled_from([*FIELDS, "__declared", "__nonce", "__program", "x"]), JUNK
    ),
    st.sampled_from([None, URN, "not a urn", "urn:pulumi:x"]),
)
def test_a_check_never_raises(news, olds, urn):
    """Whatever comes in, faults come out, and every one of them can be sent."""
    result = check(olds, news, urn=urn, log=lambda _s, text: text.encode())

    for path, sentence in result.faults:
        assert sentence.encode()
        assert path.encode() is not None
    if {"image", "gpu_type"} - {k for k, v in news.items() if v is not None}:
        assert result.faults


@given(programs())
def test_a_good_program_has_no_fault(program):
    """No combination of optional fields is refused that the API takes."""
    assert {} == faults(program)


# --- Single fields -------------------------------------------------------------

# Case V15 and the list of bad input: (field, value, words of the sentence).
WRONG = [
    ("image", "", "must not be empty; it takes a container image"),
    ("image", "a b", "must not contain white space; it takes a container image"),
    ("gpu_type", "", "must not be empty; it takes a GPU type such as h100-80gb"),
    ("gpu_count", 2.5, "must be a whole number; it takes GPUs per replica"),
    ("gpu_count", -1, "is too small; it takes GPUs per replica, a whole number from 0"),
    ("cpu", 0.05, "is too small; it takes cores per replica, 0.1 or more"),
    ("cpu", {}, "must be a number; it takes cores"),
    ("cpu", math.nan, "must be a finite number"),
    (
        "memory",
        0,
        "is too small; it takes GiB per replica, more than 0 and at most 1000",
    ),
    ("memory", 1000.5, "is too large; it takes GiB"),
    ("storage", 401, "is too large; it takes GiB of disk per replica"),
    ("storage", 10.5, "must be a whole number"),
    ("min_replicas", -1, "is too small; it takes fewest replicas"),
    ("max_replicas", "3", "must be a whole number; it takes most replicas"),
    ("port", 70_000, "is too large; it takes the container's port"),
    ("port", "8000", "must be a whole number; it takes the container's port"),
    ("health_check_path", "health", 'must begin with "/"; it takes an HTTP path'),
    ("command", "serve", "must be a list; it takes a list of strings"),
    ("args", {}, "must be a list; it takes a list of strings"),
    ("termination_grace_period_seconds", -1, "is too small; it takes seconds"),
    ("description", 5, "must be a string; it takes a text"),
    ("capacity_type", "", "must not be empty; it takes stable or preemptible"),
    ("autoscaling", "queue", "needs a `metric`, one of HTTPTotalRequests"),
    ("autoscaling", {"target": 5}, "needs a `metric`, one of"),
    ("environment_variables", 5, "must be a mapping; it takes NAME -> value"),
    ("environment_variables", "A=1", "must be a mapping"),
    ("volumes", {"name": "v"}, "must be a list; it takes a list of at most one {name"),
    ("name", 5, "must be a string: 4 to 63"),
    ("name", "ab", "must be 4 to 63 lowercase letters, digits and hyphens"),
    ("name", "", "must be 4 to 63 lowercase letters, digits and hyphens"),
    ("name", "secrets", "is a path of the API itself"),
    ("wait_for", "ready", "must be one of min_replicas, first_replica, none"),
    ("on_failed_update", True, "must be one of keep, rollback"),
    ("adopt", "yes", "must be true or false"),
    ("ownership_mark", 0, "must be true or false"),
    ("extra", [1], "must be a mapping of field names to values"),
]


@pytest.mark.parametrize(("name", "value", "words"), WRONG)
def test_a_wrong_value_is_told_with_its_remedy(name, value, words):
    """Each fault stands at its property, and says what the property takes."""
    assert words in told({**LEAST, "gpu_count": 0, name: value}, name)


# (field, value, path, words)
DEEPER = [
    (
        "environment_variables",
        {"PORT": 8080},
        "environment_variables.PORT",
        "must be a string; it takes a text; put numbers into quotes",
    ),
    (
        "environment_variables",
        {"A": None},
        "environment_variables.A",
        "needs exactly one of `value` and `value_from_secret`",
    ),
    (
        "environment_variables",
        {"A": {"value": "x", "value_from_secret": "s"}},
        "environment_variables.A",
        "needs exactly one of",
    ),
    (
        "environment_variables",
        {"A": {"value_from_secret": ""}},
        "environment_variables.A.value_from_secret",
        "must not be empty; it takes the name or id of a secret",
    ),
    (
        "environment_variables",
        {"A": {"valu": "x"}},
        "environment_variables.A.valu",
        "is not a key here; environment_variables takes NAME -> value",
    ),
    (
        "environment_variables",
        {"A": {"name": "B", "value": "x"}},
        "environment_variables.A.name",
        "is not a key here",
    ),
    (
        "environment_variables",
        {"bad-name": "x"},
        "environment_variables.bad-name",
        "must begin with a letter or underscore",
    ),
    (
        "environment_variables",
        {"TOGETHER_DEPLOYMENT_REVISION_ID": "x"},
        "environment_variables.TOGETHER_DEPLOYMENT_REVISION_ID",
        "is set by the platform itself; leave it out",
    ),
    (
        "environment_variables",
        [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}],
        "environment_variables[1].name",
        "stands at position 0 already; give each variable once",
    ),
    (
        "environment_variables",
        [{"name": "A"}],
        "environment_variables[0]",
        "needs exactly one of `value` and `value_from_secret`",
    ),
    (
        "environment_variables",
        [{"name": "A", "value": "1", "value_from_secret": "s"}],
        "environment_variables[0]",
        "needs exactly one of",
    ),
    (
        "environment_variables",
        [{"name": "A", "value": "1", "secret": True}],
        "environment_variables[0].secret",
        "is not a key here; a variable has `name` and `value` or",
    ),
    (
        "environment_variables",
        ["A=1"],
        "environment_variables[0]",
        "must be {name, value} or {name, value_from_secret}",
    ),
    ("command", ["a", 1], "command[1]", "must be a string; it takes a string; put"),
    ("args", [None], "args[0]", "must be a string"),
    (
        "volumes",
        [{"name": "v", "mount_path": "d"}],
        "volumes[0].mount_path",
        'must begin with "/"; it takes an absolute path such as "/weights"',
    ),
    (
        "volumes",
        [{"name": "v", "mount_path": "/"}],
        "volumes[0].mount_path",
        'must be below "/", without ".."',
    ),
    (
        "volumes",
        [{"mount_path": "/d"}],
        "volumes[0].name",
        "is required; it takes the name or id of a volume",
    ),
    ("volumes", ["weights"], "volumes[0]", "must be a mapping"),
    (
        "volumes",
        [{"name": "v", "mount_path": f"/{n}"} for n in "ab"],
        "volumes",
        "has too many entries; it takes a list of at most one",
    ),
    (
        "model_mounts",
        [{"model": "ml_a", "model_id": "ml_a", "mount_path": "/m"}],
        "model_mounts[0].model",
        "is not a key here; model_mounts takes a list of at most one {model_id",
    ),
    (
        "autoscaling",
        {"metric": "QueueBacklogPerWorker", "target": 0},
        "autoscaling.target",
        "is too small; it takes a number above 0",
    ),
    (
        "autoscaling",
        {"metric": "CustomMetric"},
        "autoscaling.custom_metric_name",
        "is required; it takes the Prometheus name of the metric",
    ),
    (
        "autoscaling",
        {"metric": "HTTPTotalRequests", "time_interval_minutes": 0.5},
        "autoscaling.time_interval_minutes",
        "must be a whole number; it takes minutes, a whole number from 1",
    ),
    (
        "autoscaling",
        {"metric": "QueueBacklogPerWorker", "window": 1},
        "autoscaling.window",
        "is not a key here; autoscaling takes {metric, target, ...}",
    ),
    ("extra", {"cpu": 1}, "extra.cpu", "is a property of its own; set `cpu` directly"),
    ("extra", {" GPU_Count": 8}, 'extra[" GPU_Count"]', "set `gpu_count` directly"),
    ("extra", {"max_replica\u017f": 8}, None, "set `max_replicas` directly"),
    ("extra", {"extra": {}}, "extra.extra", "is a property of its own"),
    ("extra", {"adopt": True}, "extra.adopt", "is a property of its own"),
    ("extra", {"status": "Ready"}, "extra.status", "is not a field that can be sent"),
    ("extra", {"__nonce": "x"}, "extra.__nonce", "is not a field that can be sent"),
    (
        "extra",
        {"new": math.inf},
        "extra.new",
        "cannot be sent: extra.new is not a finite",
    ),
    ("extra", {"new": "\ud800"}, "extra.new", "is not valid Unicode; give plain data"),
]


@pytest.mark.parametrize(("name", "value", "path", "words"), DEEPER)
def test_a_wrong_part_is_told_at_its_own_path(name, value, path, words):
    """Cases V2 and V12: the path is the one that the program wrote."""
    found = faults({**LEAST, name: value})

    assert 1 == len(found)
    assert path in {None, *found}
    assert words in next(iter(found.values()))[0]


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("gpuType", 'Did you mean "gpu_type"?'),
        ("min_replica", 'Did you mean "min_replicas"?'),
        ("memory_limit", 'Did you mean "memory"?'),
        ("image_pull_policy", "goes into `extra`"),
        ("protocol", "goes into `extra`"),
        ("deployment_id", "is not a property of a deployment."),
    ],
)
def test_an_unknown_property_is_refused(key, words):
    """A typing error is not sent, and the likeliest property is named."""
    sentence = told({**LEAST, key: "x"}, key)

    assert sentence.startswith("is not a property of a deployment.")
    assert words in sentence


@pytest.mark.parametrize("name", ["image", "gpu_type"])
def test_what_is_required_is_told_as_missing(name):
    """A missing field says what belongs there."""
    program = {k: v for k, v in LEAST.items() if k != name}

    assert told(program, name).startswith("is required; it takes")


def test_a_forgotten_gpu_type_tells_of_the_form_without_one():
    """Who wants no GPU learns how to say so."""
    sentence = told({"name": "llm-prod", "image": IMAGE}, "gpu_type")

    assert '"none" for a deployment without a GPU' in sentence


def test_all_faults_are_told_in_one_go():
    """Nobody has to run the program once per fault."""
    found = faults(
        {
            "name": "NO",
            "gpu_type": "h100-80gb",
            "cpu": 0,
            "port": 0,
            "wait_for": "x",
            "min_replicas": 3,
            "max_replicas": 1,
            "oops": 1,
            "extra": {"cpu": 1},
            "volumes": [{}],
        },
        config_faults=[("apiKey", "No API key.")],
    )

    assert {
        "",
        "name",
        "image",
        "gpu_count",
        "cpu",
        "port",
        "wait_for",
        "max_replicas",
        "oops",
        "extra.cpu",
        "volumes[0].name",
        "volumes[0].mount_path",
    } == found.keys()
    assert ["No API key."] == found[""]


def test_inputs_that_no_message_could_carry_are_refused():
    """Case V14: more than the wire takes is told by its size, `extra` included."""
    words = "x" * (shapes.MAX_BODY // 2)

    assert "KiB in all" in told({**LEAST, "description": words, "args": [words]}, "")
    assert "KiB in all" in told({**LEAST, "args": [words], "extra": {"n": words}}, "")
    assert {} == faults({**LEAST, "args": [words]})


# --- Contradictions ------------------------------------------------------------


def test_a_gpu_type_without_a_count_is_a_trap():
    """The service would take 0: the containers would run, and bill, without a GPU."""
    program = {k: v for k, v in GPU.items() if k != "gpu_count"}

    assert "the containers get no GPU" in told(program, "gpu_count")


def test_a_count_without_a_gpu_type_is_a_contradiction():
    """The CPU-only form has no GPUs."""
    assert "must be 0" in told({**LEAST, "gpu_count": 1}, "gpu_count")


@pytest.mark.parametrize(
    ("replicas", "hint"),
    [
        ({"min_replicas": 3, "max_replicas": 2}, "min_replicas; raise one"),
        ({"max_replicas": 0}, "min_replicas (which is 1 when left out)"),
    ],
)
def test_a_ceiling_below_the_floor_is_refused(replicas, hint):
    """Case V15: no engine looks across fields, so we do."""
    assert hint in told({**LEAST, **replicas}, "max_replicas")


def test_two_kinds_of_mounts_exclude_each_other():
    """The service preloads volumes or models, never both."""
    mounts = {
        "volumes": [{"name": "v", "mount_path": "/v"}],
        "model_mounts": [{"model_id": "ml_a", "mount_path": "/m"}],
    }

    assert "cannot be combined" in told({**LEAST, **mounts}, "model_mounts")
    assert {} == faults({**LEAST, **mounts, "volumes": []})


def test_a_mark_is_not_the_programs_to_write():
    """A description that ends like a mark would be taken for one."""
    text = "x [pulumi-jig shop/prod/llm 4f1c00d2aa17]"

    assert "ownership mark" in told({**LEAST, "description": text}, "description")


def test_adoption_needs_a_name_and_a_mark():
    """Taking over says which deployment, and leaves a sign that it was taken."""
    program = {"image": IMAGE, "gpu_type": "none", "adopt": True}

    assert "say which deployment" in told(program, "name")
    assert "must stay on" in told(
        {**LEAST, "adopt": True, "ownership_mark": False}, "ownership_mark"
    )


def test_two_resources_cannot_share_a_name():
    """The second resource of a name in one stack is told who has it."""
    assert () == check({}, LEAST, urn=URN).faults
    assert () == check({}, LEAST, urn=URN).faults
    other = URN.replace("::llm", "::other::odd")

    ((path, sentence),) = check({}, LEAST, urn=other).faults

    assert ("name", True) == (path, "resource llm in this stack" in sentence)


def test_a_strange_owner_is_named_as_it_is():
    """A host without proper URNs still gets a useful sentence."""
    check({}, LEAST, urn="first")

    ((_, sentence),) = check({}, LEAST, urn="second").faults

    assert "the name of resource first" in sentence


# --- What was dropped ----------------------------------------------------------

NO_WAY_BACK = {
    "cpu": 2,
    "memory": 8,
    "storage": 10,
    "port": 80,
    "capacity_type": "stable",
    "termination_grace_period_seconds": 5,
}


@pytest.mark.parametrize("name", NO_WAY_BACK)
def test_a_field_without_a_way_back_cannot_be_dropped(name):
    """Peers' bug 34: what an update cannot clear is refused, with the value of today."""
    olds = checked({**LEAST, name: NO_WAY_BACK[name]})

    sentence = told(LEAST, name, olds)

    assert "cannot be unset" in sentence
    assert (f"it is {NO_WAY_BACK[name]} now" in sentence) is (name != "capacity_type")


@pytest.mark.parametrize("name", sorted(FIELDS.keys() - NO_WAY_BACK.keys()))
def test_every_other_field_can_be_dropped(name):
    """Fields with a reset, and the name, may be left out again."""
    olds = {**LEAST, name: LEAST.get(name, 1), "__declared": [*LEAST, name]}
    news = {k: v for k, v in LEAST.items() if k != name or k in ("image", "gpu_type")}

    assert {} == faults(news, olds)


def test_a_replacement_begins_with_the_defaults():
    """Under another name everything may be left out, since nothing is taken back."""
    olds = checked({**LEAST, **NO_WAY_BACK})

    assert {} == faults({**LEAST, "name": "llm-next"}, olds)


# --- Warnings ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"gpu_type": "z900-1tb", "gpu_count": 1}, 'gpu_type "z900-1tb" is not known'),
        ({"gpu_type": "H100-80GB", "gpu_count": 1}, 'Did you mean "h100-80gb"?'),
        ({"gpu_type": "h100", "gpu_count": 1}, 'Did you mean "h100-80gb"?'),
        ({"gpu_type": "x" * 99, "gpu_count": 1}, f'"{"x" * 60}..."'),
        ({"capacity_type": "spot"}, 'capacity_type "spot" is not known'),
        (
            {"autoscaling": {"metric": "Tomorrow"}, "max_replicas": 2},
            'autoscaling.metric "Tomorrow" is not known',
        ),
        ({"gpu_type": "h100-80gb", "gpu_count": 0}, "the containers get no GPU"),
        (
            {"autoscaling": {"metric": "HTTPTotalRequests"}, "min_replicas": 2},
            "autoscaling has no room",
        ),
        ({"max_replicas": 3}, "without `autoscaling` nothing tells"),
        ({"max_replicas": 3, "autoscaling": {}}, "without `autoscaling` nothing tells"),
        ({"min_replicas": 0, "max_replicas": 0}, "nothing runs until it is raised"),
        ({"health_check_path": "/health"}, "no effect without `port`"),
    ],
)
def test_what_is_odd_is_warned_of(more, words):
    """Peers' bug 41: a word that is not known is sent; what has no effect is told."""
    (warning,) = warned({**LEAST, **more})

    assert words in warning


def test_an_ordinary_program_is_not_warned_of():
    """Nobody reads warnings that always come."""
    autoscaling = {"metric": "HTTPTotalRequests"}
    program = {**GPU, "port": 80, "health_check_path": "/", "max_replicas": 2}

    assert [] == warned({**program, "autoscaling": autoscaling})
    assert [] == warned({**program, "max_replicas": UNKNOWN})
    assert [] == warned({**program, "autoscaling": UNKNOWN})


# --- Secrets -------------------------------------------------------------------


@given(
    st.sampled_from(
        [
            {"environment_variables": {"A": [CANARY]}},
            {
                "environment_variables": {
                    "A": {"value": CANARY, "value_from_secret": "s"}
                }
            },
            {"environment_variables": {"A": {"value": 5, "x": CANARY}}},
            {"environment_variables": [{"name": "A", "value": CANARY, "x": CANARY}]},
            {"environment_variables": [{"name": "A", "value": CANARY}] * 2},
            {"environment_variables": [CANARY]},
            {"environment_variables": CANARY},
            {"environment_variables": {"A": CANARY, "B": 5}},
            {"extra": {"cpu": CANARY}},
            {"extra": {"new": {"a": [CANARY, math.nan]}}},
            {"extra": CANARY},
            {"args": [CANARY, 5]},
            {"args": CANARY},
            {"command": {"a": CANARY}},
            {"volumes": [{"name": 5, "mount_path": CANARY}]},
            {"autoscaling": {"metric": 5, "target": CANARY}},
            {"description": [CANARY]},
            {"cpu": CANARY},
        ]
    ),
    programs(),
)
def test_no_message_holds_a_value(wrong, program):
    """Case S5: faults and warnings name properties, never what they hold."""
    said = []
    result = check({}, {**program, **wrong}, log=lambda _s, text: said.append(text))

    assert result.faults
    assert CANARY not in json.dumps([result.faults, said])
