#!/usr/bin/env bash
# A Retry-After that is too long makes openai-python give up and openai-node hammer.
#
# Software   openai (Python) 3.57.0, openai (npm) 7.59.0; Node.js 20 or later has to be installed
# Expected   an SDK that finds the wait too long either waits for its own maximum, or raises at once
# Observed   Python: up to 120 s it waits exactly as long as it was told; from 121 s it does not retry at all.
#            Node: up to 60 s it waits; from 61 s it ignores the header and retries after about half a second.
#            So no single value beyond a minute tells both to come back later.
# Output     python: Retry-After 120 -> 2 calls, waited [120.0]
#            python: Retry-After 121 -> 1 call, waited []
#            node: Retry-After 61 -> 2 calls, the second within 2 s
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check openai==3.57.0
npm install --silent --no-audit --no-fund --prefix "$work" openai@7.59.0

cat >check.py <<'PY'
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from unittest import mock

import openai

calls, wait = [], ""


class Limited(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        calls.append(time.monotonic())
        body = b'{"error": {"message": "too many requests", "type": "rate_limit_error"}}'
        self.send_response(429)
        self.send_header("Content-Type", "application/json")
        self.send_header("Retry-After", wait)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Limited)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/v1"
client = openai.OpenAI(base_url=url, api_key="k", max_retries=1)
expected = {"120": (2, [120.0]), "121": (1, [])}
for wait in expected:
    calls.clear()
    waited = []
    with mock.patch("time.sleep", waited.append):
        try:
            client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}])
        except openai.RateLimitError:
            pass
    print(f"python: Retry-After {wait} -> {len(calls)} call(s), waited {waited}")
    assert (len(calls), waited) == expected[wait]

wait = "61"
calls.clear()
subprocess.run(["node", "check.mjs", url], check=True)
between = calls[1] - calls[0]
print(f"node: Retry-After {wait} -> {len(calls)} calls, the second after {between:.1f} s")
assert len(calls) == 2 and between < 2
PY
cat >check.mjs <<'JS'
import OpenAI from "openai";
const client = new OpenAI({ baseURL: process.argv[2], apiKey: "k", maxRetries: 1 });
try {
  await client.chat.completions.create({ model: "m", messages: [{ role: "user", content: "x" }] });
} catch (error) {
  if (!(error instanceof OpenAI.RateLimitError)) throw error;
}
JS
env/bin/python check.py
