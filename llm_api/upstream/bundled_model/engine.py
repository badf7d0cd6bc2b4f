"""The engine of local models, llama.cpp by xllamacpp: whether it can be loaded on this system."""

import subprocess
import sys

from llm_api.runtime.installation import PACKAGES

NEEDS = (
    "It needs libgomp.so.1 (the package libgomp1 on Debian and Ubuntu, libgomp on Fedora) and a"
    " processor with AVX2."
)
_MOST_S = 60  # a second, where nothing else runs


def can_be_loaded() -> bool:
    """Load the engine in a process of its own, which takes about half a second."""
    try:
        loaded = subprocess.run(
            [sys.executable, "-c", "import xllamacpp"],
            cwd=PACKAGES,
            capture_output=True,
            timeout=_MOST_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return loaded.returncode == 0
