"""Films as jobs: how far they are, how they end, and the second try without sound."""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest

from llm_api.domain.making import FittedRequest
from llm_api.domain.tasks import CancelState, TaskState
from llm_api.errors import ApiError, ContentFiltered, InvalidRequest, UpstreamFault
from tests.services.videos.film_shop import (
    FILM,
    FilmShop,
    ScriptedFilms,
    asker,
    film_made,
    film_shop,
    under_way,
)
from tests.support.films import film
from tests.support.tables import each
from tests.support.waiting import wait_until

LOUD = replace(FILM, audio=True, retries_without_audio=True)


def filtered(what: str = "audio", stage: str | None = "output") -> ApiError:
    """Return the error of a task whose result a filter has refused."""
    error = ContentFiltered("The sound was refused.", reason="content_filtered")
    return error.replaced(stage=stage, what=what)


def first_of(ids: list[str]) -> str:
    """Return the id of a job, whose work may begin before it is told."""
    wait_until(lambda: bool(ids), 10, "no id is told")
    return ids[0]


@pytest.fixture
def vendor() -> ScriptedFilms:
    """Script a vendor."""
    return ScriptedFilms()


@pytest.fixture
def shop(vendor: ScriptedFilms, tmp_path: Path) -> Iterator[FilmShop]:
    """Open a workshop."""
    with film_shop(tmp_path, vendor) as opened:
        yield opened


def test_a_film_is_made_and_kept(shop: FilmShop, vendor: ScriptedFilms) -> None:
    job = shop.service.generate(FILM, asker(), wait=10)

    assert job.state is TaskState.SUCCEEDED
    assert job.film is not None
    assert shop.files.read_all(job.film.file) == film()
    assert (job.film.file.width, job.film.file.height, job.film.seconds) == (1280, 720, 5.0)
    assert (len(vendor.parts), vendor.polled) == (1, ["vendor-1"])


def test_what_was_asked_for_is_told_also_where_it_is_no(shop: FilmShop) -> None:
    job = shop.service.generate(FILM, asker(), wait=10)

    assert job.asked == {
        "duration": 5,
        "resolution": "720p",
        "aspect_ratio": "16:9",
        "audio": False,
    }


def test_how_far_the_vendor_is_is_saved_before_the_next_look(
    shop: FilmShop, vendor: ScriptedFilms
) -> None:
    known: list[tuple[bool, int | None]] = []
    ids: list[str] = []

    def look(answer: Any) -> Any:
        part = shop.document_of(first_of(ids))["parts"][0]
        known.append((part["at_work"], part["progress"]))
        return answer

    answers = [under_way("queued"), under_way("running", 10), under_way("running", 60), film_made()]
    vendor.polls.extend(partial(look, answer) for answer in answers)

    shop.service.generate(FILM, asker(), wait=10, on_job=ids.append)

    assert known == [(False, None), (False, None), (True, 10), (True, 60)]


def test_how_far_it_is_is_told_while_it_is_made(shop: FilmShop, vendor: ScriptedFilms) -> None:
    vendor.polls.extend([under_way("running", 40), replace(under_way("running", 40), after=60.0)])
    vendor.polls[0] = replace(vendor.polls[0], after=60.0)
    job = shop.service.generate(FILM, asker(), wait=0)

    wait_until(lambda: shop.service.job(job.id, None).at_work, 10, "nothing is told")
    found = shop.service.job(job.id, None)

    assert (found.state, found.progress) == (TaskState.RUNNING, 40)
    shop.service.cancel(job.id, None)


def test_who_does_not_wait_gets_a_film_that_has_failed_as_any_other(
    shop: FilmShop, vendor: ScriptedFilms
) -> None:
    vendor.polls.append(UpstreamFault("It has ended.", reason="task_failed"))

    job = shop.service.generate(
        FILM, asker(), wait=0, on_job=lambda job_id: shop.service.job(job_id, None, wait=20)
    )

    assert job.error is not None
    assert (job.state, job.error.reason) == (TaskState.FAILED, "task_failed")


@each(
    ("reason", "state"),
    [
        ("task_failed", TaskState.FAILED),
        ("cancelled", TaskState.CANCELLED),
        ("task_expired", TaskState.EXPIRED),
        ("task_not_found", TaskState.EXPIRED),
    ],
)
def test_a_film_ends_as_its_task_did(
    tmp_path_factory: pytest.TempPathFactory, reason: str, state: TaskState
) -> None:
    vendor = ScriptedFilms()
    kind = InvalidRequest if reason == "cancelled" else UpstreamFault
    vendor.polls.append(kind("It has ended.", reason=reason))

    with film_shop(tmp_path_factory.mktemp("shop"), vendor) as shop:
        with pytest.raises(ApiError):
            shop.service.generate(FILM, asker(), wait=10)
        [(job, *_), _] = shop.service.listed(None)

    assert (job.state, job.error is not None and job.error.reason) == (state, reason)


def test_a_vendor_that_hangs_takes_no_place_of_other_tasks(
    shop: FilmShop, vendor: ScriptedFilms
) -> None:
    ids: list[str] = []
    rested: list[bool] = []

    def look() -> Any:
        claimed = shop.engine.running(first_of(ids))
        rested.append(claimed is not None and claimed.is_resting)
        return film_made()

    vendor.polls.append(look)

    shop.service.generate(FILM, asker(), wait=10, on_job=ids.append)

    assert rested == [True]


def test_a_film_that_cannot_be_cancelled_says_so(shop: FilmShop, vendor: ScriptedFilms) -> None:
    vendor.cancel_state = CancelState.NOT_SUPPORTED
    vendor.polls.append(replace(under_way(), after=60.0))
    job = shop.service.generate(FILM, asker(), wait=0)
    wait_until(lambda: bool(vendor.polled), 10, "nobody looks")

    _, outcome = shop.service.cancel(job.id, None)

    assert outcome is CancelState.NOT_SUPPORTED
    assert shop.document_of(job.id)["cancel"] == "not_supported"


def test_a_film_that_waits_is_cancelled(shop: FilmShop, vendor: ScriptedFilms) -> None:
    vendor.polls.append(replace(under_way("queued"), after=60.0))
    job = shop.service.generate(FILM, asker(), wait=0)
    wait_until(lambda: bool(vendor.polled), 10, "nobody looks")

    found, outcome = shop.service.cancel(job.id, None)

    assert (outcome, found.state) == (CancelState.CANCELLED, TaskState.CANCELLED)
    assert vendor.cancelled == ["vendor-1"]


def test_a_film_is_cancelled_whose_vendor_takes_its_time_to_accept_it(
    shop: FilmShop, vendor: ScriptedFilms
) -> None:
    """Until then nobody can know whether it can be cancelled."""
    asked = threading.Event()

    def accept() -> Any:
        asked.wait(10)
        time.sleep(2.3)  # longer than a vendor is waited for that answers with what it has made
        return under_way("queued")

    vendor.turns.append(accept)
    vendor.polls.append(replace(under_way("queued"), after=60.0))
    job = shop.service.generate(FILM, asker(), wait=0)
    wait_until(lambda: shop.state_of(job.id) == "submitting", 10, "it is not sent")
    asked.set()

    found, outcome = shop.service.cancel(job.id, None)

    assert (outcome, found.state) == (CancelState.CANCELLED, TaskState.CANCELLED)


def test_a_wish_to_cancel_that_a_vendor_did_not_hear_is_told_again(
    shop: FilmShop, vendor: ScriptedFilms
) -> None:
    """What it has refused is not."""
    words: list[Any] = [UpstreamFault("Away.", reason="upstream_unreachable")]
    vendor.cancel_state = lambda: words.pop() if words else CancelState.CANCELLED
    vendor.polls.append(replace(under_way("queued"), after=0.5))
    job = shop.service.generate(FILM, asker(), wait=0)
    wait_until(lambda: bool(vendor.polled), 10, "nobody looks")

    shop.service.cancel(job.id, None)

    wait_until(lambda: shop.service.job(job.id, None).state.has_ended, 10, "it goes on")
    assert shop.service.job(job.id, None).state is TaskState.CANCELLED
    assert len(vendor.cancelled) == 2


def test_a_look_that_failed_says_nothing_of_a_film_that_waits(
    shop: FilmShop, vendor: ScriptedFilms
) -> None:
    known: list[bool] = []
    ids: list[str] = []

    def look(answer: Any) -> Any:
        known.append(shop.service.job(first_of(ids), None).at_work)
        return answer

    vendor.polls.extend(partial(look, one) for one in (under_way(""), under_way("queued")))

    shop.service.generate(FILM, asker(), wait=10, on_job=ids.append)

    assert known == [False, False]


def test_a_sound_that_was_refused_is_left_out_once(shop: FilmShop, vendor: ScriptedFilms) -> None:
    vendor.polls.append(filtered())

    job = shop.service.generate(LOUD, asker(), wait=10)

    assert job.state is TaskState.SUCCEEDED
    assert [one.audio for one in vendor.asked] == [True, False]
    assert (len(vendor.parts), job.asked["audio"]) == (2, False)
    assert ("audio", "adapted") in [(one.field, one.code) for one in job.notices]
    [row] = shop.sink.ended
    assert (row.attempts, row.status) == (2, "ok")


def test_it_is_not_left_out_twice(shop: FilmShop, vendor: ScriptedFilms) -> None:
    vendor.polls.extend([filtered(), filtered()])

    with pytest.raises(ContentFiltered):
        shop.service.generate(LOUD, asker(), wait=10)

    assert len(vendor.parts) == 2


def test_a_model_that_takes_no_silent_film_any_more_is_not_asked_again(tmp_path: Path) -> None:
    class Loud(ScriptedFilms):
        def fit(self, request: Any, model: str) -> FittedRequest:
            if not request.audio:
                raise InvalidRequest.of_field("audio", "must be true.", reason="not_supported")
            return super().fit(request, model)

    vendor = Loud()
    vendor.polls.append(filtered())

    with film_shop(tmp_path, vendor) as shop, pytest.raises(ContentFiltered):
        shop.service.generate(LOUD, asker(), wait=10)

    assert len(vendor.parts) == 1


@each(
    ("wanted", "error"),
    [
        (replace(LOUD, retries_without_audio=False), filtered()),
        (replace(LOUD, audio=False), filtered()),
        (replace(LOUD, reference_audios=("https://example.com/a.mp3",)), filtered()),
        (LOUD, filtered("video")),
        (LOUD, filtered("audio", "input")),
        (LOUD, UpstreamFault("Failed.", reason="task_failed")),
        (LOUD, filtered().replaced(may_have_charged=True)),
    ],
)
def test_nothing_else_is_tried_again(
    tmp_path_factory: pytest.TempPathFactory, wanted: Any, error: ApiError
) -> None:
    vendor = ScriptedFilms()
    vendor.polls.append(error)

    with film_shop(tmp_path_factory.mktemp("shop"), vendor) as shop, pytest.raises(ApiError):
        shop.service.generate(wanted, asker(), wait=10)

    assert len(vendor.parts) == 1


def test_a_model_that_makes_sound_always_is_not_asked_again(
    shop: FilmShop, vendor: ScriptedFilms
) -> None:
    vendor.is_asked_for_sound = False
    vendor.polls.append(filtered())

    with pytest.raises(ContentFiltered):
        shop.service.generate(LOUD, asker(), wait=10)

    assert len(vendor.parts) == 1


def test_the_end_of_a_film_is_reported_as_that_of_a_film(shop: FilmShop) -> None:
    job = shop.service.generate(FILM, asker(), wait=10, callback_url="https://example.com/hook")
    wait_until(lambda: bool(shop.posted), 10, "nothing is reported")

    message = orjson.loads(shop.posted[0][1])

    assert (message["type"], message["data"]["object"]) == ("video.task.succeeded", "video.task")
    assert (message["data"]["id"], message["data"]["status"]) == (job.id, "succeeded")


def test_another_model_makes_what_the_first_could_not(tmp_path: Path) -> None:
    first, second = ScriptedFilms(), ScriptedFilms(name="other", model="other-director")
    failed = UpstreamFault("Failed.", reason="task_failed").replaced(allows_failover=True)
    first.polls.append(failed)

    with film_shop(tmp_path, first, second, fallbacks=("other",)) as shop:
        job = shop.service.generate(FILM, asker(), wait=10)

    assert (job.upstream, job.model) == ("other", "other-director")
    assert (len(first.parts), len(second.parts)) == (1, 1)
