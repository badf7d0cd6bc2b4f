#!/usr/bin/env bash
# An allow list that names MPO turns "this is a damaged JPEG" into a KeyError.
#
# Software   Pillow 13.0.0
# Expected   Image.open(file, formats=("JPEG", "MPO")) reads JPEG and MPO, and raises UnidentifiedImageError (an
#            OSError) for anything else, as it does for every other pair of formats
# Observed   MPO has a name, a MIME type and a save handler, but no opener: such files are opened as JPEG and change
#            their class. So the list works as long as the JPEG is whole; one that its opener does not take
#            is a KeyError, which no `except OSError` catches. With ("JPEG",) alone, MPO files are read as MPO too.
# Output     a good MPO, by ("JPEG",): MPO with 2 frames
#            a damaged JPEG, by ("JPEG",): UnidentifiedImageError
#            a damaged JPEG, by ("JPEG", "PNG"): UnidentifiedImageError
#            a damaged JPEG, by ("JPEG", "MPO"): KeyError
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check pillow==13.0.0

cat >check.py <<'PY'
import io

from PIL import Image


def outcome(data, *formats):
    try:
        image = Image.open(io.BytesIO(data), formats=formats)
        return f"{image.format} with {image.n_frames} frames"
    except Exception as error:
        return type(error).__name__


image, file = Image.new("RGB", (8, 8)), io.BytesIO()
image.save(file, "MPO", save_all=True, append_images=[image])
damaged = b"\xff\xd8\xff\xc0" + b"\0" * 40
found = {
    'a good MPO, by ("JPEG",)': outcome(file.getvalue(), "JPEG"),
    'a damaged JPEG, by ("JPEG",)': outcome(damaged, "JPEG"),
    'a damaged JPEG, by ("JPEG", "PNG")': outcome(damaged, "JPEG", "PNG"),
    'a damaged JPEG, by ("JPEG", "MPO")': outcome(damaged, "JPEG", "MPO"),
}
for name, result in found.items():
    print(f"{name}: {result}")
good, *others = found.values()
assert good == "MPO with 2 frames"
assert others == ["UnidentifiedImageError", "UnidentifiedImageError", "KeyError"]
PY
env/bin/python check.py
