"""
Two running deployments that no stack knows of, for the page to begin with.

It stands for whatever made yours: the vendor's console, its command line, a script.
"""

import json
import os
import urllib.request

RUNNING = [
    {
        "name": "acme-search",
        "image": "registry.together.ai/proj_demo/search:1.0",
        "gpu_type": "h100-80gb",
        "gpu_count": 1,
        "memory": 64,
        "port": 8000,
        "health_check_path": "/health",
        "min_replicas": 1,
        "max_replicas": 1,
    },
    {
        "name": "acme-chat",
        "image": "registry.together.ai/proj_demo/chat:2.1",
        "gpu_type": "h100-80gb",
        "gpu_count": 2,
        "memory": 128,
        "port": 8000,
        "health_check_path": "/health",
        "min_replicas": 1,
        "max_replicas": 1,
        "environment_variables": [{"name": "HF_TOKEN", "value": "hf_by_hand"}],
    },
]

for deployment in RUNNING:
    request = urllib.request.Request(  # noqa: S310 - the address is the reader's own
        f"{os.environ['TOGETHER_BASE_URL']}/v1/deployments",
        data=json.dumps(deployment).encode(),
        headers={
            "Authorization": f"Bearer {os.environ['TOGETHER_API_KEY']}",
            "Content-Type": "application/json",
        },
    )
    with urllib.request.urlopen(request, timeout=60):  # noqa: S310 - as above
        print(f"{deployment['name']} runs")
