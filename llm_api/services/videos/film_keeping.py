"""Turns the films that vendors hand out into files of ours, at once: their links die soon."""

import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from llm_api.domain.files import StoredFile
from llm_api.domain.making import MakingFailure, VendorFile
from llm_api.errors import ApiError, Unavailable, UpstreamFault
from llm_api.pictures.facts import PictureError, PicturesUnavailable
from llm_api.services.jobs.document import KeptFile
from llm_api.services.jobs.file_keeping import MAX_PICTURE_BYTES, FileKeeper, pauses_of_store
from llm_api.services.tasks.claimed import ClaimedTask, ClaimLost
from llm_api.services.videos.film_facts import FilmFacts, NotAFilm, film_facts
from llm_api.services.videos.video_document import VideoDocument
from llm_api.upstream.media.making_errors import picture_failure

MAX_BYTES = 2 << 30  # of one film
_MAX_LINK_PAUSE_S = 300.0
_EXPIRED = "result_expired"
NO_FILM = UpstreamFault(
    "The video model has sent something that is no film.", reason="no_video_returned"
)
# What keeps a picture that comes with a film from being kept.
_NO_HARM = (ApiError, PictureError, PicturesUnavailable, OSError)
# Writes what is at a vendor's address to a file: the address, the job, and the most bytes.
Fetch = Callable[[str, VideoDocument, int, BinaryIO], None]


@dataclass(frozen=True, slots=True)
class FilmKeeper(FileKeeper):
    """Keeps the films of vendors.

    Attributes:
        fetch: raises ApiError, whose `retries_exhausted` says that another look does not help; and
            OSError where the file takes no more.
        folder: where a film lies until it is stored; None: where temporary files do.
        pauses: seconds before a link is looked at again that has led to no film.
        life: seconds for which a link is looked at whose server fails, at most until the job's
            deadline, with longer and longer pauses: links live for an hour at least.
    """

    fetch: Fetch
    folder: Path | None = None
    pauses: Sequence[float] = (1.0, 4.0, 15.0, 60.0)
    life: float = 3_600.0

    def keep(
        self, claimed: ClaimedTask, found: VendorFile, document: VideoDocument
    ) -> KeptFile | MakingFailure:
        """Keep the film of a job, or return why that is not possible; raises ClaimLost."""
        pauses = pauses_of_store()
        while True:
            try:
                with self._opened() as file:
                    return self._kept(claimed, found, document, file)
            except (OSError, Unavailable) as error:  # this machine's disk is full, or a store away
                self.wait_for_store(claimed, error, next(pauses))

    def _opened(self) -> BinaryIO:
        """Open a file that is gone with this process, whatever ends it."""
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
        return cast("BinaryIO", tempfile.TemporaryFile(dir=self.folder))

    def _kept(
        self, claimed: ClaimedTask, found: VendorFile, document: VideoDocument, file: BinaryIO
    ) -> KeptFile | MakingFailure:
        saved = self._saved_before(claimed, file)
        try:
            if saved is None:
                facts = self._film(claimed, found.url or "", document, file)
            else:
                facts = film_facts(file, file.seek(0, 2))
        except ApiError as error:
            return MakingFailure(error.reason, error.message)
        except NotAFilm:
            return picture_failure(NO_FILM)
        if saved is None:
            saved = self.save(claimed, file, facts.media_type, facts.width, facts.height)
        return KeptFile(
            saved.id,
            facts.width or 0,
            facts.height or 0,
            found.seed,
            found.prompt,
            self._beside(claimed, found, document),
            facts.seconds,
            facts.fps,
        )

    def _saved_before(self, claimed: ClaimedTask, file: BinaryIO) -> StoredFile | None:
        """Return the film that a process has saved before it died, with its bytes in a file."""
        for saved in self.whole_files(claimed.task.id):
            file.writelines(self.files.pieces(saved))
            return saved
        return None

    def _film(
        self, claimed: ClaimedTask, url: str, document: VideoDocument, file: BinaryIO
    ) -> FilmFacts:
        """Fetch a film; its link is looked at again while it may live.

        Raises ApiError, NotAFilm, ClaimLost, or OSError.
        """
        pauses, pause = iter(self.pauses), 0.0
        ends_at = time.monotonic() + min(self.life, claimed.remaining)
        while True:
            try:
                self.fetch(url, document, MAX_BYTES, file)
                return film_facts(file, file.seek(0, 2))
            except (ApiError, NotAFilm) as error:
                if claimed.should_release:  # the next process can fetch it
                    raise ClaimLost from error
                if isinstance(error, ApiError) and error.retries_exhausted:
                    raise
                listed = next(pauses, None)
                if listed is None and (not _may_pass(error) or time.monotonic() > ends_at):
                    raise
                pause = min(pause * 2, _MAX_LINK_PAUSE_S) if listed is None else listed
            file.seek(0)
            file.truncate()
            # After the deadline there is nothing to rest for: some looks there are in any case.
            (claimed.rest if claimed.remaining else time.sleep)(pause)

    def _beside(
        self, claimed: ClaimedTask, found: VendorFile, document: VideoDocument
    ) -> dict[str, str]:
        """Keep the pictures that come with a film; it is no harm if there is one less."""
        kept = {}
        for name, url in found.beside.items():
            with suppress(*_NO_HARM), self._opened() as file:
                self.fetch(url, document, MAX_PICTURE_BYTES, file)
                file.seek(0)
                facts = self.pictures.inspect(file.read())
                saved = self.files.save(
                    claimed.task.id,
                    claimed.task.key_id,
                    file,
                    facts.media_type,
                    width=facts.width,
                    height=facts.height,
                )
                kept[name] = saved.id
        return kept

    def whole_files(self, task_id: str) -> list[StoredFile]:
        """Return the films of a task whose bytes are there."""
        films = (one for one in self.files.of_task(task_id) if _is_film(one))
        return [file for file in films if self.is_whole(file)]


def _may_pass(error: ApiError | NotAFilm) -> bool:
    """Whether what has failed is a server, and not what it has."""
    return isinstance(error, ApiError) and error.reason != _EXPIRED


def _is_film(file: StoredFile) -> bool:
    """Whether a file is a film that was made."""
    return file.media_type.startswith("video/") and not file.is_input
