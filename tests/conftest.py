"""What holds in every room: how properties are examined, and that Ctrl-C is heard."""

from __future__ import annotations

import os
import signal

from hypothesis import HealthCheck, settings

# A shell starts its background jobs with SIGINT ignored, and children inherit that; the
# programs under test would then never hear what the tests send them.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The same examples at every run; `HYPOTHESIS_PROFILE=deep` looks further and elsewhere.
_SLOW_STARTS = [HealthCheck.too_slow, HealthCheck.filter_too_much]
settings.register_profile(
    "core",
    max_examples=60,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=_SLOW_STARTS,
)
settings.register_profile(
    "deep",
    max_examples=2000,
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=_SLOW_STARTS,
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "core"))
