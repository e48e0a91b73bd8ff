"""A deployment that ran before there was a stack, taken over as it is."""

import pulumi

from pulumi_jig import Deployment

search = Deployment(
    "search",
    # Both are needed to take over: the name says which, `adopt` that it is meant.
    name="acme-search",
    adopt=True,
    image="registry.together.ai/proj_demo/search:1.0",
    gpu_type="h100-80gb",
    gpu_count=1,
    memory=64,
    port=8000,
    health_check_path="/health",
    min_replicas=1,
)

pulumi.export("search", search.endpoint_url)
