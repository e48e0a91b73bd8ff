"""The workspace's tools: requests together, states in order, programs as text, files whole."""

from __future__ import annotations

import ast
import errno
import os
import pickle
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pulumi.dynamic.dynamic import serialize_provider

import pulumi_jig.provider
from pulumi_jig.cli import files, program, state_export
from pulumi_jig.cli.concurrency import map_concurrent
from pulumi_jig.cli.state_export import provider_reference
from pulumi_jig.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


# --- map_concurrent ---------------------------------------------------------------------


def test_results_come_in_the_order_of_the_items() -> None:
    """The order of results is that of the items, whoever ends first."""
    last = threading.Event()

    def work(number: int) -> int:
        if number == 0:
            last.wait(10)
        if number == 3:
            last.set()
        return number * 10

    assert map_concurrent(work, range(4), limit=4) == [0, 10, 20, 30]


def test_never_more_than_the_limit_at_a_time() -> None:
    """As many as allowed run at a time, and no more."""
    lock = threading.Lock()
    running, most = 0, 0
    together = threading.Barrier(3, timeout=10)

    def work(_: int) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        together.wait()
        with lock:
            running -= 1

    map_concurrent(work, range(9), limit=3)
    assert most == 3


def test_after_a_failure_nothing_is_begun_and_what_runs_is_waited_for() -> None:
    """
    The failure of the first item counts, whichever ended first.

    A service that is gone would be tried for each of hundreds of items else.
    """
    begun: list[int] = []
    failed = threading.Event()

    def work(number: int) -> None:
        begun.append(number)
        if number == 0:
            assert failed.wait(10)
        raise ValueError(str(number))

    with pytest.raises(ValueError, match="0"):
        map_concurrent(work, range(5), limit=2, done=failed.set)
    assert sorted(begun) == [0, 1]


# --- States ---------------------------------------------------------------------


@st.composite
def graphs(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Resources that need earlier ones, in any order."""
    count = draw(st.integers(1, 8))
    items = []
    for index in range(count):
        needs = draw(st.sets(st.integers(0, index - 1))) if index else set()
        items.append(
            {"urn": f"u{index}", "dependencies": [f"u{n}" for n in sorted(needs)]}
        )
    return draw(st.permutations(items))


@given(items=graphs())
def test_everything_stands_after_what_it_needs(items: list[dict[str, Any]]) -> None:
    """No resource stands before a dependency, and none is lost or doubled."""
    seen: set[str] = set()
    for item in state_export.in_order(items):
        assert set(item["dependencies"]) <= seen
        seen.add(item["urn"])
    assert seen == {item["urn"] for item in items}


def test_an_ordered_state_stays_as_it_is() -> None:
    """What is in order keeps its order."""
    items = [{"urn": f"u{n}", "dependencies": []} for n in (3, 1, 2)]
    assert state_export.in_order(items) == items


def test_long_chains_are_no_problem() -> None:
    """A chain of thousands of resources does not exhaust the stack."""
    items = [
        {"urn": f"u{n}", "dependencies": [f"u{n - 1}"] if n else []}
        for n in range(5000)
    ]
    assert state_export.in_order(items[::-1]) == items


def test_sealed_values_go_out_and_come_back() -> None:
    """What is sealed is replaced by what is live, and is back at its place after."""
    sealed = {state_export.SIGNATURE: state_export.SECRET, "ciphertext": "c"}
    data = {"env": {"A": sealed, "B": "b"}, "args": [sealed]}
    plain = state_export.with_live_values(data, {"env": {"A": "live"}})
    assert plain["env"] == {"A": "live", "B": "b"}
    assert isinstance(plain["args"][0], str)
    leaves = dict(state_export.encrypted_leaves(data))
    assert state_export.with_encrypted(plain, leaves) == data


# --- Programs -------------------------------------------------------------------

DATA = st.recursive(
    st.one_of(
        st.text(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.booleans(),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(args=st.dictionaries(st.sampled_from(["a", "b", "c"]), DATA), name=st.text())
def test_a_program_says_what_it_was_made_from(args: dict[str, Any], name: str) -> None:
    """Whatever the values, Python reads them back as they were."""
    text = program.write("Title.", [program.Resource(name, args)])
    call = next(n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Call))
    assert ast.literal_eval(call.args[0]) == name
    found = {str(k.arg): ast.literal_eval(k.value) for k in call.keywords}
    assert found == args


def test_variables_are_names_of_their_own() -> None:
    """Names that are no identifiers, keywords or taken become others."""
    names = ["class", "1st", "a-b", "a_b", "config", "Ä"]
    text = program.write("T.", [program.Resource(name, {}) for name in names])
    targets = [
        node.targets[0].id
        for node in ast.parse(text).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    ]
    assert targets == ["d_class", "d_1st", "a_b", "a_b_2", "config_2", "deployment"]


# --- Files ----------------------------------------------------------------------


def test_files_are_written_all_or_none(tmp_path: Path) -> None:
    """Where one file cannot be written, the other is not written either."""
    good = tmp_path / "good"
    with pytest.raises(InputError):
        files.write_all({good: "x", tmp_path / "no" / "bad": "y"})
    assert list(tmp_path.iterdir()) == []


def test_only_what_is_public_is_readable_by_others(tmp_path: Path) -> None:
    """Files are their owner's alone unless said otherwise."""
    own, public = tmp_path / "own", tmp_path / "public"
    files.write_all({own: "x", public: "y"}, public=[public])
    modes = [path.stat().st_mode & 0o777 for path in (own, public)]
    assert modes == [0o600, 0o644]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """What a link leads to is written, there or not; the link is not replaced."""
    real, link, lost = tmp_path / "real", tmp_path / "link", tmp_path / "lost"
    real.write_text("before")
    link.symlink_to(real)
    lost.symlink_to(tmp_path / "nowhere")
    files.write_all({link: "x", lost: "y"})
    assert (real.read_text(), (tmp_path / "nowhere").read_text()) == ("x", "y")
    assert link.is_symlink()
    assert lost.is_symlink()


def test_a_link_that_leads_nowhere_exists(tmp_path: Path) -> None:
    """Without --force nothing is written through it."""
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputError, match="exists already"):
        files.check_targets([link], force=False)
    files.check_targets([link], force=True)


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _folder(path: Path) -> None:
    path.mkdir()


def _circle(path: Path) -> None:
    path.symlink_to(path)


def _device(path: Path) -> None:
    path.symlink_to("/dev/null")


@pytest.mark.parametrize("make", [_fifo, _folder, _circle, _device])
def test_what_is_no_file_is_never_replaced(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    """A pipe, a folder, a device or a circle of links is refused, and stays."""
    path = tmp_path / "it"
    make(path)
    before = path.lstat()
    with pytest.raises(InputError, match="cannot be written"):
        files.check_targets([path], force=True)
    with pytest.raises(InputError, match="cannot be written"):
        files.write_all({tmp_path / "other": "x", path: "y"})
    assert path.lstat() == before
    assert not (tmp_path / "other").exists()


def test_one_file_has_many_names(tmp_path: Path) -> None:
    """Two paths are one file through folders, links and hard links."""
    (tmp_path / "a").mkdir()
    one = tmp_path / "one"
    (tmp_path / "soft").symlink_to(one)
    assert files.same(one, tmp_path / "a" / ".." / "one")
    assert files.same(one, tmp_path / "soft")
    one.write_text("x")
    os.link(one, tmp_path / "hard")
    assert files.same(one, tmp_path / "hard")
    assert not files.same(one, tmp_path / "two")


def test_a_long_name_can_be_written(tmp_path: Path) -> None:
    """A name as long as a file system takes leaves room for what is written beside."""
    path = tmp_path / ("n" * 255)
    files.write_all({path: "x"})
    assert path.read_text() == "x"


def test_a_full_disk_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the disk is full the sentence names the file that was asked for."""

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match=r"/it cannot be written: No space left"):
        files.write_all({tmp_path / "it": "x"})
    assert list(tmp_path.iterdir()) == []


def test_only_the_newest_copies_are_left(tmp_path: Path) -> None:
    """Copies of states do not pile up; other files are nobody's business."""
    for stamp in range(14):
        files.keep(tmp_path / "a" / f"dev.before-{stamp:02}", "x")
    files.keep(tmp_path / "a" / "development.before-00", "x")
    files.prune(tmp_path / "a", "dev.before-", left=10)
    left = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert left == [
        *(f"dev.before-{n:02}" for n in range(4, 14)),
        "development.before-00",
    ]


# --- Programs hold any text --------------------------------------------------------

ANY_TEXT = st.one_of(
    st.text(max_size=30),
    st.text(alphabet="\\\"'#\n\r\t\x0c\x00\x1c\u2028\u202e\ud800{}uxUN$", max_size=12),
    st.sampled_from(
        ["C:\\Users\\neo\\jig.toml", '"""', "\\N{BULLET}", 'x"""\nimport os\n"""', "\\"]
    ),
)
ANY_VALUE = st.recursive(
    st.one_of(
        ANY_TEXT, st.booleans(), st.integers(), st.floats(allow_nan=False), st.none()
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(ANY_TEXT, inner, max_size=4)
    ),
    max_leaves=12,
)


@given(
    title=ANY_TEXT,
    names=st.lists(ANY_TEXT, min_size=1, max_size=3),
    value=ANY_VALUE,
    key=ANY_TEXT,
    remark=ANY_TEXT,
)
def test_every_program_says_what_it_was_made_from(
    title: str, names: list[str], value: Any, key: str, remark: str
) -> None:
    """Whatever text comes in, the program compiles, and holds it as data, not as code."""
    args = {"extra": value, "image": program.require_secret(key)}
    text = program.write(
        title,
        [program.Resource(name, args, {"extra": remark}) for name in names],
    )
    made: list[tuple[str, dict[str, Any]]] = []
    config = SimpleNamespace(require_secret=lambda key: ("secret", key))
    there = {
        "pulumi": SimpleNamespace(Config=lambda: config),
        "pulumi_jig": SimpleNamespace(
            Deployment=lambda name, **args: made.append((name, args))
        ),
    }

    def imported(name: str, *_: object) -> object:
        return there[name]

    space: dict[str, Any] = {"__builtins__": {"__import__": imported, "float": float}}
    exec(compile(text.encode(), "made", "exec"), space)
    wanted = {"extra": value, "image": ("secret", key)}
    assert made == [(name, wanted) for name in names]
    assert space.get("__doc__") == title
    assert ast.get_docstring(ast.parse(text), clean=False) == title


@pytest.mark.parametrize("protocol", [4, 5])
@pytest.mark.parametrize("provider", ["DeploymentProvider", "VolumeProvider"])
def test_an_import_file_refers_to_the_provider_as_programs_do(
    monkeypatch: pytest.MonkeyPatch, provider: str, protocol: int
) -> None:
    """The reference is the very text that Pulumi's own function makes."""
    monkeypatch.setattr(pickle, "DEFAULT_PROTOCOL", protocol)
    instance = getattr(pulumi_jig.provider, provider)()
    assert provider_reference(provider) == serialize_provider(instance)
