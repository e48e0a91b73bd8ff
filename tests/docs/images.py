"""
The pictures of README, drawn from what really happens: `make images`.

The terminal shows a rehearsed preview word for word, colours included; the page is the
emulator's own, after the same kind of programs ran. Needs Chromium. It refuses to draw
what did not happen: a run that does not end as the picture tells is an error.
"""

from __future__ import annotations

import html
import io
import json
import os
import re
import sys
import tempfile
import urllib.request
from pathlib import Path

# Helpers of tests are no package.
sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from browser import Browser

from pulumi_jig.emulator import RunningEmulator, start
from pulumi_jig.rehearsal import Rehearsal
from pulumi_jig.rehearsal.display import Paint, heading, report

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "images"
KEY = "acct:demo:any-key"

PROGRAM = """from pulumi_jig import Deployment

Deployment(
    "llm",
    image="registry.together.ai/proj_demo/llm@sha256:{digest}",
    gpu_type="h100-80gb",
    gpu_count={gpus},
    memory=64,
    port=8000,
    health_check_path="/health",
)
"""
FLEET = """from pulumi_jig import Deployment

for name, image, gpu, count, replicas in (
    ("chat", "llm:1.4", "h100-80gb", 2, 3),
    ("search", "embedder:7", "h100-40gb-mig", 1, 2),
    ("vision", "vlm:0.9", "h200-140gb", 4, 1),
):
    Deployment(
        name,
        image=f"registry.together.ai/proj_demo/{image}",
        gpu_type=gpu,
        gpu_count=count,
        min_replicas=replicas,
        port=8000,
        health_check_path="/health",
        environment_variables={"HF_TOKEN": "hf_not_shown"},
    )
"""
_COLOURS = {
    "1": "font-weight:600;color:#fff",
    "31": "color:#ff8a80",
    "32": "color:#7ee2a8",
    "33": "color:#e9c46a",
    "35": "color:#d7a6ff",
    "36": "color:#8bd5e6",
}


class _Terminal(io.StringIO):
    """Text that is taken for a terminal, so that it comes in colour."""

    def isatty(self) -> bool:
        return True


def project(folder: Path, text: str) -> Path:
    """A project with one program."""
    folder.mkdir(exist_ok=True)
    (folder / "Pulumi.yaml").write_text("name: shop\nruntime: python\n")
    (folder / "__main__.py").write_text(text)
    return folder


def previewed(emulator: RunningEmulator, folder: Path) -> str:
    """What a preview prints in which a policy refuses a change."""
    policies = ROOT / "policies"
    place = project(folder, PROGRAM.format(digest="a1" * 32, gpus=1))
    with Rehearsal(
        place,
        env={"TOGETHER_API_KEY": KEY, "TOGETHER_BASE_URL": emulator.url},
        policy_packs=[
            (policies / "gpu-guardrails", policies / "profiles" / "dev.json")
        ],
    ) as stack:
        stack.up().raise_if_failed()
        project(folder, PROGRAM.format(digest="b2" * 32, gpus=4))
        result = stack.preview()
        # As after the change: the picture is of a plan and of a refusal.
        assert result.changes == {"update": 2, "same": 1}
        assert not result.ok
        paint = Paint(_Terminal())
        text = f"{heading('preview', 'dev', paint)}\n{report(result, paint)}"
        project(folder, PROGRAM.format(digest="a1" * 32, gpus=1))
        stack.destroy().raise_if_failed()
    return text


def as_html(text: str) -> str:
    """Terminal text as a page that looks like the terminal."""
    # Each line keeps its indentation where it is broken.
    lines = [
        f'<div style="padding-left:{len(line) - len(line.lstrip())}ch">'
        f"{html.escape(line.strip()) or '&nbsp;'}</div>"
        for line in re.sub(r"((?:\x1b\[\d+m)+)( +)", r"\2\1", text).splitlines()
    ]
    body = "".join(lines)
    for code, style in _COLOURS.items():
        body = body.replace(f"\x1b[{code}m", f'<span style="{style}">')
    body = body.replace("\x1b[0m", "</span>")
    assert "\x1b" not in body
    return (
        '<!doctype html><meta charset="utf-8"><body style="margin:0;background:#14171c">'
        '<pre style="margin:0;padding:18px 22px;color:#cdd3dc;white-space:pre-wrap;'
        "font:13.5px/1.5 'DejaVu Sans Mono',monospace\">"
        f"{body}</pre>"
    )


def draw_terminal(browser: Browser, text: str, folder: Path) -> None:
    """Draw the preview."""
    page = folder / "terminal.html"
    page.write_text(as_html(text))
    browser.size(900, 200)
    browser.open(page.as_uri())
    browser.size(900, int(browser.run("document.querySelector('pre').offsetHeight")))
    (FOLDER / "preview.png").write_bytes(browser.picture())


def draw_page(browser: Browser, emulator: RunningEmulator, folder: Path) -> None:
    """Draw the emulator's page while something goes wrong."""
    emulator.admin.reset()
    place = project(folder, FLEET)
    with Rehearsal(
        place, env={"TOGETHER_API_KEY": KEY, "TOGETHER_BASE_URL": emulator.url}
    ) as stack:
        stack.up().raise_if_failed()
        emulator.admin.fault(method="GET", path="/deployments", status=503, times=3)
        # Three revisions, of which the newest does not come up.
        for image in ("embedder:8", "embedder/crashloop:9"):
            for name in ("search",):
                one = next(
                    d["name"]
                    for d in emulator.admin.deployments()
                    if d["name"].startswith(name)
                )
                _patch(emulator, one, f"registry.together.ai/proj_demo/{image}")
    browser.size(1240, 800)
    browser.open(f"{emulator.url}/#d={one}")
    browser.until("document.body.innerText.includes('CrashLoopBackOff')")
    browser.until("document.querySelectorAll('.replicas tbody tr').length === 4")
    for scheme in ("light", "dark"):
        browser.scheme(scheme)
        (FOLDER / f"page-{scheme}.png").write_bytes(browser.picture())


def _patch(emulator: RunningEmulator, name: str, image: str) -> None:
    request = urllib.request.Request(
        f"{emulator.url}/v1/deployments/{name}",
        data=json.dumps({"image": image}).encode(),
        headers={"Authorization": f"Bearer {KEY}"},
        method="PATCH",
    )
    urllib.request.urlopen(request, timeout=10).close()


def main() -> int:
    """Draw all pictures anew."""
    os.environ.pop("NO_COLOR", None)
    os.environ["TERM"] = "xterm-256color"
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as name,
        start(time_scale=0.02) as emulator,
        Browser() as browser,
    ):
        folder = Path(name)
        text = previewed(emulator, folder / "shop")
        # The address is that of whichever port was free.
        draw_terminal(
            browser, re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:8321", text), folder
        )
        draw_page(browser, emulator, folder / "fleet")
    return 0


if __name__ == "__main__":
    sys.exit(main())
