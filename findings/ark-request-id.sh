#!/usr/bin/env bash
# Ark's SDK sends a new X-Client-Request-Id with every retry of the same call, and does not read Retry-After.
#
# Software   volcengine-ark-runtime 5.0.54
# Expected   an id that the client makes for a request names the request, so that a server can tell a retry from
#            a new one (as OpenAI's SDKs make it with x-stainless-retry-count)
# Observed   three attempts of one call carry three ids and nothing that connects them; and although the server
#            asks for 30 s, all three arrive within a few seconds
# Output     3 attempts, 3 different ids, within 30 s: True
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check volcengine-ark-runtime==5.0.54

cat >check.py <<'PY'
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from volcenginesdkarkruntime import Ark

WAIT = 30
attempts = []


class Limited(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        attempts.append((time.monotonic(), self.headers.items()))
        body = b'{"error": {"message": "too many requests", "code": "RateLimitExceeded"}}'
        self.send_response(429)
        self.send_header("Content-Type", "application/json")
        self.send_header("Retry-After", str(WAIT))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Limited)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = Ark(base_url=f"http://127.0.0.1:{server.server_port}/api/v3", api_key="k")
try:
    client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}])
except Exception as error:
    print(type(error).__name__)
ids = {dict(headers)["X-Client-Request-Id"] for _, headers in attempts}
is_early = attempts[-1][0] - attempts[0][0] < WAIT
counts = [name for name, _ in attempts[-1][1] if "retry" in name.lower()]
print(f"{len(attempts)} attempts, {len(ids)} different ids, within {WAIT} s: {is_early}")
assert len(attempts) == len(ids) == 3 and is_early and not counts
PY
env/bin/python check.py
