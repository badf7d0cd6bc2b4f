#!/usr/bin/env bash
# Portkey's gateway on Node: whole answers pass, every streamed one becomes a 500.
#
# Software   @portkey-ai/gateway 1.15.2 (npm); Node.js 20 or later has to be installed
# Expected   the Node build, started as its README says, relays a stream of an OpenAI-compatible upstream
# Observed   the gateway adds a header to the very answer that fetch has returned. Outside Cloudflare's runtime the
#            headers of such an answer cannot be changed (the Fetch standard calls them immutable), so that each
#            stream ends with 500 before its first event, while a whole answer, which is made anew, is 200.
# Output     whole: 200
#            streamed: 500 Something went wrong
set -euo pipefail
work=$(mktemp -d)
trap 'kill ${gateway:-} 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$work" @portkey-ai/gateway@1.15.2
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
node node_modules/@portkey-ai/gateway/build/start-server.js --headless --port="$port" >gateway.log 2>&1 &
gateway=$!

cat >check.py <<'PY'
import json
import sys
import threading
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

port = sys.argv[1]
head = {"id": "c", "created": 1, "model": "m"}
message = {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
piece = {"index": 0, "delta": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
whole = json.dumps(head | {"object": "chat.completion", "choices": [message], "usage": usage})
chunk = json.dumps(head | {"object": "chat.completion.chunk", "choices": [piece]})


class Upstream(BaseHTTPRequestHandler):
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        is_streamed = asked.get("stream", False)
        body = f"data: {chunk}\n\ndata: [DONE]\n\n" if is_streamed else whole
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream" if is_streamed else "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_):
        pass


def ask(is_streamed):
    body = {"model": "m", "messages": [{"role": "user", "content": "x"}], "stream": is_streamed}
    headers = {
        "Content-Type": "application/json",
        "Authorization": "Bearer k",
        "x-portkey-provider": "openai",
        "x-portkey-custom-host": f"http://127.0.0.1:{upstream.server_port}/v1",
    }
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    for _ in range(200):
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, ""
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read()).get("message", "")
        except urllib.error.URLError:  # it is still starting
            time.sleep(0.1)
    sys.exit("the gateway did not start")


upstream = ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
threading.Thread(target=upstream.serve_forever, daemon=True).start()
results = {name: ask(name == "streamed") for name in ("whole", "streamed")}
for name, (status, reason) in results.items():
    print(f"{name}: {status} {reason}".rstrip())
assert results == {"whole": (200, ""), "streamed": (500, "Something went wrong")}
PY
python3 check.py "$port"
