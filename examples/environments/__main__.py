"""One service in three environments; what differs stands in `Pulumi.<stack>.yaml`."""

import promotion
import pulumi
import settings

from pulumi_jig import Deployment, HTTPAutoscalingArgs

stack = pulumi.get_stack()
config = pulumi.Config()

try:
    service = settings.read(config.get_object("service"), stack)
except settings.SettingsError as error:
    raise pulumi.RunError(str(error)) from None

image = promotion.image(stack, config.get("image"), service.promotes_from)
varies = service.replicas.max > service.replicas.min

llm = Deployment(
    "llm",
    name=service.name,
    image=image,
    gpu_type=service.gpu_type,
    gpu_count=service.gpus,
    memory=service.memory_gib,
    port=8000,
    health_check_path="/health",
    min_replicas=service.replicas.min,
    max_replicas=service.replicas.max,
    autoscaling=HTTPAutoscalingArgs(metric="HTTPTotalRequests") if varies else None,
    # An update that does not come to serve puts the revision before back, and
    # still fails.
    on_failed_update="rollback",
    opts=pulumi.ResourceOptions(protect=service.protect),
)

pulumi.export("url", llm.endpoint_url)
pulumi.export("image", llm.image)
pulumi.export("ran", promotion.Served("served", llm.image).ran)
