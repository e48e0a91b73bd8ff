"""The emulator as a process: its start, its state file, its end."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import pty
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from urllib.parse import urlsplit

import pytest

from pulumi_jig.emulator import EmulatorError, EmulatorServer, start
from pulumi_jig.emulator.server import BindError
from pulumi_jig.emulator.store import Store, StoreError

COMMAND = [sys.executable, "-m", "pulumi_jig.emulator"]


@contextlib.contextmanager
def spawned(*arguments, **options):
    """Run the command and hand over the process; it is killed in the end."""
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        stdin=options.get("stdin"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def failing(*arguments):
    """Run the command, which must fail; return exit code and what it says."""
    done = subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, timeout=30
    )
    assert done.stdout == ""
    return done.returncode, done.stderr.strip()


@pytest.fixture
def client(api):
    """Return the class of the plain client."""
    return type(api)


def test_the_start_is_one_line_of_json_where_nobody_watches():
    """URL and process id; the admin token with --admin only."""
    with spawned("--admin") as process:
        told = json.loads(process.stdout.readline())
        assert {"url", "pid", "admin_token"} == set(told)
        assert process.pid == told["pid"]
        assert urlsplit(told["url"]).hostname == "127.0.0.1"
    with spawned() as process:
        assert {"url", "pid"} == set(json.loads(process.stdout.readline()))


def test_the_start_is_a_sentence_on_a_terminal():
    """A person is told the URL, how to stop it, and where to watch it."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([*COMMAND], stdout=theirs, stderr=subprocess.DEVNULL)
    try:
        line = os.read(ours, 1000).decode()
    finally:
        process.kill()
        process.wait()
        os.close(ours)
        os.close(theirs)

    assert line.startswith("Serving the deployments API on http://127.0.0.1:")
    assert re.search(r"in a browser: http://127\.0\.0\.1:\d+/\s", line)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(number):
    """Exit code 0, and nothing said."""
    with spawned() as process:
        process.stdout.readline()
        process.send_signal(number)
        _, errors = process.communicate(timeout=30)

    assert (0, "") == (process.returncode, errors)


def test_it_can_end_with_its_standard_input():
    """So that it does not outlive a parent that was killed."""
    with spawned("--exit-with-stdin", stdin=subprocess.PIPE) as process:
        process.stdout.readline()
        process.stdin.close()
        process.stdin = None

        assert process.wait(timeout=30) == 0


def test_a_port_that_is_taken_is_told_in_one_sentence():
    """Exit code 2."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        code, said = failing("--port", str(port))

    sentence = f"emulator: cannot listen on 127.0.0.1 port {port}: address already in"
    assert (1, f"{sentence} use.") == (code, said)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.com"])
def test_it_listens_on_loopback_only(host):
    """Any other host is refused before a socket is opened (Case M9)."""
    code, said = failing("--host", host)

    sentence = f"emulator: host {host} is not loopback: use 127.0.0.1, ::1 or"
    assert (2, f"{sentence} localhost.") == (code, said)
    with pytest.raises(BindError):
        EmulatorServer(host=host)


@pytest.mark.parametrize(
    "arguments",
    [["--port", "70000"], ["--port", "x"], ["--time-scale", "-1"]]
    + [["--time-scale", text] for text in ("nan", "inf", "fast")],
)
def test_an_option_out_of_range_is_told(arguments):
    """Exit code 2 and the last line names the option."""
    code, said = failing(*arguments)

    assert (2, True) == (code, arguments[0] in said.splitlines()[-1])


@pytest.mark.parametrize("host", ["localhost", "::1"])
def test_other_loopback_names_are_served(host, client):
    """By name, and in IPv6 where the machine has it."""
    try:
        running = EmulatorServer(host=host)
    except BindError:
        pytest.skip("this machine has no IPv6 loopback")
    with running:
        assert "proj_home" == client(running.url).ok("GET", "/whoami")["project"]["id"]


def test_a_restart_finds_every_answered_write(tmp_path, client):
    """Stopped or killed, the state and the port are the same afterwards (Case M4)."""
    with start(state=tmp_path / "state.db", time_scale=0) as emulator:
        api, url = client(emulator.url), emulator.url
        api.create("stopped-one")
        emulator.stop()
        emulator.restart()
        api.create("killed-one")
        emulator.kill()
        assert not emulator.running
        emulator.restart()

        assert url == emulator.url
        names = [d["name"] for d in api.ok("GET", "/v1/deployments")["data"]]
        assert ["stopped-one", "killed-one"] == names
        assert "Ready" == api.get("killed-one")["status"]
        emulator.admin.reset()
        assert [] == emulator.admin.deployments()


def test_progress_goes_on_after_a_restart(tmp_path, client):
    """A roll-out that had begun before comes to its end afterwards."""
    with start(state=tmp_path / "state.db", time_scale=1) as emulator:
        api = client(emulator.url)
        created = api.create()
        emulator.kill()
        emulator.restart()
        emulator.admin.skip(100)

        found = api.get()

        assert ("Ready", created["created_at"], api.revision(created)) == (
            found["status"],
            found["created_at"],
            api.revision(found),
        )


def test_a_kill_under_load_loses_no_answered_write(tmp_path, client):
    """
    Creates, changes and deletes that were answered are there; nothing is torn (Case
    M4).
    """
    answered = {}
    path = tmp_path / "state.db"

    def work(api, number, stop):
        count = 0
        while not stop.is_set():
            name = f"load-{number}-{count}"
            count += 1
            try:
                api.create(name)
                answered[name] = 1
                if api.patch(name, cpu=2):
                    answered[name] = 2
                if count % 3 == 0:
                    api.ok("DELETE", f"/v1/deployments/{name}")
                    answered[name] = None
            except (OSError, http.client.HTTPException, ValueError):
                return

    with start(state=path, time_scale=0) as emulator:
        for _ in range(3):
            stop = threading.Event()
            threads = [
                threading.Thread(
                    target=work,
                    args=(client(emulator.url), f"{number}-{emulator.pid}", stop),
                )
                for number in range(4)
            ]
            before = len(answered)
            for thread in threads:
                thread.start()
            while len(answered) < before + 30:
                time.sleep(0.01)
            emulator.kill()
            stop.set()
            for thread in threads:
                thread.join()
            emulator.restart()

        found = {d["name"]: d for d in emulator.admin.deployments()}

    assert len(answered) >= 90
    for name, cpu in answered.items():
        if cpu is None:
            assert name not in found
        else:
            # A change that was not answered may have happened all the same.
            assert found[name]["spec"]["cpu"] in {cpu, 2}
    assert all(d["configurations"] and d["events"] for d in found.values())
    with sqlite3.connect(path) as database:
        assert [("ok",)] == database.execute("PRAGMA integrity_check").fetchall()
    database.close()


def test_a_state_file_serves_one_process_at_a_time(tmp_path):
    """The second is told so, and the first is not disturbed."""
    path = tmp_path / "state.db"
    with start(state=path) as emulator:
        with pytest.raises(EmulatorError, match="is in use by another process"):
            start(state=path)

        assert emulator.running


@pytest.mark.parametrize(
    ("version", "remedy"), [(99, "upgrade pulumi_jig or name"), (1, "name")]
)
def test_a_state_file_of_another_version_is_refused(tmp_path, version, remedy):
    """And left as it is (Case M5)."""
    path = tmp_path / "state.db"
    start(state=path).stop()
    with sqlite3.connect(path) as database:
        database.execute(f"PRAGMA user_version = {version}")
    database.close()

    code, said = failing("--state", str(path))

    assert (
        1,
        f"emulator: state file {path} has version {version} and this emulator reads "
        f"version 2: {remedy} another file.",
    ) == (code, said)


def test_a_file_that_is_no_state_file_is_refused(tmp_path):
    """Neither text nor somebody else's database is touched."""
    text, other = tmp_path / "notes.txt", tmp_path / "other.db"
    text.write_text("not a database, and long enough to be read as a header" * 20)
    with sqlite3.connect(other) as database:
        database.execute("CREATE TABLE mine (a)")
    database.close()

    for path in (text, other):
        code, said = failing("--state", str(path))
        assert (
            1,
            f"emulator: state file {path} is not an emulator state file: name another "
            "file.",
        ) == (code, said)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("{tmp}", "is a directory"),
        ("{tmp}/none/state.db", "its folder does not exist"),
        ("/proc/state.db", "give write permission"),
    ],
)
def test_a_state_file_that_cannot_be_written_is_refused(tmp_path, path, words):
    """One sentence that says what to do."""
    code, said = failing("--state", path.format(tmp=tmp_path))

    assert (1, True, 1) == (code, words in said, len(said.splitlines()))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_state_file_is_refused(tmp_path):
    """The sentence asks for write permission."""
    path = tmp_path / "state.db"
    start(state=path).stop()
    path.chmod(0o400)

    assert "give write permission" in failing("--state", str(path))[1]


def test_the_log_has_one_line_per_request_and_no_secret(tmp_path, client):
    """Method, path, status, time and account; neither key nor value nor query."""
    log = tmp_path / "log"
    with start(log=log) as emulator:
        api = client(emulator.url, "canary-key")
        secret = {"name": "s", "value": "canary-value"}
        api.ok("POST", "/v1/deployments/secrets", secret)
        api.create(environment_variables=[{"name": "A", "value": "canary-env"}])
        api.send("GET", "/v1/deployments?x=canary-query")
        api.send("GET", "/v1/deployments/%0Aforged%20line")

    lines = log.read_text().splitlines()

    assert [
        ["POST", "/v1/deployments/secrets", "200"],
        ["POST", "/v1/deployments", "200"],
        ["GET", "/v1/deployments", "200"],
        ["GET", "/v1/deployments/%0Aforged%20line", "404"],
    ] == [line.split()[1:4] for line in lines]
    assert "canary" not in log.read_text()


def test_no_secret_is_in_the_state_file(tmp_path, client):
    """A key is not kept at all, a secret's value as a digest only."""
    path = tmp_path / "state.db"
    with start(state=path) as emulator:
        api = client(emulator.url, "canary-key")
        secret = {"name": "s", "value": "canary-value"}
        api.ok("POST", "/v1/deployments/secrets", secret)
        api.create(environment_variables=[{"name": "A", "value_from_secret": "s"}])

    assert b"canary" not in b"".join(f.read_bytes() for f in tmp_path.iterdir())


def test_proxy_variables_do_not_matter(client, monkeypatch):
    """The admin interface and the server work with proxies set (Case M10)."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    with start() as emulator:
        client(emulator.url).create()
        assert 1 == len(emulator.admin.deployments())


def test_further_gpu_types_can_be_allowed(client):
    """A word that no document has is accepted where the start says so."""
    with start(gpu_types=["gb300-288gb"]) as emulator:
        created = client(emulator.url).create(gpu_type="gb300-288gb", gpu_count=4)

    assert "gb300-288gb" == created["gpu_type"]


def test_the_start_does_not_import_what_it_does_not_need():
    """Neither the SDKs nor an HTTP client are loaded, and no description is made."""
    code = (
        "import sys, pulumi_jig.emulator.__main__ as m;"
        "heavy = {'pulumi', 'httpx', 'grpc', 'asyncio', 'subprocess',"
        " 'pulumi_jig.emulator.openapi', 'pulumi_jig.errors'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert "[]\n" == done.stdout


def test_stopping_twice_is_stopping_once():
    """And so is stopping what was killed."""
    emulator = start()
    emulator.kill()
    emulator.stop()
    emulator.stop()

    assert not emulator.running


@pytest.mark.parametrize("mode", [None, 0o644])
def test_a_state_file_is_its_owners_alone(tmp_path, mode):
    """Values of secrets are in it and beside it, in one of an older emulator as well."""
    path = tmp_path / "state.db"
    if mode is not None:
        Store(path).close()
        path.chmod(mode)
    before = os.umask(0)
    try:
        store = Store(path)
    finally:
        os.umask(before)
    store.clear()
    modes = {p.name: p.stat().st_mode & 0o777 for p in tmp_path.iterdir()}
    store.close()
    assert set(modes.values()) == {0o600}, modes


def test_a_file_of_somebody_else_keeps_its_permissions(tmp_path):
    """A file that is refused is left as it was."""
    path = tmp_path / "notes.txt"
    path.write_text("no database")
    path.chmod(0o644)
    with pytest.raises(StoreError):
        Store(path)
    assert path.stat().st_mode & 0o777 == 0o644
