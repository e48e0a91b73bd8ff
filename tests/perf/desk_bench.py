"""
What `pulumi-jig import --all` and `drift` cost for 500 deployments, against bare requests.

    python tests/perf/desk_bench.py [--json]

The bare run is a program of its own that makes the very requests the commands need (the
account, the list, then each deployment once), as many at a time, over the same HTTP
library, parses the answers and throws them away. Commands and bare runs take turns, and
each figure is a ratio of medians, process start included on both sides.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from emulator_bench import fill

from pulumi_jig.config import DEFAULT_PARALLEL
from pulumi_jig.emulator import start

COUNT = 500
ROUNDS = 7
TARGET = 2.0
KEY = "acct:bench:1"
PROJECT = "shop"
STACK = "prod"

BARE = """
import os, queue, ssl, sys, threading
import httpx

base = os.environ["TOGETHER_BASE_URL"]
headers = {"Authorization": "Bearer " + os.environ["TOGETHER_API_KEY"]}
# Made once: it is the dear part of a client, and one for all would be contended for.
context = ssl.create_default_context()
options = {"headers": headers, "timeout": 60, "verify": context}

def work():
    with httpx.Client(**options) as client:
        while True:
            try:
                one = waiting.get_nowait()
            except queue.Empty:
                return
            client.get(base + "/v1/deployments/" + one).json()

with httpx.Client(**options) as client:
    client.get(base + "/v3/whoami")
    listed = client.get(base + "/v1/deployments").json()["data"]
waiting = queue.SimpleQueue()
for item in listed:
    waiting.put(item["id"])
threads = [threading.Thread(target=work) for _ in range(int(sys.argv[1]))]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def timed(command: list[str], environment: dict[str, str], folder: Path) -> float:
    """Return the seconds that a command takes."""
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *command],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    taken = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
    return taken


def exported(folder: Path) -> Path:
    """Write the state that a stack has after importing what the command wrote."""
    (written,) = folder.glob("*.json")
    resources = [
        {
            "urn": f"urn:pulumi:{STACK}::{PROJECT}::{entry['type']}::{entry['name']}",
            "custom": True,
            **{key: entry[key] for key in ("type", "id", "inputs", "outputs")},
        }
        for entry in json.loads(written.read_text())["resources"]
    ]
    path = folder / "state.json"
    document = {"version": 3, "deployment": {"manifest": {}, "resources": resources}}
    path.write_text(json.dumps(document))
    return path


def main() -> int:
    """Measure, print, and say whether the target is met."""
    parser = argparse.ArgumentParser(description="What the desk commands cost.")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    with (
        start(time_scale=0) as emulator,
        tempfile.TemporaryDirectory() as home,
    ):
        fill(emulator, range(COUNT))
        environment = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("TOGETHER_", "PULUMI_"))
        }
        environment |= {"TOGETHER_BASE_URL": emulator.url, "TOGETHER_API_KEY": KEY}
        desk = ["-m", "pulumi_jig.cli"]
        # The state that drift looks at is what an import of all would leave.
        folder = Path(home, "first")
        folder.mkdir()
        timed([*desk, "import", "--all", "--adopt-marked"], environment, folder)
        state = exported(folder)
        taken: dict[str, list[float]] = {"bare": [], "import --all": [], "drift": []}
        for turn in range(ROUNDS):
            folder = Path(home, str(turn))
            folder.mkdir()
            for name, command in (
                ("bare", ["-c", BARE, str(DEFAULT_PARALLEL)]),
                ("import --all", [*desk, "import", "--all", "--adopt-marked"]),
                ("drift", [*desk, "drift", "--file", str(state)]),
            ):
                taken[name].append(timed(command, environment, folder))
    bare = statistics.median(taken.pop("bare"))
    ratios = {
        name: round(statistics.median(times) / bare, 2) for name, times in taken.items()
    }
    met = all(ratio <= TARGET for ratio in ratios.values())
    if options.json:
        print(json.dumps({"bare_s": round(bare, 3), **ratios, "met": met}))
        return 0 if met else 1
    print(f"bare requests  {bare:.2f} s for {COUNT} deployments")
    for name, ratio in ratios.items():
        print(f"{name:<14} {ratio} x the bare requests (target {TARGET})")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
