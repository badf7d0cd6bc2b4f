"""What a scripted vendor of pictures knows, and what it looks at to answer one request."""

import base64
import itertools
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from tests.support.multipart import fields_of, files_of
from tests.support.peer import RecordedRequest
from tests.support.pictures import picture
from tests.support.replies import Reply


@dataclass
class VendorTask:
    """A task of the vendor: how many pictures it makes of what request, and how far it is."""

    id: str
    count: int
    request: RecordedRequest
    polls: int = 0
    is_cancelled: bool = False


class Studio:
    """The state of a vendor: what it has painted and charged, its links and its tasks."""

    def __init__(self) -> None:
        """Open with nothing painted."""
        self.lock = threading.RLock()
        self.charged = 0
        self.files: dict[str, bytes] = {}
        self.tasks: dict[str, VendorTask] = {}
        self.polls_needed = 1
        self.reads_allowed: int | None = None
        self.picture_type = "image/png"
        self.picture_size = (64, 64)
        self.served: bytes | None = None
        self.model: str | None = None
        self._numbers = itertools.count(1)

    def number(self) -> int:
        """Return a number that no picture or task has had."""
        with self.lock:
            return next(self._numbers)

    def paint(self, *, charges: bool = True) -> bytes:
        """Make a picture of a shade of its own, or the one that is to be served."""
        with self.lock:
            self.charged += charges
        if self.served is not None:
            return self.served
        return picture(size=self.picture_size, shade=self.number())


@dataclass(frozen=True)
class Scene:
    """One request at the vendor."""

    studio: Studio
    request: RecordedRequest
    form: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        """Read the form, if it is one."""
        object.__setattr__(self, "form", fields_of(self.request))

    @property
    def body(self) -> Mapping[str, Any]:
        """The fields of the request, from JSON or from a form."""
        if self.form or not self.request.body:
            return self.form
        parsed = self.request.json
        return parsed if isinstance(parsed, dict) else {}

    @property
    def file_names(self) -> list[str]:
        """The names of the form's parts that are files."""
        return [part.name for part in files_of(self.request)]

    def link(self, *, charges: bool = True) -> str:
        """Make a picture and return the address where it can be read."""
        name = f"{self.studio.number()}.png"
        self.studio.files[name] = self.studio.paint(charges=charges)
        return f"http://{self.request.header('Host')}/files/{name}"

    def base64(self, *, charges: bool = True) -> str:
        """Make a picture and return it as base64."""
        return base64.b64encode(self.studio.paint(charges=charges)).decode()

    def new_task(self, count: int) -> VendorTask:
        """Accept a task."""
        task = VendorTask(f"task-{self.studio.number():08d}", count, self.request)
        self.studio.tasks[task.id] = task
        return task

    def task(self) -> VendorTask | None:
        """Return the task whose id the path has; None if there is none."""
        pieces = self.request.path.partition("?")[0].split("/")
        return next((self.studio.tasks[one] for one in pieces if one in self.studio.tasks), None)

    def is_done(self, task: VendorTask) -> bool:
        """Count a look at a task, and return whether its pictures are there."""
        task.polls += 1
        return task.polls > self.studio.polls_needed


Kind = Literal["create", "poll", "cancel", "picture", "other"]
Turn = Reply | Callable[[Scene], Reply]


class Dialect(Protocol):
    """How a vendor speaks."""

    base: str

    def kind(self, request: RecordedRequest) -> Kind:
        """Return what a request is: `create`, `poll`, `cancel` or `other`."""

    def create(self, scene: Scene) -> Reply:
        """Answer a call for pictures."""

    def poll(self, scene: Scene) -> Reply:
        """Answer a look at a task."""

    def cancel(self, scene: Scene) -> Reply:
        """Answer the wish to end a task."""


def count_of(value: object, default: int = 1) -> int:
    """Return a number of pictures, which a form has as text."""
    return default if value is None else int(str(value))
