"""What is deployed, as a function: an inline program of the Automation API."""

from __future__ import annotations

import pulumi

from pulumi_jig import Deployment


def service(image: str, replicas: int) -> None:
    """One service; the stack's name says in which environment."""
    llm = Deployment(
        "llm",
        image=image,
        gpu_type="h100-80gb",
        gpu_count=1,
        memory=64,
        port=8000,
        health_check_path="/health",
        min_replicas=replicas,
        max_replicas=replicas,
    )
    pulumi.export("name", llm.name)
    pulumi.export("url", llm.endpoint_url)
    pulumi.export("status", llm.status)
