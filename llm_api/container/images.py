"""Builds what makes pictures: the vendors' clients, the sketch, tasks, the service."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from llm_api.container.jobs import JobParts
from llm_api.container.making_upstreams import (
    check_fallbacks,
    check_profiles,
    kinds_by_name,
    upstreams_that_make,
)
from llm_api.container.surroundings import Closable, Surroundings
from llm_api.container.videos import FilmMakers, build_film_makers
from llm_api.domain.calls import IMAGE as IMAGE_KIND
from llm_api.domain.calls import Model
from llm_api.domain.judging import JudgedPicture
from llm_api.domain.making import InputPicture
from llm_api.errors import InvalidRequest
from llm_api.pictures.pictures import Pictures
from llm_api.runtime.deadlines import DeadlineWatcher
from llm_api.services.files import NO_SUCH_FILE, FileService
from llm_api.services.images import ImageService
from llm_api.services.images.image_accounts import ImageAccounts
from llm_api.services.images.image_models import IMAGE_MODELS
from llm_api.services.images.image_work import PICTURES
from llm_api.services.images.keeping import Keeper
from llm_api.services.images.layout_sketch.sketch_upstream import NAME as SKETCH
from llm_api.services.images.layout_sketch.sketch_upstream import LayoutSketch
from llm_api.services.images.orders import Orders
from llm_api.services.jobs.document import IMAGE as IMAGE_JOB
from llm_api.services.jobs.file_keeping import MAX_PICTURE_BYTES
from llm_api.services.jobs.inputs import MAX_BYTES as MAX_INPUT_BYTES
from llm_api.services.jobs.inputs import InputTools
from llm_api.services.jobs.job_models import JobModels
from llm_api.services.jobs.job_work import JobWork
from llm_api.services.judge import JudgeService
from llm_api.services.prompts import PromptOptimizer
from llm_api.settings import config_files
from llm_api.settings.image_profiles import read_image_profiles
from llm_api.settings.reader import IMAGE
from llm_api.settings.settings import Settings
from llm_api.upstream.media.fetching import LinkClient, result_error
from llm_api.upstream.media.image_client import ImageClient
from llm_api.upstream.media.links import LinkFailed, LinkPolicy
from llm_api.upstream.media.vendor_client import VendorClient
from llm_api.upstream.media.vendor_models import choose_profile
from llm_api.upstream.media.vendor_protocol import ImageUpstream
from llm_api.upstream.resilience.retry_policy import RetryPolicy

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


@dataclass(frozen=True, slots=True)
class Painters:
    """Who makes pictures and films: the vendors' clients, the sketch, and the models they have."""

    clients: Mapping[str, ImageClient]
    pictures: Pictures
    models: JobModels
    films: FilmMakers

    @property
    def all_clients(self) -> Sequence[VendorClient[Any, Any]]:
        """The clients of all vendors."""
        return [*self.clients.values(), *self.films.clients.values()]

    @property
    def offered(self) -> Sequence[Model]:
        """The models of vendors."""
        return [*self.models.offered(), *self.films.models.offered()]

    @property
    def kinds(self) -> Mapping[str, str]:
        """What each of their models makes, by its name."""
        return {**self.films.models.kinds, **self.models.kinds}


def build_painters(settings: Settings, models: Sequence[Model], watch: DeadlineWatcher) -> Painters:
    """Build who makes pictures; raises SettingsError."""
    pictures, clients = Pictures(), _clients(settings, models, watch)
    upstreams: dict[str, ImageUpstream] = {**clients, SKETCH: LayoutSketch(pictures)}
    plan = settings.image_upstream
    known = JobModels(
        IMAGE_MODELS,
        [model for model in models if _is_of_vendor(model, clients.get(model.upstream))],
        upstreams,
        IMAGE if plan is not None else None,
        fallbacks=() if plan is None else plan.fallback,
        is_closed=settings.catalogue_only,
        elsewhere=kinds_by_name(settings, models),
    )
    return Painters(clients, pictures, known, build_film_makers(settings, models, watch))


def build_images(
    painters: Painters,
    around: Surroundings,
    jobs: JobParts,
    optimizer: PromptOptimizer,
    judge: JudgeService,
) -> ImageParts:
    """Build what makes pictures; raises SettingsError.

    Args:
        painters: who makes them.
        around: what the rest of the application shares.
        jobs: what all jobs share.
        optimizer: rewrites prompts.
        judge: reads pictures for the model that rewrites edits of them.
    """
    settings, stores, models = around.settings, around.stores, painters.models
    accounts = ImageAccounts(stores.sink, around.prices, around.quotas, stores.spool.require_saving)
    fetch = partial(_fetched, jobs.links, painters.clients, settings.image_result_hosts)
    keeper = Keeper(stores.files, painters.pictures, fetch, health=jobs.store.health)
    record, traces = stores.lineage.record, around.traces
    work = JobWork(PICTURES, models, keeper, accounts, jobs.webhooks, record, traces=traces)
    jobs.engine.register(IMAGE_JOB, work)
    tools = InputTools(stores.files, painters.pictures, partial(_callers, jobs.links))
    targets = config_files.read_targets(settings.config_root)
    orders = Orders(models, optimizer, targets, partial(_seen, stores.files, judge))
    service = ImageService(jobs.store, accounts, tools, orders, jobs.webhooks)
    closable: list[Closable] = [*jobs.closable, painters.pictures, *painters.all_clients]
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


def _is_of_vendor(model: Model, client: ImageClient | None) -> bool:
    """Whether a client has a model of the catalogue: by its vendor, or as the configured one."""
    if client is None or model.profile in {None, client.profile_name}:
        return True
    return model.id == client.default_model


def _clients(
    settings: Settings, models: Sequence[Model], watch: DeadlineWatcher
) -> dict[str, ImageClient]:
    """Build the clients of the image upstream, and of others that an image model names."""
    own = upstreams_that_make(IMAGE_KIND, settings.image_upstream, settings, models)
    named = {model.upstream for model in models if model.kind == IMAGE_KIND} | own
    plans = {name: plan for name, plan in settings.upstreams.items() if name in named}
    if settings.image_upstream is not None:
        plans[IMAGE] = settings.image_upstream
    if not plans:
        return {}
    profiles = read_image_profiles(settings.config_root)
    check_profiles(plans, profiles, {IMAGE, *own})
    check_fallbacks(IMAGE, settings.image_upstream, plans)
    policy = RetryPolicy(processes=settings.web_concurrency, has_breaker=settings.circuit_breaker)
    return {
        name: ImageClient(
            name,
            plan,
            choose_profile(
                profiles,
                plan.endpoints[0].url,
                # An upstream that also answers chat calls may name a profile of those.
                plan.profile if plan.profile in profiles else None,
            ),
            settings.timeouts,
            watch,
            policy=policy,
        )
        for name, plan in plans.items()
    }


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
