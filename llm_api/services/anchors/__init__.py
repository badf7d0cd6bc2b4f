"""Has pictures judged again and again whose verdicts are known: a model may have changed.

`anchor_set` has the pictures, `anchor_runs` has them judged, `anchor_history` keeps what was said,
and `drift` says what is different.
"""

from llm_api.services.anchors.anchor_history import AnchorHistory
from llm_api.services.anchors.anchor_runs import AnchorRun, Said, judge_anchors
from llm_api.services.anchors.anchor_set import Anchor, read_anchors
from llm_api.services.anchors.drift import VerdictLine, compared

__all__ = [
    "Anchor",
    "AnchorHistory",
    "AnchorRun",
    "Said",
    "VerdictLine",
    "compared",
    "judge_anchors",
    "read_anchors",
]
