#!/usr/bin/env bash
# The same error event in a stream: openai-node raises, openai-python delivers an empty chunk.
#
# Software   openai (Python) 3.57.0, openai (npm) 7.59.0; Node.js 20 or later has to be installed
# Expected   two SDKs of one vendor agree on what an event named `error` is
# Observed   Node looks at the event's name. Python looks for a key `error` in its data; without one the event
#            becomes a chunk whose `choices` is None, and the stream ends well. An error that both raise needs
#            data of the form {"error": {...}}.
# Output     python: 2 chunks, choices of the last: None
#            node: raised APIError: overloaded
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check openai==3.57.0
npm install --silent --no-audit --no-fund --prefix "$work" openai@7.59.0

cat >check.py <<'PY'
import json
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import openai

choice = {"index": 0, "delta": {"role": "assistant", "content": "half"}, "finish_reason": None}
chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
error = {"message": "overloaded", "type": "server_error"}
events = f"data: {json.dumps(chunk)}\n\nevent: error\ndata: {json.dumps(error)}\n\ndata: [DONE]\n\n".encode()


class Broken(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Content-Length", str(len(events)))
        self.end_headers()
        self.wfile.write(events)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Broken)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/v1"
client = openai.OpenAI(base_url=url, api_key="k")
messages = [{"role": "user", "content": "x"}]
chunks = list(client.chat.completions.create(model="m", messages=messages, stream=True))
print(f"python: {len(chunks)} chunks, choices of the last: {chunks[-1].choices}")
assert len(chunks) == 2 and chunks[-1].choices is None

done = subprocess.run(["node", "check.mjs", url], check=True, capture_output=True, text=True)
print("node:", done.stdout.strip())
assert done.stdout.strip() == "raised APIError: overloaded"
PY
cat >check.mjs <<'JS'
import OpenAI from "openai";
const client = new OpenAI({ baseURL: process.argv[2], apiKey: "k" });
const messages = [{ role: "user", content: "x" }];
try {
  for await (const _ of await client.chat.completions.create({ model: "m", messages, stream: true }));
  console.log("ended well");
} catch (error) {
  console.log(`raised ${error.constructor.name}: ${error.message}`);
}
JS
env/bin/python check.py
