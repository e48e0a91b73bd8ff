"""
The API's contract: what each field is, what may be sent, what may come back.

`deployment` is the table of a deployment's fields; `comparison` says when two of their
values mean the same, and `diff` reads both. `requests` and `responses` are the bodies
under the API's own names, over the `types` and `enums` that they share.

Strict outward: a request with an unknown key, a fraction of a GPU or a port of 70000 is
refused here, all failures at once. Tolerant inward: a response with new keys, new
statuses or even a wrong type never breaks a stack; what cannot be read is kept as it came.

Values that the service may add to (`gpu_type`, `capacity_type`, `status`, an autoscaling
`metric`) are open: plain strings with the known ones listed, since the service gained a
GPU type, a status and two fields within half a year.

Sources: the vendor's API description of 2026-05 (all schemas), its SDK 3.1.1 for what
came since (`capacity_type`, `model_mounts`, `ScaledToZero`, `h200-140gb`, revisions,
secret lifetimes, volume origins), its guides for `gpu_type="none"`.

Nothing here knows Pulumi or HTTP, and no message holds an input's value. Only `types`,
`requests` and `responses` need pydantic, which takes longer to load than the rest.
"""
