"""Films as files of ours: fetched while their links live, sniffed, and taken over after a crash."""

import errno
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from llm_api.domain.making import VendorFile
from llm_api.domain.tasks import CancelState, Task, TaskState
from llm_api.errors import ApiError, Gone, Unavailable, UpstreamFault
from llm_api.pictures.facts import PicturesUnavailable
from llm_api.services.jobs.document import KnownError
from llm_api.services.videos.video_document import VideoDocument
from llm_api.services.videos.video_job import VideoJob
from tests.services.videos.film_shop import (
    FILM,
    LINK,
    FilmShop,
    ScriptedFilms,
    asker,
    film_made,
    film_shop,
)
from tests.services.videos.test_films import LOUD, filtered
from tests.support.films import film
from tests.support.tables import each

LOST = UpstreamFault("Lost.", reason="result_download_failed")
EXPIRED = Gone("Expired.", reason="result_expired").replaced(retries_exhausted=True)
PICTURE = "https://vendor.example/cat.png"
VIDEO_ID = "video_1"


@pytest.fixture
def vendor() -> ScriptedFilms:
    """Script a vendor."""
    return ScriptedFilms()


@pytest.fixture
def shop(vendor: ScriptedFilms, tmp_path: Path) -> Iterator[FilmShop]:
    """Open a workshop."""
    with film_shop(tmp_path, vendor) as opened:
        yield opened


@each(
    "before",
    [[LOST], [b"<html>", LOST], [film()[:-9]], [b""], [LOST, b"<html>"]],
)
def test_a_link_is_looked_at_again_while_it_may_live(
    tmp_path_factory: pytest.TempPathFactory, before: list[Any]
) -> None:
    with film_shop(tmp_path_factory.mktemp("shop"), ScriptedFilms()) as shop:
        shop.links[LINK] = [*before, film()]

        job = shop.service.generate(FILM, asker(), wait=10)

        assert job.film is not None
        assert shop.files.read_all(job.film.file) == film()


@each(
    ("found", "reason", "looks"),
    [
        ([EXPIRED] * 3, "result_expired", 1),
        ([LOST] * 3, "result_download_failed", 3),
        ([b"<html>"] * 3, "no_video_returned", 3),
        ([film()[:-9]] * 3, "no_video_returned", 3),
    ],
)
def test_what_cannot_be_kept_is_said(
    tmp_path_factory: pytest.TempPathFactory, found: list[Any], reason: str, looks: int
) -> None:
    with film_shop(tmp_path_factory.mktemp("shop"), ScriptedFilms()) as shop:
        shop.links[LINK] = list(found)

        with pytest.raises(ApiError) as raised:
            shop.service.generate(FILM, asker(), wait=10)

        assert (raised.value.reason, len(found) - len(shop.links[LINK])) == (reason, looks)
        assert raised.value.may_have_charged
        assert not shop.files.files


@each(
    ("data", "media_type"),
    [(film(brand=b"qt  "), "video/quicktime"), (film(seconds=0), "video/mp4")],
)
def test_its_bytes_say_what_it_is(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, media_type: str
) -> None:
    with film_shop(tmp_path_factory.mktemp("shop"), ScriptedFilms()) as shop:
        shop.links[LINK] = data

        job = shop.service.generate(FILM, asker(), wait=10)

    assert job.film is not None
    assert job.film.file.media_type == media_type


def test_a_store_that_is_full_is_waited_for(shop: FilmShop) -> None:
    shop.files.refusals = 1

    job = shop.service.generate(FILM, asker(), wait=10)

    assert job.film is not None
    assert shop.health.is_good


def test_pictures_that_come_with_a_film_are_kept(shop: FilmShop, vendor: ScriptedFilms) -> None:
    shop.links[PICTURE] = b"PNG 8x6 last"
    vendor.polls.append(film_made(beside={"last_frame": PICTURE}))

    job = shop.service.generate(FILM, asker(), wait=10)

    assert job.film is not None
    kept = job.film.beside["last_frame"]
    assert (kept.media_type, kept.width, kept.height) == ("image/png", 8, 6)


def test_what_could_not_be_kept_is_not_bought(shop: FilmShop, vendor: ScriptedFilms) -> None:
    shop.health.failed()

    with pytest.raises(Unavailable) as raised:
        shop.service.generate(FILM, asker(), wait=10)

    assert (raised.value.reason, vendor.parts) == ("store_unavailable", [])


def full() -> bytes:
    """Fail as a disk does that is full."""
    raise OSError(errno.ENOSPC, "No space left on device", "/var/lib/llm_api/films")


def test_a_disk_that_is_full_is_waited_for(shop: FilmShop) -> None:
    """It is no fault of the vendor's: the film is paid for, and its link lives on."""
    shop.links[LINK] = [full, film()]

    job = shop.service.generate(FILM, asker(), wait=10)

    assert job.film is not None
    assert shop.health.is_good


def test_a_link_whose_server_fails_is_looked_at_for_as_long_as_it_lives(
    tmp_path: Path,
) -> None:
    with film_shop(tmp_path, ScriptedFilms(), life=30.0) as shop:
        shop.links[LINK] = [*[LOST] * 6, film()]

        job = shop.service.generate(FILM, asker(), wait=20)

    assert job.film is not None


@pytest.mark.parametrize(
    ("found", "reason"),
    [(b"<html>", "no_video_returned"), (Gone("x", reason="result_expired"), "result_expired")],
)
def test_what_is_no_film_is_not_fetched_for_an_hour(
    tmp_path: Path, found: Any, reason: str
) -> None:
    with film_shop(tmp_path, ScriptedFilms(), life=30.0) as shop:
        shop.links[LINK] = [found] * 9

        with pytest.raises(ApiError) as raised:
            shop.service.generate(FILM, asker(), wait=20)

    assert (raised.value.reason, len(shop.links[LINK])) == (reason, 6)


def away() -> bytes:
    """Fail as a process does that reads pictures."""
    raise PicturesUnavailable


@pytest.mark.parametrize("found", [EXPIRED, b"GIF", full, away])
def test_a_picture_that_cannot_be_kept_costs_no_film(
    shop: FilmShop, vendor: ScriptedFilms, found: Any
) -> None:
    shop.links[PICTURE] = found
    vendor.polls.append(film_made(beside={"last_frame": PICTURE}))

    job = shop.service.generate(FILM, asker(), wait=10)

    assert job.film is not None
    assert job.film.beside == {}


def left_behind(
    shop: FilmShop, state: str, request: Any = FILM, *, is_late: bool = False, **changes: Any
) -> Task:
    """Store the task of a worker that was killed; one that is late has no time left."""
    order = shop.service._orders.order(request, asker(), None)
    now = shop.accounts_now()
    task = order.task(VIDEO_ID, asker(), now, keep=timedelta(days=1), callback_url=None)
    document = VideoDocument.read(task.document).with_part(0, state=state, **changes)
    task = replace(
        task,
        state=TaskState.RUNNING,
        document=document.to_json(),
        claimed_by="dead",
        claimed_until=now - timedelta(seconds=1),
        deadline_at=now - timedelta(seconds=1) if is_late else task.deadline_at,
    )
    shop.tasks.add(task)
    return task


def taken_over(shop: FilmShop) -> VideoJob:
    """Return the job once another worker has ended it."""
    shop.engine.wake()
    found: VideoJob = shop.service.job(VIDEO_ID, None, wait=20)
    return found


def test_a_task_of_a_vendor_is_looked_at_by_who_takes_it_over(
    shop: FilmShop, vendor: ScriptedFilms
) -> None:
    left_behind(shop, "submitted", vendor_id="v1", at_work=True, progress=40)

    job = taken_over(shop)

    assert (job.state, vendor.polled, vendor.parts) == (TaskState.SUCCEEDED, ["v1"], [])


@each(("word", "may_cost"), [(CancelState.CANCELLED, False), (CancelState.TOO_LATE, True)])
def test_a_film_that_is_late_costs_nothing_where_its_vendor_has_cancelled_it(
    tmp_path_factory: pytest.TempPathFactory, word: CancelState, may_cost: object
) -> None:
    vendor = ScriptedFilms()
    vendor.cancel_state = word
    with film_shop(tmp_path_factory.mktemp("shop"), vendor) as shop:
        left_behind(shop, "submitted", vendor_id="v1", is_late=True)

        job = taken_over(shop)

    assert (job.state, vendor.polled) == (TaskState.EXPIRED, [])
    assert job.error is not None
    assert (job.error.reason, job.error.may_have_charged) == ("upstream_timeout", may_cost)


def test_a_request_whose_answer_was_lost_is_never_sent_again(
    shop: FilmShop, vendor: ScriptedFilms
) -> None:
    left_behind(shop, "submitting")

    job = taken_over(shop)

    assert job.error is not None
    assert (job.error.reason, vendor.parts) == ("outcome_unknown", [])
    assert [(row.status, row.cost_micro) for row in shop.sink.ended] == [("unknown", None)]


def test_a_film_that_was_saved_before_the_end_is_not_fetched_again(
    shop: FilmShop, vendor: ScriptedFilms
) -> None:
    shop.links[LINK] = EXPIRED
    shop.files.save(VIDEO_ID, None, film(64, 48, 3.0), "video/mp4", width=64, height=48)
    found = (VendorFile(url=LINK),)
    left_behind(shop, "submitted", vendor_id="v1", found=found, delivered=1)

    job = taken_over(shop)

    assert job.film is not None
    assert (job.film.file.width, job.film.seconds) == (64, 3.0)
    assert (len(shop.files.files), vendor.polled) == (1, [])


def test_a_second_try_is_made_by_who_takes_over_and_once(
    shop: FilmShop, vendor: ScriptedFilms
) -> None:
    """The process has died between the refusal and the second try."""
    left_behind(shop, "failed", LOUD, vendor_id="v1", error=KnownError.of(filtered()))
    vendor.polls.append(filtered())

    job = taken_over(shop)

    assert job.error is not None
    assert (job.error.reason, len(vendor.parts)) == ("content_filtered", 1)
    assert job.asked["audio"] is False


def test_a_second_try_that_was_sent_is_not_sent_again(
    shop: FilmShop, vendor: ScriptedFilms
) -> None:
    silent = replace(LOUD, audio=False, retries_without_audio=False)
    left_behind(shop, "submitted", silent, vendor_id="v2")

    job = taken_over(shop)

    assert (job.state, vendor.polled, vendor.parts) == (TaskState.SUCCEEDED, ["v2"], [])
