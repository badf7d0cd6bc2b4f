#!/usr/bin/env bash
# Closing the generator of a stream does not close its connection: the model goes on writing for nobody.
#
# Software   smolagents 1.26.0, openai 3.57.0
# Expected   `close()` of the generator that generate_stream() returns, or at the latest the last reference to it,
#            ends the request
# Observed   openai's Stream refers to itself through its own iterator, so that neither closing what reads it nor
#            dropping it ends anything; the server goes on writing until Python looks for cycles, at no
#            particular time. The client's close() ends it, and whatever else the client has open.
# Output     after close(): the server goes on writing
#            after the last reference: the server goes on writing
#            after gc.collect(): the connection is closed
#            after close() of the next one and of the client: the connection is closed
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check "smolagents[openai]==1.26.0" openai==3.57.0

cat >check.py <<'PY'
import gc
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from smolagents import OpenAIModel

WAIT_S = 2
choice = {"index": 0, "delta": {"role": "assistant", "content": "a "}, "finish_reason": None}
chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
event = f"data: {json.dumps(chunk)}\n\n".encode()
is_closed = threading.Event()


class Endless(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        is_closed.clear()
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        try:
            while True:
                self.wfile.write(event)
                time.sleep(0.05)
        except OSError:
            is_closed.set()

    def log_message(self, *_):
        pass


def state():
    return "the connection is closed" if is_closed.wait(WAIT_S) else "the server goes on writing"


def begin():
    stream = model.generate_stream([{"role": "user", "content": "x"}])
    assert next(stream).content == "a "
    return stream


server = ThreadingHTTPServer(("127.0.0.1", 0), Endless)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/v1"
model = OpenAIModel(model_id="m", api_base=url, api_key="k")
gc.disable()  # so that it does not happen to run in between
found = {}
stream = begin()
stream.close()
found["close()"] = state()
del stream
found["the last reference"] = state()
gc.collect()
found["gc.collect()"] = state()
stream = begin()
stream.close()
model.client.close()
found["close() of the next one and of the client"] = state()
for name, what in found.items():
    print(f"after {name}: {what}")
assert [what == "the connection is closed" for what in found.values()] == [False, False, True, True]
PY
env/bin/python check.py
