"""
What the emulator costs, as multiples within one run.

    python tests/perf/emulator_bench.py [--json]

Three figures, each against its target: the start, as a multiple of a bare
``python -c "import http.server"``; the resident memory with 10,000 deployments, all
listed once; the latency of reading one deployment of 10,000, as a multiple of reading
one of 10.
"""

from __future__ import annotations

import argparse
import http.client
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

from pulumi_jig.emulator import RunningEmulator, start

MANY = 10_000
FEW = 10
READS = 2_000
ROUNDS = 15
HEADERS = {"Authorization": "Bearer acct:bench:1"}
START_TARGET = 3.0
MEMORY_TARGET = 120.0
LATENCY_TARGET = 1.5


def body(number: int) -> bytes:
    """Return a deployment of usual size."""
    return json.dumps(
        {
            "name": f"bench-{number:05}",
            "image": "registry.together.ai/proj_bench/app:1@sha256:" + "0a" * 32,
            "gpu_type": "h100-80gb",
            "gpu_count": 1,
            "description": "Serves a model. [pulumi-jig shop/prod/app 0123456789abcdef]",
            "port": 8000,
            "health_check_path": "/health",
            "command": ["python", "-m", "server", "--port", "8000"],
            "environment_variables": [
                {"name": f"SETTING_{index}", "value": "a value of some length"}
                for index in range(5)
            ],
        }
    ).encode()


def connect(emulator: RunningEmulator) -> http.client.HTTPConnection:
    """Return a connection to the emulator."""
    address = urlsplit(emulator.url)
    return http.client.HTTPConnection(address.hostname or "", address.port)


def fill(emulator: RunningEmulator, numbers: range) -> None:
    """Create deployments, and let each be read once it is ready."""
    connection = connect(emulator)
    for number in numbers:
        connection.request("POST", "/v1/deployments", body(number), HEADERS)
        response = connection.getresponse()
        response.read()
        assert response.status == 200
        connection.request("GET", f"/v1/deployments/bench-{number:05}", None, HEADERS)
        assert json.loads(connection.getresponse().read())["status"] == "Ready"
    connection.close()


def read(emulator: RunningEmulator, count: int) -> float:
    """Return the median seconds of reading one of *count* deployments."""
    connection = connect(emulator)
    taken = []
    for number in range(READS):
        which = number * 7919 % count
        began = time.perf_counter()
        connection.request("GET", f"/v1/deployments/bench-{which:05}", None, HEADERS)
        connection.getresponse().read()
        taken.append(time.perf_counter() - began)
    connection.close()
    return statistics.median(taken)


def memory(pid: int) -> float:
    """Return resident memory in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    message = "no VmRSS"
    raise RuntimeError(message)


def started() -> float:
    """Return the seconds from spawning the emulator to its line."""
    began = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-m", "pulumi_jig.emulator"],
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        taken = time.perf_counter() - began
        process.kill()
    return taken


def imported() -> float:
    """Return the seconds of a bare import of http.server."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import http.server"], check=True)
    return time.perf_counter() - began


def main() -> int:
    """Measure, print, and say whether the targets are met."""
    parser = argparse.ArgumentParser(description="What the emulator costs.")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()

    # Taken in turns, so that a busy moment hits both alike.
    pairs = [(started(), imported()) for _ in range(ROUNDS)]
    ours = statistics.median(pair[0] for pair in pairs)
    bare = statistics.median(pair[1] for pair in pairs)
    with start(time_scale=0) as few, start(time_scale=0) as many:
        empty = memory(many.pid)
        fill(few, range(FEW))
        fill(many, range(MANY))
        # The dearest request there is comes first, so that its memory counts.
        connection = connect(many)
        connection.request("GET", "/v1/deployments", None, HEADERS)
        assert len(json.loads(connection.getresponse().read())["data"]) == MANY
        connection.close()
        full = memory(many.pid)
        rounds = [(read(few, FEW), read(many, MANY)) for _ in range(5)]
        read_few = statistics.median(pair[0] for pair in rounds)
        read_many = statistics.median(pair[1] for pair in rounds)
    figures = {
        "start_ms": round(ours * 1000, 1),
        "bare_import_ms": round(bare * 1000, 1),
        "start_ratio": round(ours / bare, 2),
        "memory_empty_mib": round(empty, 1),
        "memory_10000_mib": round(full, 1),
        "read_10_us": round(read_few * 1e6),
        "read_10000_us": round(read_many * 1e6),
        "read_ratio": round(read_many / read_few, 2),
    }
    met = (
        figures["start_ratio"] <= START_TARGET
        and figures["memory_10000_mib"] <= MEMORY_TARGET
        and figures["read_ratio"] <= LATENCY_TARGET
    )
    if options.json:
        print(json.dumps({**figures, "met": met}))
        return 0 if met else 1
    lines = [
        f"start          {figures['start_ms']} ms = {figures['start_ratio']} x a bare "
        f"import of http.server (target {START_TARGET})",
        f"memory         {figures['memory_10000_mib']} MiB with {MANY} deployments, "
        f"{figures['memory_empty_mib']} without (target {MEMORY_TARGET:.0f})",
        f"read latency   {figures['read_10000_us']} us of {MANY} = "
        f"{figures['read_ratio']} x that of {FEW} (target {LATENCY_TARGET})",
    ]
    print("\n".join(lines))
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
