"""
All benchmarks, one after the other; each figure is a ratio within one run.

    make bench                      all of them, and write BENCHMARKS.md
    make bench WHAT="host desk"     some, whose parts of the page are written anew:
                                    host, calls, emulator, policy, desk, rehearsal,
                                    engine, official, growth
    make bench WHAT=rehearsal STACKS="--cells 100@0@64"    with these options

Their method is each script's own docstring, which stands in BENCHMARKS.md above what it
printed. What was found by profiling, and what helped, is written there by hand, below a
marker, and is kept.
"""

from __future__ import annotations

import compileall
import os
import platform
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
PAGE: Final = HERE.parents[1] / "BENCHMARKS.md"
MARK: Final = "<!-- Below this line the page is written by hand. -->"
#: Title, script and its options.
PARTS: Final = {
    "host": ("The plugin process", "host_bench.py", ()),
    "calls": ("Single calls", "calls_bench.py", ()),
    "emulator": ("The emulator", "emulator_bench.py", ()),
    "policy": ("The policy pack", "policy_bench.py", ()),
    "desk": ("Import and drift", "desk_bench.py", ()),
    "rehearsal": ("Whole stacks, rehearsed", "stacks_bench.py", ("rehearsal",)),
    "engine": ("Whole stacks, by the command", "stacks_bench.py", ("engine",)),
    "official": ("The vendor's client", "stacks_bench.py", ("official",)),
    "growth": ("How it grows", "stacks_bench.py", ("growth",)),
}
PACKAGES: Final = ("pulumi", "pulumi-policy", "httpx", "pydantic", "grpcio")


def machine() -> list[str]:
    """Return what the figures were taken on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    try:
        cpus = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        model = next(
            line.partition(":")[2].strip() for line in cpus if "model name" in line
        )
    except (OSError, StopIteration):
        model = platform.processor() or platform.machine()
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    engine = subprocess.run(
        "pulumi version 2>/dev/null || echo none",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    return [
        f"- {os.cpu_count()} cores ({model}), {memory:.0f} GiB, {platform.system()} "
        f"{platform.release()}",
        f"- Python {platform.python_version()}; {packages}; `pulumi` command: {engine}",
    ]


def method(script: Path) -> str:
    """Return the docstring of a script without its usage lines."""
    text = script.read_text(encoding="utf-8").split('"""')[1].strip()
    return "\n".join(line for line in text.splitlines() if "python tests/" not in line)


def run(name: str) -> tuple[int, str]:
    """Run a benchmark, showing what it prints, and return that too."""
    _, script, fixed = PARTS[name]
    stacks = script == "stacks_bench.py"
    options = shlex.split(os.environ.get("BENCH_STACKS", "")) if stacks else []
    printed = [f"(run with {shlex.join(options)})\n"] if options else []
    with subprocess.Popen(
        [sys.executable, "-u", HERE / script, *fixed, *options],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            sys.stdout.write(line)
            sys.stdout.flush()
            printed.append(line)
    return process.returncode, "".join(printed).strip("\n")


def parts_of(old: str) -> dict[str, str]:
    """Return what a page has measured, by title."""
    measured = old.partition(MARK)[0]
    found = [part.partition("\n") for part in measured.split("\n## ")[1:]]
    return {title: rest.strip() for title, _, rest in found}


def page(old: str, sections: dict[str, str], described: list[str]) -> str:
    """Return the new page, with what was written by hand kept."""
    hand = old.partition(MARK)[2].strip()
    head = [
        "# Benchmarks",
        "",
        "Written by `make bench`. A time alone says more about the machine than about "
        "the program, so each figure that counts is a ratio of medians (5 runs or "
        "more) taken in turns within one run.",
        "",
        *described,
        "",
    ]
    titles = [title for title, _, _ in PARTS.values() if title in sections]
    body = [line for t in titles for line in (f"## {t}", "", sections[t], "")]
    return "\n".join([*head, *body, MARK, "", hand]).rstrip() + "\n"


def main(names: list[str]) -> int:
    """Run the named benchmarks; 1 if one of them misses a target or fails."""
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        print(f"There is no benchmark {unknown[0]!r}; there are {', '.join(PARTS)}.")
        return 2
    worst = 0
    # An installed package is compiled; a checkout is not where Python is told to write
    # no byte code, and each process would compile it anew.
    for folder in (HERE.parents[1] / "pulumi_jig", HERE):
        compileall.compile_dir(folder, quiet=1)
    described = machine()
    old = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    # Parts from another machine or other versions are no company for these.
    same = all(line in old for line in described)
    sections = parts_of(old) if names and same else {}
    for name in names or PARTS:
        title, script, _ = PARTS[name]
        print(f"\n{title}", flush=True)
        load = os.getloadavg()[0]
        code, printed = run(name)
        worst = max(worst, min(code, 1))
        when = f"{datetime.now(UTC):%Y-%m-%d}, load average {load:.1f} before it"
        text = method(HERE / script)
        sections[title] = f"{text}\n\n{when}:\n\n```text\n{printed}\n```"
        PAGE.write_text(page(old, sections, described), encoding="utf-8")
        print(f"\nwrote {PAGE.name}")
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
