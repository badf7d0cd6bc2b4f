"""Builds what makes pictures: tasks and the service."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from llm_api.container.jobs import JobParts
from llm_api.container.makers import Makers
from llm_api.container.surroundings import Closable, Surroundings
from llm_api.domain.judging import JudgedPicture
from llm_api.domain.making import InputPicture
from llm_api.errors import InvalidRequest
from llm_api.services.files import NO_SUCH_FILE, FileService
from llm_api.services.images import ImageService
from llm_api.services.images.image_accounts import ImageAccounts
from llm_api.services.images.image_work import PICTURES
from llm_api.services.images.keeping import Keeper
from llm_api.services.images.orders import Orders
from llm_api.services.jobs.document import IMAGE as IMAGE_JOB
from llm_api.services.jobs.file_keeping import MAX_PICTURE_BYTES
from llm_api.services.jobs.inputs import MAX_BYTES as MAX_INPUT_BYTES
from llm_api.services.jobs.inputs import InputTools
from llm_api.services.jobs.job_work import JobWork
from llm_api.services.judge import JudgeService
from llm_api.services.prompts import PromptOptimizer
from llm_api.settings import config_files
from llm_api.settings.image_profiles import read_image_profiles
from llm_api.settings.settings import Settings
from llm_api.upstream.media.fetching import LinkClient, result_error
from llm_api.upstream.media.image_client import ImageClient
from llm_api.upstream.media.links import LinkFailed, LinkPolicy

_FETCH_S, _CALLERS_FETCH_S = 120.0, 30.0


@dataclass(frozen=True, slots=True)
class ImageParts:
    """What makes pictures, its parts, and what has to be closed when the application ends."""

    service: ImageService
    jobs: JobParts
    closable: Sequence[Closable]
    accounts: ImageAccounts
    tools: InputTools
    orders: Orders


def build_images(
    makers: Makers,
    around: Surroundings,
    jobs: JobParts,
    optimizer: PromptOptimizer,
    judge: JudgeService,
) -> ImageParts:
    """Build what makes pictures; raises SettingsError.

    Args:
        makers: who makes them.
        around: what the rest of the application shares.
        jobs: what all jobs share.
        optimizer: rewrites prompts.
        judge: reads pictures for the model that rewrites edits of them.
    """
    settings, stores, models = around.settings, around.stores, makers.models
    accounts = ImageAccounts(stores.sink, around.prices, around.quotas, stores.spool.require_saving)
    fetch = partial(_fetched, jobs.links, makers.clients, settings.image_result_hosts)
    keeper = Keeper(stores.files, makers.pictures, fetch, health=jobs.store.health)
    record, traces = stores.lineage.record, around.traces
    work = JobWork(PICTURES, models, keeper, accounts, jobs.webhooks, record, traces=traces)
    jobs.engine.register(IMAGE_JOB, work)
    tools = InputTools(stores.files, makers.pictures, partial(_callers, jobs.links))
    targets = config_files.read_targets(settings.config_root)
    orders = Orders(models, optimizer, targets, partial(_seen, stores.files, judge))
    service = ImageService(jobs.store, accounts, tools, orders, jobs.webhooks)
    closable: list[Closable] = [*jobs.closable, makers.pictures, *makers.all_clients]
    return ImageParts(service, jobs, closable, accounts, tools, orders)


def _seen(files: FileService, judge: JudgeService, picture: InputPicture) -> JudgedPicture:
    """Return a picture of a request as a model is shown it; raises ApiError."""
    if (file := files.get(picture.name)) is None:
        raise NO_SUCH_FILE.replaced()
    return judge.read_picture(b"".join(files.pieces(file)), "image")


def known_image_fields(settings: Settings) -> frozenset[str]:
    """Return the fields that any image model takes, where others are refused."""
    if not settings.refuse_unknown_parameters:
        return frozenset()
    profiles = read_image_profiles(settings.config_root).values()
    models = [model for profile in profiles for model in profile.models.values()]
    return frozenset().union(*(model.sends | model.emulates | model.drops for model in models))


def _fetched(
    links: LinkClient,
    clients: Mapping[str, ImageClient],
    more_hosts: tuple[str, ...],
    url: str,
    upstream: str,
) -> bytes:
    """Return the picture at a vendor's address; raises ApiError."""
    client = clients[upstream]
    hosts = (*client.result_hosts, *more_hosts)
    policy = LinkPolicy(
        max_bytes=MAX_PICTURE_BYTES, timeout=_FETCH_S, hosts=hosts, near=client.urls
    )
    try:
        return links.fetch(url, policy)
    except LinkFailed as error:
        raise result_error(error) from error


def _callers(links: LinkClient, url: str, field: str) -> bytes:
    """Return the picture at a caller's address; raises InvalidRequest, which names the field."""
    try:
        return links.fetch(
            url,
            LinkPolicy(max_bytes=MAX_INPUT_BYTES, timeout=_CALLERS_FETCH_S, is_on_usual_port=True),
        )
    except LinkFailed as error:
        raise InvalidRequest.of_field(field, error.problem, reason="image_refused") from error
