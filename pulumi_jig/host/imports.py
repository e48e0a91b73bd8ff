"""Where the plugin host finds the modules that are loaded late."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from pulumi_jig.host.frames import enabled


def find_standard_library_first() -> bool:
    """
    Let standard modules be found before the program's own files of the same name.

    The host is started in the program's folder, which Python searches first. A file
    `secrets.py` or `calendar.py` beside the program would be taken for the standard
    module by whatever is loaded late: the HTTP library, say, when a creation begins. The
    program itself is another process and finds its files as before.

    Returns:
        Whether the standard library stood further back.
    """
    if not enabled():
        return False
    # `os` is loaded before any path is searched, so this is the library's own folder.
    library = Path(os.__file__).parent

    def is_standard(entry: str) -> bool:
        path = Path(entry)
        zipped = path.parent == library.parent and path.suffix == ".zip"
        return path in {library, library / "lib-dynload"} or zipped

    first = [entry for entry in sys.path if is_standard(entry)]
    rest = [entry for entry in sys.path if not is_standard(entry)]
    if sys.path == [*first, *rest]:
        return False
    sys.path[:] = [*first, *rest]
    folder = Path.cwd()
    for name, module in list(sys.modules.items()):
        origin = getattr(module, "__file__", None)
        mistaken = name.partition(".")[0] in sys.stdlib_module_names
        if mistaken and origin is not None and folder in Path(origin).parents:
            # Whoever has it keeps it; who asks from now on gets the standard one.
            del sys.modules[name]
    return True
