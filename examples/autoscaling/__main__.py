"""Replicas that come and go: by a queue, by requests, by a metric of one's own."""

import pulumi

from pulumi_jig import (
    CustomMetricAutoscalingArgs,
    Deployment,
    HTTPAutoscalingArgs,
    QueueAutoscalingArgs,
)

config = pulumi.Config()
most = config.get_int("maxReplicas", 4)
registry = "registry.together.ai/proj_demo"

# Jobs wait in the service's queue of the deployment's own name. The service aims at
# backlog / target replicas; the vendor recommends 1.05 jobs per replica. At the floor of
# 0, nothing runs, and nothing is paid, while the queue is empty.
worker = Deployment(
    "worker",
    image=f"{registry}/video-worker:3.0",
    gpu_type="h100-80gb",
    gpu_count=1,
    memory=64,
    min_replicas=0,
    max_replicas=most,
    autoscaling=QueueAutoscalingArgs(target=1.05),
    # A job that has begun is finished before its replica is stopped.
    termination_grace_period_seconds=300,
)

# Requests through the service's proxy, counted over a window. HTTPAvgRequestDuration
# (milliseconds) is the other rate.
chat = Deployment(
    "chat",
    image=f"{registry}/chat:2.1",
    gpu_type="h100-80gb",
    gpu_count=1,
    memory=64,
    port=8000,
    health_check_path="/health",
    min_replicas=1,
    max_replicas=most,
    autoscaling=HTTPAutoscalingArgs(
        metric="HTTPTotalRequests", target=100, time_interval_minutes=5
    ),
)

# A metric that the container itself shows on /metrics, by its Prometheus name.
vllm = Deployment(
    "vllm",
    image=f"{registry}/vllm:0.9",
    gpu_type="h100-80gb",
    gpu_count=1,
    memory=64,
    port=8000,
    health_check_path="/health",
    min_replicas=1,
    max_replicas=most,
    autoscaling=CustomMetricAutoscalingArgs(
        custom_metric_name="vllm_num_requests_waiting", target=8
    ),
)

pulumi.export("queue", worker.name)
pulumi.export("urls", {"chat": chat.endpoint_url, "vllm": vllm.endpoint_url})
