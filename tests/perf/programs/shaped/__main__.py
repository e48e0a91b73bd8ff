"""As many things as the benchmark asks for, of usual size."""

import os

from bench_shaped import Shaped

for number in range(int(os.environ["BENCH_COUNT"])):
    Shaped(
        f"d{number:04}",
        {
            "name": f"bench-{number:04}",
            "image": "registry.together.ai/proj_bench/app:1@sha256:" + "0a" * 32,
            "gpu_type": "h100-80gb",
            "gpu_count": 1,
            "port": 8000,
            "health_check_path": "/health",
            "environment_variables": {f"SETTING_{i}": "some value" for i in range(5)},
        },
    )
