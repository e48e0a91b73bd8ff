"""A proxy on loopback that passes everything on and changes the texts of answers."""

from __future__ import annotations

import http.client
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable


class Spoiler:
    """
    A service whose answers somebody has written into.

    Attributes:
        spoil: Changes an answer's data; None for answers as they are.
    """

    def __init__(self, url: str) -> None:
        self.spoil: Callable[[Any], Any] | None = None
        outer, target = self, urlsplit(url)

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _serve(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                there = http.client.HTTPConnection(target.hostname, target.port)
                headers = {
                    k: v
                    for k, v in self.headers.items()
                    if k.lower() not in {"host", "accept-encoding"}
                }
                there.request(self.command, self.path, body or None, headers)
                answer = there.getresponse()
                raw = answer.read()
                there.close()
                if outer.spoil is not None and raw:
                    raw = json.dumps(outer.spoil(json.loads(raw))).encode()
                self.send_response(answer.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            do_GET = do_POST = do_PATCH = do_DELETE = _serve  # noqa: N815 - http.server's names

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
