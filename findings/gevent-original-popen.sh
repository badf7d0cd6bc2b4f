#!/usr/bin/env bash
# The original subprocess.Popen, which gevent hands out, cannot start anything.
#
# Software   gevent 26.9.0, Python 3.11
# Expected   monkey.get_original("subprocess", "Popen") is what was there before patching, and starts processes
# Observed   it is the original class, but its module has lost what it calls: gevent replaces `_fork_exec` by None, so
#            that it raises TypeError. gevent's own Popen forks and goes on in Python, in the copy of a process
#            that may have threads. The original os.posix_spawn works, and does not fork.
# Output     Popen: TypeError 'NoneType' object is not callable
#            posix_spawn: exit status 0
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check gevent==26.9.0

cat >check.py <<'PY'
from gevent import monkey

monkey.patch_all()

import os
import sys

command = [sys.executable, "-c", "pass"]
try:
    monkey.get_original("subprocess", "Popen")(command)
    raised = "nothing"
except TypeError as error:
    raised = f"TypeError {error}"
print("Popen:", raised)
pid = monkey.get_original("os", "posix_spawn")(sys.executable, command, {})
_, status = monkey.get_original("os", "waitpid")(pid, 0)
print("posix_spawn: exit status", os.waitstatus_to_exitcode(status))
assert raised == "TypeError 'NoneType' object is not callable"
assert status == 0
PY
env/bin/python check.py
