"""A deployment with a secret token and with weights from a volume."""

import pulumi

from pulumi_jig import Deployment, Secret, Volume

config = pulumi.Config()

# Encrypted in the configuration and in the state, and never shown by the service.
token = Secret("hf-token", value=config.require_secret("hfToken"))

# Files that were uploaded to the service before, under this prefix.
weights = Volume(
    "weights",
    content={"source_prefix": config.get("weights") or "models/llm/1"},
)

llm = Deployment(
    "llm",
    image="registry.together.ai/proj_demo/llm:1.4",
    gpu_type="h100-80gb",
    gpu_count=1,
    memory=64,
    port=8000,
    health_check_path="/health",
    # Each stands for its name; so it is made before the deployment, and goes after it.
    environment_variables={"HF_TOKEN": token, "MODEL_DIR": "/models"},
    volumes={"/models": weights},
    # A new value of the token rolls new replicas; otherwise they keep the old one.
    restart_on_rotation=True,
)

pulumi.export("url", llm.endpoint_url)
pulumi.export("weightsVersion", weights.current_version)
