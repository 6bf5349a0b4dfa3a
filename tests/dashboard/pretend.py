# SPDX-License-Identifier: Apache-2.0
"""The dashboard as the sidecar serves it, before figures that the test makes up."""

import http.server
import json
import threading


class Pretend:
    """`page` is what a sidecar answers to /__dashboard: status, fields, body."""

    def __init__(self, page, figures):
        self.page, self.figures, self.status = page, figures, 200
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self.url = f"http://127.0.0.1:{self.server.server_port}/__dashboard"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def handler(self):
        pretend = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                if self.path == "/__dashboard":
                    status, fields, body = pretend.page
                else:
                    status, fields = pretend.status, {"Content-Type": "application/json"}
                    body = json.dumps(pretend.figures).encode()
                self.send_response(status)
                for name in ("Content-Type", "Content-Security-Policy"):
                    if fields.get(name):
                        self.send_header(name, fields[name])
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments):
                pass

        return Handler

    def pass_time(self, seconds):
        self.figures["monotonic_ns"] += int(seconds * 1e9)

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
