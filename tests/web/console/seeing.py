"""A vision model that judges, whatever else its server is asked."""

from tests.support.judge import judge_that
from tests.support.peer import RecordedRequest
from tests.support.replies import Reply
from tests.support.upstream import ScriptedUpstream


class SeeingModel(ScriptedUpstream):
    """A server with a judge, which says what `judge` says.

    Attributes:
        judge: as `judge_that` makes it.
    """

    def __init__(self) -> None:
        """Begin with a judge who is content."""
        super().__init__()
        self.judge = judge_that()

    def good_reply(self, request: RecordedRequest) -> Reply:
        """Return a verdict, or what any server answers."""
        return self.judge(request) if request.method == "POST" else super().good_reply(request)
