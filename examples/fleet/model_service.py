"""One model of the fleet as a component: what the team agreed on, in one place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi

from pulumi_jig import Deployment, HTTPAutoscalingArgs, QueueAutoscalingArgs

if TYPE_CHECKING:
    from catalogue import Model


class ModelService(pulumi.ComponentResource):
    """
    A model that is served.

    Args:
        name: What the model is called; part of the deployment's name.
        model: Its entry in the file.
        opts: Pulumi's options.
    """

    url: pulumi.Output[str]
    """Where it answers."""

    def __init__(
        self, name: str, model: Model, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("fleet:index:ModelService", name, None, opts)
        scaling: HTTPAutoscalingArgs | QueueAutoscalingArgs | None = None
        if model.scale_on == "requests":
            scaling = HTTPAutoscalingArgs(metric="HTTPTotalRequests", target=50)
        elif model.scale_on == "queue":
            scaling = QueueAutoscalingArgs(target=1.05)
        deployment = Deployment(
            name,
            image=model.image,
            gpu_type=model.gpu_type,
            gpu_count=model.gpus,
            memory=model.memory_gib,
            port=model.port,
            health_check_path=model.health_check_path,
            min_replicas=model.replicas.min,
            max_replicas=model.replicas.max,
            autoscaling=scaling,
            environment_variables=model.environment or None,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.url = deployment.endpoint_url
        self.register_outputs({"url": self.url})
