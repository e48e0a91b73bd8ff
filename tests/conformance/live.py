"""
Asks the real service for every rule that the emulator follows: `make live`.

    TOGETHER_API_KEY=... python tests/conformance/live.py [--url URL] [--report FILE]
    TOGETHER_API_KEY=... python tests/conformance/live.py --sweep

It says what it will create and goes on only after a yes. Everything has a name that
begins with `jig-conf-`, is one small replica without a GPU, and is deleted at the end,
after Ctrl-C, when the time is up, and when a test run died; `--sweep` deletes what an
earlier run on this account left, and nothing else. Exit status: 0 all rules that were
tried hold, 1 some differ, 2 wrong usage, 3 it could not be found out.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parent))

import httpx
from service import PREFIX, Service, Settings, UnusableError

HERE: Final = Path(__file__).resolve().parent
SERVICE: Final = "https://api.together.ai"
#: Minutes after which a run is ended, whatever is left to ask.
MINUTES: Final = 120
#: Seconds that an ended run has to delete what it made.
GRACE: Final = 120
HOLDS, DIFFERS, USAGE, UNKNOWN = 0, 1, 2, 3


def parse(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make live", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    address = os.environ.get("TOGETHER_BASE_URL") or SERVICE
    parser.add_argument("--url", default=address, help=f"the service ({SERVICE})")
    parser.add_argument("--report", type=Path, help="where to write the report")
    parser.add_argument("--sweep", action="store_true", help="only delete what is left")
    return parser.parse_args(words)


def account(service: Service) -> str:
    """
    The account that the key belongs to, as people call it.

    Raises:
        UnusableError: the service cannot be asked, or refuses the key.
    """
    try:
        response = service.send("GET", "/v1/whoami")
        found = response.json() if response.status_code == 200 else {}
    except (httpx.HTTPError, ValueError) as error:
        message = f"{service.host} cannot be asked ({error}); see the network and --url"
        raise UnusableError(service.redact(message)) from error
    if response.status_code in {401, 403}:
        message = f"{service.host} refuses this key; set another TOGETHER_API_KEY"
        raise UnusableError(message)
    if response.status_code != 200:
        message = f"{service.host} answers {response.status_code} to whoami; try later"
        raise UnusableError(message)
    names = [
        str(found[part].get("name") or found[part].get("id"))
        for part in ("organization", "project")
        if isinstance(found.get(part), dict)
    ]
    return " / ".join(names) or "an account that it does not name"


def agreed(service: Service, name: str) -> bool:
    """Whether somebody said yes to what this will do."""
    print(
        f"This creates deployments, secrets and volumes on {service.host}, in the "
        f"account {name}.\nEach deployment is one replica without a GPU (0.1 to 1 CPU, "
        f"at most 8 GiB), at most three at once, for at most {MINUTES} minutes in "
        f"all;\nwhat that costs is billed to the account. All names begin with {PREFIX} "
        "and everything is deleted at the end.\nGo on? Type yes: ",
        end="",
        flush=True,
    )
    return sys.stdin.readline().strip().lower() == "yes"


def ask(options: argparse.Namespace, report: Path) -> int | None:
    """Run the suite to its end; its exit status, None where it had to be ended."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        str(HERE),
        "-q",
        "-p",
        "no:cacheprovider",
    ]
    command += ["--service", options.url, "--conformance-report", str(report)]
    # A group of its own, so that Ctrl-C reaches it through us, once.
    process = subprocess.Popen(command, cwd=HERE.parents[1], start_new_session=True)
    try:
        return process.wait(MINUTES * 60)
    except (KeyboardInterrupt, subprocess.TimeoutExpired):
        process.send_signal(signal.SIGINT)
        try:
            process.wait(GRACE)
        except (KeyboardInterrupt, subprocess.TimeoutExpired):
            process.kill()
        return None


def main(words: list[str]) -> int:
    options = parse(words)
    key = os.environ.get("TOGETHER_API_KEY", "")
    if not key:
        print("Set TOGETHER_API_KEY to a key of the account to use.", file=sys.stderr)
        return USAGE
    if not options.sweep and not os.environ.get("CONFORMANCE_IMAGE"):
        print(
            "Set CONFORMANCE_IMAGE to an image in the account's registry that serves on "
            "port 8000.",
            file=sys.stderr,
        )
        return USAGE
    interval = float(os.environ.get("CONFORMANCE_INTERVAL") or 3)
    service = Service(Settings(url=options.url, key=key, interval=interval))
    try:
        name = account(service)
        if options.sweep:
            deleted = service.sweep()
            print(f"Deleted from {service.host}: {', '.join(deleted) or 'nothing'}.")
            return HOLDS
        if not agreed(service, name):
            print("Nothing was done.", file=sys.stderr)
            return USAGE
        stamp = f"{datetime.now(UTC):%Y-%m-%d-%H%M}"
        report = options.report or Path(f"conformance-{stamp}.json")
        status = ask(options, report)
        left = service.sweep()
    except UnusableError as error:
        print(f"{error}.", file=sys.stderr)
        return UNKNOWN
    except httpx.HTTPError as error:
        print(
            f"{service.host} stopped answering ({error}); when it answers again, "
            "delete what was made with: make live SWEEP=1",
            file=sys.stderr,
        )
        return UNKNOWN
    finally:
        service.close()
    if left:
        print(f"Deleted after the run: {', '.join(left)}.")
    print(
        f"The report: {report.with_suffix('.txt')} and {report.with_suffix('.json')}."
    )
    if status in {0, 1}:
        return HOLDS if status == 0 else DIFFERS
    print("The run was ended before all was asked.", file=sys.stderr)
    return UNKNOWN


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
