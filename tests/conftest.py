"""What holds for every suite: the tests press Ctrl-C, wherever they were started."""

from __future__ import annotations

import signal

# A shell starts its background jobs with SIGINT ignored, and children inherit that; the
# programs under test would then never hear what the tests send them.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
