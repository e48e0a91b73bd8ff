"""The least that a container must do: serve one port, and say when it is ready."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    """Says `ok`; under `/health` the service asks whether it may send requests."""

    def do_GET(self) -> None:
        """Give 200 to every path."""
        body = b"ok\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    ThreadingHTTPServer(("", 8000), Handler).serve_forever()
