#!/usr/bin/env bash
# DashScope's SDK: the same 429 is a return value for text, and an exception named InvalidTask for an image.
#
# Software   dashscope 2.0.2
# Expected   one SDK reports a rate limit in one way, at least within one class
# Observed   Generation.call returns an object with status_code 429. ImageSynthesis.call raises InvalidTask, whose
#            message has the code as text; ImageSynthesis.async_call, of the same class, returns an object again.
#            A client that catches one of them misses the others, and InvalidTask looks like a wrong request.
# Output     text: returned GenerationResponse, 429 Throttling.RateQuota
#            image: raised InvalidTask
#            image, async_call: returned ImageSynthesisResponse, 429 Throttling.RateQuota
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check dashscope==2.0.2

cat >check.py <<'PY'
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import dashscope

body = b'{"code": "Throttling.RateQuota", "message": "Requests rate limit exceeded", "request_id": "r"}'


class Limited(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(429)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def outcome(call):
    try:
        answer = call()
    except Exception as error:
        return f"raised {type(error).__name__}"
    return f"returned {type(answer).__name__}, {answer.status_code} {answer.code}"


server = ThreadingHTTPServer(("127.0.0.1", 0), Limited)
threading.Thread(target=server.serve_forever, daemon=True).start()
dashscope.base_http_api_url = f"http://127.0.0.1:{server.server_port}/api/v1"
dashscope.api_key = "k"
image = {"model": "wan2.2-t2i-flash", "prompt": "a red boat"}
text = {"model": "qwen-plus", "messages": [{"role": "user", "content": "x"}]}
found = {
    "text": outcome(lambda: dashscope.Generation.call(**text)),
    "image": outcome(lambda: dashscope.ImageSynthesis.call(**image)),
    "image, async_call": outcome(lambda: dashscope.ImageSynthesis.async_call(**image)),
}
for name, what in found.items():
    print(f"{name}: {what}")
assert found == {
    "text": "returned GenerationResponse, 429 Throttling.RateQuota",
    "image": "raised InvalidTask",
    "image, async_call": "returned ImageSynthesisResponse, 429 Throttling.RateQuota",
}
PY
env/bin/python check.py
