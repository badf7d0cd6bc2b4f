"""Builds what makes pictures again until one is accepted."""

from datetime import UTC, datetime
from functools import partial

from llm_api.container.images import ImageParts, Surroundings
from llm_api.domain.access import ApiKey
from llm_api.errors import NotFound
from llm_api.services.judge import JudgeService
from llm_api.services.keys.service import KeyService
from llm_api.services.loop import LoopService
from llm_api.services.loop.brake import Brake
from llm_api.services.loop.loop_document import KIND
from llm_api.services.loop.running.loop_work import LoopWork
from llm_api.services.loop.running.steps import LoopSteps
from llm_api.settings.settings import Settings


def build_loops(
    images: ImageParts, judge: JudgeService, around: Surroundings, keys: KeyService
) -> LoopService:
    """Build it, beside what makes pictures."""
    steps = LoopSteps(
        images.jobs,
        images.service,
        images.orders,
        images.accounts,
        around.optimizer,
        judge,
        Brake(around.prices),
        partial(_valid_key, keys, around.settings),
    )
    images.engine.register(KIND, LoopWork(steps, images.webhooks))
    return LoopService(steps, images.tools, images.webhooks)


def _valid_key(keys: KeyService, settings: Settings, key_id: str) -> ApiKey | None:
    """Return a key by its id, as it is now; None where it is not valid any more."""
    named = {key.id: key for key in settings.access.environment_keys.values()}
    try:
        key = named.get(key_id) or keys.get(key_id)
    except NotFound:
        return None
    return key if key.is_valid(datetime.now(UTC)) else None
