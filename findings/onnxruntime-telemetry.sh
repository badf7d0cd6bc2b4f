#!/usr/bin/env bash
# Importing onnxruntime on Linux starts a sender of reports to Microsoft, with an identity of the machine.
#
# Software   onnxruntime 1.32.0 (since 1.29.0)
# Expected   a library for inference opens no file but the model; `disable_telemetry_events()` switches reports off
# Observed   the import creates ~/.cache/Microsoft/DeveloperTools/.onnxruntime with a `deviceid` and a database of
#            events, whatever is called afterwards. HOME may be missing: then it is looked up.
#            Only ORT_DISABLE_TELEMETRY=1 (or CI) in the environment before the import prevents it.
# Output     imported: deviceid onnxruntime.db
#            with ORT_DISABLE_TELEMETRY=1: nothing
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check onnxruntime==1.32.0 numpy

cat >check.py <<'PY'
import onnxruntime

onnxruntime.disable_telemetry_events()
PY
left() {
  find "$1" -type f -name 'deviceid' -o -type f -name '*.db' | sed 's,.*/,,' | sort | tr '\n' ' '
}
mkdir on off
env -i HOME="$work/on" env/bin/python check.py
env -i HOME="$work/off" ORT_DISABLE_TELEMETRY=1 env/bin/python check.py
on=$(left on) off=$(left off)
echo "imported: ${on:-nothing}"
echo "with ORT_DISABLE_TELEMETRY=1: ${off:-nothing}"
test "$on" = "deviceid onnxruntime.db " && test -z "$off"
