"""What the work on a job needs of others."""

from collections.abc import Callable
from typing import Any, Protocol

from llm_api.domain.files import StoredFile
from llm_api.domain.making import MakingFailure, Notice, VendorFile
from llm_api.services.files import FileService
from llm_api.services.jobs.document import KeptFile
from llm_api.services.tasks.claimed import ClaimedTask
from llm_api.upstream.media.vendor_protocol import VendorUpstream


class Upstreams(Protocol):
    """What knows the upstreams of jobs of a kind."""

    def at(self, upstream: str) -> VendorUpstream[Any] | None:
        """Return an upstream by its name."""


class Keeping(Protocol):
    """What turns that which vendors hand out into files of ours."""

    @property
    def files(self) -> FileService:
        """Where files are kept."""

    def whole_files(self, task_id: str) -> list[StoredFile]:
        """Return the files of a task whose bytes are there."""

    def keep(
        self, claimed: ClaimedTask, found: VendorFile, document: Any
    ) -> KeptFile | MakingFailure:
        """Keep one of them; raises ClaimLost where another process has to go on with it."""


# What a job asks for after it has failed: of its document, a request and a notice, or nothing.
SecondTry = Callable[[Any], tuple[Any, Notice] | None]


def nothing_instead(_: Any) -> None:
    """Ask for nothing in place of what has failed."""
