#!/usr/bin/env bash
# openai-python waits between all looks at a film as long as its first look was told to.
#
# Software   openai (Python) 3.57.0
# Expected   `openai-poll-after-ms` of each answer is how long the client waits until the next look
# Observed   `videos.poll` and `videos.create_and_poll` read the header of the first answer alone, and keep to it
#            until the film has ended: a service cannot let them look seldom at first and often near the end, or back
#            off. An answer without the header is the same: the client's own second then holds to the end.
# Output     told [1000, 4000, 250] ms -> waited [1.0, 1.0, 1.0] s
#            told [None, 4000, 4000] ms -> waited [1.0, 1.0, 1.0] s
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check openai==3.57.0

cat >check.py <<'PY'
import json
import threading
import warnings
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from unittest import mock

import openai

warnings.simplefilter("ignore", DeprecationWarning)
FILM = {"id": "video_1", "object": "video", "created_at": 1, "model": "m", "progress": 0, "seconds": "4",
        "size": "1280x720"}
told = []


class Studio(BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({**FILM, "status": "in_progress" if told else "completed"}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if told and (after := told.pop(0)) is not None:
            self.send_header("openai-poll-after-ms", str(after))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Studio)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = openai.OpenAI(base_url=f"http://127.0.0.1:{server.server_port}/v1", api_key="k", max_retries=0)
for answers in ([1000, 4000, 250], [None, 4000, 4000]):
    told[:] = answers
    waited = []
    with mock.patch("time.sleep", waited.append):
        film = client.videos.poll("video_1")
    print(f"told {answers} ms -> waited {waited} s")
    assert (film.status, waited) == ("completed", [1.0, 1.0, 1.0])
PY
env/bin/python check.py
