#!/usr/bin/env bash
# dynamicprompts reads everything behind a # as a comment: a prompt with a hex color loses its rest.
#
# Software   dynamicprompts 0.31.0 (the template language of Stable Diffusion web UIs)
# Expected   a prompt without template syntax ({}, __wildcard__, ${variable}) comes back as it is; a comment begins
#            with # at the beginning of a line, if at all
# Observed   # begins a comment anywhere, also inside a word. "a dress in #ff0000 red, studio light" is "a dress in ".
# Output     'a dress in #ff0000 red, studio light' -> 'a dress in '
#            'room #5 by the sea, fog' -> 'room '
#            'a dress in red, studio light' -> 'a dress in red, studio light'
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check dynamicprompts==0.31.0

cat >check.py <<'PY'
from dynamicprompts.generators import RandomPromptGenerator

expected = {
    "a dress in #ff0000 red, studio light": "a dress in ",
    "room #5 by the sea, fog": "room ",
    "a dress in red, studio light": "a dress in red, studio light",
}
for prompt, kept in expected.items():
    found = RandomPromptGenerator().generate(prompt, num_images=1)[0]
    print(f"{prompt!r} -> {found!r}")
    assert found == kept
PY
env/bin/python check.py
