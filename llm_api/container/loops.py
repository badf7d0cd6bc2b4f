"""Builds what makes films, and what makes pictures, judges them, and tries again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from llm_api.container.alerts import build_alerts
from llm_api.container.images import ImageParts, build_images
from llm_api.container.jobs import build_jobs
from llm_api.container.judge import JudgeParts
from llm_api.container.makers import Makers
from llm_api.container.surroundings import Closable, Surroundings
from llm_api.container.videos import build_videos
from llm_api.domain.access import ApiKey
from llm_api.errors import NotFound
from llm_api.services.alerts.alert_service import AlertService
from llm_api.services.judge import JudgeService
from llm_api.services.keys.service import KeyService
from llm_api.services.loop import LoopService
from llm_api.services.loop.brake import Brake
from llm_api.services.loop.loop_document import KIND
from llm_api.services.loop.running.loop_work import LoopWork
from llm_api.services.loop.running.steps import LoopSteps
from llm_api.services.prompts import PromptOptimizer
from llm_api.services.videos import VideoService
from llm_api.settings.settings import Settings


@dataclass(frozen=True, slots=True)
class PictureParts:
    """What makes films and pictures, what judges these, and what does both until one is accepted.

    `alerts` are sent as the webhooks of pictures are.
    """

    images: ImageParts
    videos: VideoService
    judge: JudgeParts
    loops: LoopService
    alerts: AlertService

    @property
    def closable(self) -> Sequence[Closable]:
        """What has to be closed when the application ends."""
        return [self.alerts, *self.images.closable, *self.judge.closable]


def build_pictures(
    makers: Makers,
    around: Surroundings,
    judge: JudgeParts,
    optimizer: PromptOptimizer,
    keys: KeyService,
) -> PictureParts:
    """Build all of it; raises SettingsError."""
    jobs = build_jobs(around)
    images = build_images(makers, around, jobs, optimizer, judge.service)
    videos = build_videos(makers.films, around, jobs, images.tools, images.orders.rewriter)
    loops = _loops(images, judge.service, around, optimizer, keys)
    return PictureParts(images, videos, judge, loops, build_alerts(around, jobs.webhooks))


def _loops(
    images: ImageParts,
    judge: JudgeService,
    around: Surroundings,
    optimizer: PromptOptimizer,
    keys: KeyService,
) -> LoopService:
    steps = LoopSteps(
        images.jobs.store,
        images.service,
        images.orders,
        images.accounts,
        optimizer,
        judge,
        Brake(around.prices),
        partial(_valid_key, keys, around.settings),
    )
    jobs = images.jobs
    jobs.engine.register(KIND, LoopWork(steps, jobs.webhooks, around.traces))
    return LoopService(steps, images.tools, jobs.webhooks)


def _valid_key(keys: KeyService, settings: Settings, key_id: str) -> ApiKey | None:
    """Return a key by its id, as it is now; None where it is not valid any more."""
    named = {key.id: key for key in settings.access.environment_keys.values()}
    try:
        key = named.get(key_id) or keys.get(key_id)
    except NotFound:
        return None
    return key if key.is_valid(datetime.now(UTC)) else None
