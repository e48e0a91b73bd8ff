"""An image that is built, pushed, and deployed by its digest, in one program."""

import pulumi
import pulumi_docker_build as docker_build

from pulumi_jig import Deployment

config = pulumi.Config()
repository = config.require("repository")

image = docker_build.Image(
    "app",
    context=docker_build.BuildContextArgs(location="./app"),
    platforms=[docker_build.Platform.LINUX_AMD64],
    tags=[f"{repository}:{pulumi.get_stack()}"],
    push=True,
    # A build in each preview would find mistakes earlier and take its time each time.
    build_on_preview=False,
    registries=[
        docker_build.RegistryArgs(
            address=repository.partition("/")[0],
            username=config.get("registryUser") or "user",
            password=config.require_secret("registryPassword"),
        )
    ],
)

app = Deployment(
    "app",
    # The tag and the digest of what was pushed: the same content is no new revision, and
    # a tag that somebody pushes again later changes nothing.
    image=image.ref,
    gpu_type=config.get("gpuType") or "h100-80gb",
    gpu_count=config.get_int("gpus") or 1,
    port=8000,
    health_check_path="/health",
)

pulumi.export("url", app.endpoint_url)
pulumi.export("image", image.ref)
