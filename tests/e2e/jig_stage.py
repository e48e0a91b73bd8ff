"""
A stage for scenarios with real deployments: an emulator, and a program to plan.

The engines are those of `engines.py`; what a scenario asserts must hold on each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engines import HERE, Stage

from pulumi_jig.emulator import start
from pulumi_jig.naming import DEPLOYMENT_TYPE

if TYPE_CHECKING:
    from pathlib import Path

PROJECT = "shop"
IMAGE = "registry.together.ai/proj/llm:1.4"
CANARY = "canary-7f3a91c2e8"


class JigStage(Stage):
    """Where a scenario with deployments plays."""

    def __init__(self, folder: Path, engine: str, *, time_scale: float = 0.0) -> None:
        super().__init__(folder, engine, program=HERE / "jig", project=PROJECT)
        self.log = folder / "emulator.log"
        self.emulator = start(time_scale=time_scale, log=self.log)
        self.env = {
            "TOGETHER_BASE_URL": self.emulator.url,
            "TOGETHER_API_KEY": "acct:shop:key-1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def manifest(self) -> str:
        """The project file; the toolchain is named, as users are told to."""
        return (
            f"name: {self.project}\nruntime:\n  name: python\n"
            "  options:\n    toolchain: pip\n"
        )

    def close(self) -> None:
        """End the emulator and the engine."""
        super().close()
        self.emulator.stop()

    def deployment(
        self,
        resource: str = "llm",
        opts: dict[str, Any] | None = None,
        /,
        **props: Any,
    ) -> None:
        """Plan one deployment, with what a deployment must have."""
        self.plan({resource: dep(opts, **props)})

    def live(self) -> list[dict[str, Any]]:
        """The deployments that exist in the service, as it shows them."""
        admin = self.emulator.admin
        return [admin.view(record["id"]) for record in admin.deployments()]

    def only(self) -> dict[str, Any]:
        """The one deployment that exists."""
        (found,) = self.live()
        return found

    def resource(self, name: str = "llm") -> dict[str, Any]:
        """What the state holds of a deployment."""
        (found,) = [
            item
            for item in self.acts[-1].state
            if item["label"] == f"Deployment {name}" and not item.get("delete")
        ]
        return found

    def has(self, name: str = "llm") -> bool:
        """Whether the state holds a deployment."""
        return any(i["label"] == f"Deployment {name}" for i in self.acts[-1].state)

    def errors(self) -> str:
        """All that the last operation complained about."""
        return "\n".join(self.acts[-1].errors)

    def steps(self, name: str = "llm") -> list[str]:
        """What the last operation did to a deployment."""
        return self.acts[-1].steps.get(f"Deployment {name}", [])

    def requests(self, method: str) -> int:
        """How many requests of a method the service has taken."""
        return sum(r["method"] == method for r in self.emulator.admin.requests())

    def deployment_urn(self, name: str = "llm") -> str:
        """The URN of a deployment under the stack."""
        return f"urn:pulumi:{self.stack}::{self.project}::{DEPLOYMENT_TYPE}::{name}"

    def written(self) -> str:
        """All files that were written for this scenario, as one text."""
        texts = [
            path.read_text(errors="replace")
            for path in self.folder.rglob("*")
            if path.is_file()
            and self.program_dir not in path.parents
            # The engine's own debug log, asked for by the stage, hides nothing.
            and path.name != "grpc.json"
        ]
        return "\n".join(texts)


def dep(opts: dict[str, Any] | None = None, /, **props: Any) -> dict[str, Any]:
    """A deployment for a plan."""
    base = {"image": IMAGE, "gpu_type": "h100-80gb", "gpu_count": 1}
    return {"props": {**base, **props}, "opts": opts or {}}
