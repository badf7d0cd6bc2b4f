"""Makes pictures, judges them, and tries again until one is accepted: a task of the kind `loop`.

`loop_service` is what callers use, `loop_job` what they see. `running` takes one step after the
other, each written down in the `loop_document` before it is begun; `brake` says what it can cost.
`choosing` finds the best picture, `feedback` says what it lacked.
"""

from llm_api.services.loop.loop_document import is_loop
from llm_api.services.loop.loop_job import LoopJob, LoopPreview
from llm_api.services.loop.loop_service import LoopService

__all__ = ["LoopJob", "LoopPreview", "LoopService", "is_loop"]
