"""
What is served beside the API, without a key: the page for people, and the OpenAPI text.

The page is three static files and one JSON response that they poll. It
needs nothing from outside, and says so to the browser: under its content security
policy nothing else would load, no inline script would run, no text could become markup,
and no other page could frame it or read its data. A request with a foreign Host header
never comes this far.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pulumi_jig.emulator.errors import invalid
from pulumi_jig.emulator.messages import Request, Response, json_response

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pulumi_jig.emulator.overview import Overview

_SITE = Path(__file__).with_name("site")

# The page's own data; a page that is open asks for it every second.
DATA = "/page.json"
_FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
_GUARDS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    # What is shown is of this moment and of this process.
    "Cache-Control": "no-store",
}


class Pages:
    """
    The pages of one server, by path.

    Args:
        overview: what the page shows.

    """

    def __init__(self, overview: Overview) -> None:
        self._overview = overview
        self._pages: Mapping[str, Callable[[Request], Response]] = {
            "/openapi.json": self._openapi,
            DATA: self._data,
            **dict.fromkeys(_FILES, self._file),
        }

    def find(self, request: Request) -> Callable[[Request], Response] | None:
        """Return the handler of a request, or None where that is the API."""
        if request.method not in {"GET", "HEAD"}:
            return None
        return self._pages.get(request.path)

    @staticmethod
    def _openapi(request: Request) -> Response:
        del request
        # Made when asked for: most runs never ask.
        from pulumi_jig.emulator.openapi import document

        return json_response(200, document())

    @staticmethod
    def _file(request: Request) -> Response:
        name, kind = _FILES[request.path]
        return Response(
            200, (_SITE / name).read_bytes(), {"Content-Type": kind, **_GUARDS}
        )

    def _data(self, request: Request) -> Response:
        query = request.query
        after = query.get("after", "0")
        if not (after.isascii() and after.isdigit()):
            raise invalid("after", "must be a whole number")
        # A page that outlived a restart counts by the numbers of another process.
        known = query.get("run") == self._overview.run
        seen = self._overview.snapshot(
            closely=query.get("deployment", ""), after=int(after[:18]) if known else 0
        )
        return json_response(200, seen, _GUARDS)
