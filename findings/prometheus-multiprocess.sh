#!/usr/bin/env bash
# With several processes, half of prometheus_client's metrics are lost without a word.
#
# Software   prometheus-client 0.26.0
# Expected   with PROMETHEUS_MULTIPROC_DIR a metric is added up over processes, or is refused when it cannot be
# Observed   a gauge with set_function is 0.0 for ever, an Info and an Enum are not scraped at all, exemplars are
#            gone; a gauge without a mode gets a label `pid`, and keeps the values of processes that are gone.
#            A counter beside them is right. Nothing is raised, warned of or logged.
# Output     one process: calls_total 2.0 # {trace="abc"} …, depth 7.0, release_info{version="1"} 1.0, state{state="up"} 1.0
#            several: depth{pid="…"} 0.0, calls_total 2.0
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check prometheus-client==0.26.0

cat >check.py <<'PY'
import os
import sys
import warnings

warnings.simplefilter("error")
warnings.simplefilter("ignore", ResourceWarning)  # its files are open until the end
from prometheus_client import CollectorRegistry, Counter, Enum, Gauge, Info
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.openmetrics.exposition import generate_latest

registry = CollectorRegistry()
Counter("calls", "h", registry=registry).inc(2, {"trace": "abc"})
Gauge("depth", "h", registry=registry).set_function(lambda: 7)
Info("release", "h", registry=registry).info({"version": "1"})
Enum("state", "h", states=["up", "down"], registry=registry).state("up")
if several := "PROMETHEUS_MULTIPROC_DIR" in os.environ:
    registry = CollectorRegistry()
    MultiProcessCollector(registry)
text = generate_latest(registry).decode()
lines = [line for line in text.splitlines() if not line.startswith("#")]
found = {line.split(" ")[0].split("{")[0]: line for line in lines if "down" not in line}
print(*lines, sep="\n")
depth = float(found["depth"].split(" ")[1])
assert depth == (0.0 if several else 7.0)
assert ("pid=" in found["depth"]) == several
assert ("release_info" in found) == ("state" in found) == (not several)
assert ("trace" in found["calls_total"]) == (not several)
assert found["calls_total"].split(" ")[1] == "2.0"
PY
echo "one process:"
env/bin/python check.py
mkdir shared
echo "several:"
PROMETHEUS_MULTIPROC_DIR=$PWD/shared env/bin/python check.py
