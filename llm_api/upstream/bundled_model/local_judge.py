"""The local judge: llama.cpp's server with a vision model of the user's own.

Facts about that server (xllamacpp 2026.10.11549, tried): it takes PNG and JPEG, refuses WebP with
400, and asks for a picture's http address itself. Where model and projector do not belong together
it does not start, or starts and refuses every picture.
"""

from llm_api.domain.process_plans import LocalJudgePlan
from llm_api.domain.upstream_plans import Endpoint
from llm_api.upstream.bundled_model.llama_server import LOOPBACK, LlamaServer

DEFAULT_JUDGE_PORT = 8082


def judge_endpoint(plan: LocalJudgePlan) -> Endpoint:
    """Return where a local judge listens that was started by hand."""
    url = f"http://{LOOPBACK}:{DEFAULT_JUDGE_PORT}/v1"
    return plan.endpoint or Endpoint(url=url, model=plan.name)


class LocalJudge(LlamaServer):
    """The child process with the vision model."""

    def __init__(
        self, plan: LocalJudgePlan, *, port: int | None = None, key: str | None = None
    ) -> None:
        """Reserve the port; `start` starts the child, which tries a picture first.

        Args:
            plan: the files of model and projector.
            port, key: as in `LlamaServer`.

        Raises:
            OSError: the port is in use.
        """
        files = ["--weights", str(plan.model), "--projector", str(plan.projector)]
        arguments = [*files, "--alias", plan.name]
        super().__init__("local judge", arguments, port=port, key=key)
