"""Copies the console's JavaScript libraries out of npm: `python -m tools.console_libraries NPM...`.

The service is installed without Node.js, and its pages load nothing from other hosts: what they use
of other people lies in the repository, byte for byte as npm has it. requirements/console/ names the
packages, and its lock file has their versions, digests and licenses. NPM is the command that runs
npm; `make lock` knows one.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements" / "console"
VENDOR = ROOT / "llm_api" / "web" / "console" / "static" / "vendor"
# Where each file goes, below VENDOR, and where it is in npm's folder of packages.
FILES: Mapping[str, str] = {
    "alpine/alpine.min.js": "@alpinejs/csp/dist/module.esm.min.js",
    "dompurify/LICENSE": "dompurify/LICENSE",
    "dompurify/purify.min.js": "dompurify/dist/purify.min.js",
    "marked/LICENSE": "marked/LICENSE",
    "marked/marked.min.js": "marked/lib/marked.esm.js",
    "uplot/LICENSE": "uplot/LICENSE",
    "uplot/uplot.min.css": "uplot/dist/uPlot.min.css",
    "uplot/uplot.min.js": "uplot/dist/uPlot.iife.min.js",
}


def fetched(npm: Sequence[str | Path], folder: Path) -> dict[str, bytes]:
    """Return the files as the locked packages have them, by their names below VENDOR.

    Args:
        npm: the command that runs npm, which compares each package with its digest.
        folder: an empty one to install them in.
    """
    for name in ("package.json", "package-lock.json"):
        shutil.copy(LOCK / name, folder)
    subprocess.run([*npm, "ci", "--ignore-scripts", "--omit=optional"], cwd=folder, check=True)
    modules = folder / "node_modules"
    return {name: (modules / source).read_bytes() for name, source in FILES.items()}


def main(npm: Sequence[str]) -> None:
    """Write every file."""
    with tempfile.TemporaryDirectory() as folder:
        contents = fetched(npm, Path(folder))
    for name, content in contents.items():
        path = VENDOR / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


if __name__ == "__main__":
    main(sys.argv[1:])
