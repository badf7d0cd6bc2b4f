"""A scripted vendor of pictures on a real loopback socket: it speaks the dialect it is told to.

    with ImageVendor("ark") as vendor:
        vendor.on("create", ark_items_filtered(1))   # the next create call, and only that
        …                                            # ask vendor.url
        assert vendor.charged == 1

Without a script it does what the real vendor does with a good request, and refuses what that
refuses. Result links lead to real pictures on the same server, each of another shade. What else
vendors do is in `image_quirks.py`, and any reply of `replies.py` can be scripted too.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Mapping

from tests.support.dialects import DIALECTS
from tests.support.image_scene import Dialect, Kind, Scene, Studio, Turn
from tests.support.peer import RecordedRequest
from tests.support.ports import LOOPBACK
from tests.support.replies import Reply, Whole, api_error, delayed
from tests.support.upstream import ScriptedUpstream
from tests.support.wire import response_bytes


class ImageVendor(ScriptedUpstream):
    """A vendor: `openai`, `ark`, `dashscope`, `siliconflow`, `zhipu` or a local server.

    Attributes:
        studio: what it has charged, painted and accepted; see there for what can be set.
        delay: for how many seconds a create call is silent before its answer.
    """

    dialects: Mapping[str, Dialect] = DIALECTS

    def __init__(self, dialect: str, *, port: int = 0) -> None:
        """Choose the dialect, and the port as for any scripted upstream."""
        super().__init__(port=port)
        self.dialect = self.dialects[dialect]
        self.studio = Studio()
        self.delay = 0.0
        self._turns: dict[str, deque[Turn]] = defaultdict(deque)

    @property
    def origin(self) -> str:
        """The address without a path."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def url(self) -> str:
        """The base address, as it is configured."""
        return self.origin + self.dialect.base

    @property
    def charged(self) -> int:
        """How many pictures it wants money for."""
        return self.studio.charged

    @property
    def creates(self) -> list[RecordedRequest]:
        """The calls that asked for pictures."""
        return self._of_kind("create")

    @property
    def polls(self) -> list[RecordedRequest]:
        """The looks at tasks."""
        return self._of_kind("poll")

    @property
    def cancels(self) -> list[RecordedRequest]:
        """The calls that wanted a task to end."""
        return self._of_kind("cancel")

    @property
    def downloads(self) -> list[RecordedRequest]:
        """The reads of result links."""
        return self._of_kind("picture")

    def on(self, kind: Kind, *turns: Turn) -> None:
        """Script the answers to the next requests of a kind, one each."""
        self._turns[kind].extend(turns)

    def forget(self) -> None:
        """Do what the real vendor does again: nothing is scripted any more."""
        self._turns.clear()

    def serve(self, data: bytes, media_type: str = "image/png") -> None:
        """Make all pictures these bytes from now on; links name this type."""
        self.studio.served, self.studio.picture_type = data, media_type

    def good_reply(self, request: RecordedRequest) -> Reply:
        """Return the reply to a request: the scripted one of its kind, else the usual one."""
        kind, turns = self._kind(request), self._turns[self._kind(request)]
        turn: Turn = turns.popleft() if turns else self._usual(kind)
        reply = turn(Scene(self.studio, request)) if callable(turn) else turn
        if kind != "create":
            return reply
        return delayed(reply, self.delay) if self.delay else reply

    def _kind(self, request: RecordedRequest) -> Kind:
        is_picture = request.path.startswith("/files/")
        return "picture" if is_picture else self.dialect.kind(request)

    def _of_kind(self, kind: Kind) -> list[RecordedRequest]:
        return [request for request in self.requests if self._kind(request) == kind]

    def _usual(self, kind: Kind) -> Callable[[Scene], Reply]:
        usual: dict[Kind, Callable[[Scene], Reply]] = {
            "create": self.dialect.create,
            "poll": self.dialect.poll,
            "cancel": self.dialect.cancel,
            "picture": _picture,
            "other": lambda _: api_error(404, "not_found", "The vendor has no such path."),
        }
        return usual[kind]


def _picture(scene: Scene) -> Reply:
    studio = scene.studio
    data = studio.files.get(scene.request.path.removeprefix("/files/"))
    if studio.reads_allowed is not None:
        studio.reads_allowed -= 1
    if data is None or (studio.reads_allowed is not None and studio.reads_allowed < 0):
        return Whole(response_bytes(403, b"<Error><Code>AccessDenied</Code></Error>"))
    return Whole(response_bytes(200, data, [("Content-Type", studio.picture_type)]))
