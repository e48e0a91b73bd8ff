"""One GPU deployment: previewed, rolled out, changed in place, taken down."""

import pulumi

from pulumi_jig import Deployment

config = pulumi.Config()

llm = Deployment(
    "llm",
    image=config.get("image") or "registry.together.ai/proj_demo/llm:1.4",
    gpu_type="h100-80gb",
    gpu_count=config.get_int("gpus") or 1,
    memory=64,
    port=8000,
    health_check_path="/health",
    min_replicas=config.get_int("replicas") or 1,
    environment_variables={"LOG_LEVEL": "info"},
)

pulumi.export("url", llm.endpoint_url)
pulumi.export("status", llm.status)
