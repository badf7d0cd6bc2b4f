#!/usr/bin/env bash
# What orjson.dumps returns keeps some 4 KiB of memory for as long as it lives, however short it is.
#
# Software   orjson 3.13.0, Linux
# Expected   the bytes that dumps returns take as much memory as sys.getsizeof says
# Observed   orjson writes into a buffer and does not give back what it has not filled. A cache of small JSON
#            documents takes many times what is counted; a copy through a memoryview takes what it needs.
# Output     217 bytes, getsizeof 250
#            kept as written: 4133 bytes each
#            kept as copies: 261 bytes each
# (The last two differ by some bytes from run to run.)
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check orjson==3.13.0

cat >check.py <<'PY'
import sys

import orjson

COUNT = 20_000
document = {"id": "msg_1", "type": "message", "role": "assistant", "content": [{"text": "a" * 143}]}


def private_bytes():
    with open("/proc/self/smaps_rollup") as lines:
        return sum(int(line.split()[1]) for line in lines if line.startswith("Private")) * 1024


def of_each(make):
    make()
    before = private_bytes()
    kept = [make() for _ in range(COUNT)]
    return round((private_bytes() - before) / len(kept))


one = orjson.dumps(document)
written = of_each(lambda: orjson.dumps(document))
copied = of_each(lambda: bytes(memoryview(orjson.dumps(document))))
print(f"{len(one)} bytes, getsizeof {sys.getsizeof(one)}")
print(f"kept as written: {written} bytes each")
print(f"kept as copies: {copied} bytes each")
sys.exit(not (written > 3_000 and copied < 700 and sys.getsizeof(one) < 400))
PY
env/bin/python check.py
