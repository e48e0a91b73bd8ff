"""A door before the emulator that turns away keys which have been revoked."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Gatekeeper:
    """Hands requests on, but answers 401 to a revoked key, as the service does."""

    def __init__(self, upstream: str) -> None:
        self.revoked: set[str] = set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self, upstream))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        """Shut the door."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(gate: Gatekeeper, upstream: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length) if length else None
            key = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
            if key in gate.revoked:
                self._answer(401, b'{"error": {"message": "Invalid API key provided"}}')
                return
            kept = ("Authorization", "Content-Type")
            request = urllib.request.Request(
                upstream + self.path,
                data=body,
                method=self.command,
                headers={n: v for n in kept if (v := self.headers.get(n))},
            )
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:
                    self._answer(answer.status, answer.read())
            except urllib.error.HTTPError as error:
                with error:
                    self._answer(error.code, error.read())

        do_GET = do_POST = do_PATCH = do_DELETE = _any  # noqa: N815

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler
