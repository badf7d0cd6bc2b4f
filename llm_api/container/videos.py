"""Builds what makes films: the vendors' clients and the service."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from llm_api.container.jobs import JobParts
from llm_api.container.surroundings import Surroundings
from llm_api.container.vendor_clients import build_clients, build_models
from llm_api.domain.calls import VIDEO as VIDEO_KIND
from llm_api.domain.calls import Model
from llm_api.pictures.pictures import Pictures
from llm_api.runtime.deadlines import DeadlineWatcher
from llm_api.services.jobs.document import VIDEO as VIDEO_JOB
from llm_api.services.jobs.inputs import InputTools
from llm_api.services.jobs.job_models import JobModels
from llm_api.services.jobs.job_rewriter import JobRewriter
from llm_api.services.jobs.job_work import JobWork
from llm_api.services.videos import VideoService
from llm_api.services.videos.film_keeping import FilmKeeper
from llm_api.services.videos.video_bills import VideoAccounts
from llm_api.services.videos.video_document import VideoDocument
from llm_api.services.videos.video_models import VIDEO_MODELS
from llm_api.services.videos.video_orders import VideoOrders
from llm_api.services.videos.video_work import FILMS
from llm_api.settings.settings import Settings
from llm_api.settings.video_profiles import read_video_profiles
from llm_api.upstream.media.fetching import LinkClient, result_error
from llm_api.upstream.media.links import LinkFailed, LinkPolicy
from llm_api.upstream.media.video_client import VideoClient

_FETCH_S = 600.0  # of a film


@dataclass(frozen=True, slots=True)
class FilmMakers:
    """Who makes films: the vendors' clients, and the models that they have."""

    clients: Mapping[str, VideoClient]
    models: JobModels


def build_film_makers(
    settings: Settings, models: Sequence[Model], watch: DeadlineWatcher
) -> FilmMakers:
    """Build who makes films; raises SettingsError."""
    clients = build_clients(
        VIDEO_KIND, VideoClient, read_video_profiles, settings, models, watch=watch
    )
    return FilmMakers(clients, build_models(VIDEO_MODELS, clients, settings, models))


def build_videos(
    makers: FilmMakers,
    around: Surroundings,
    jobs: JobParts,
    tools: InputTools,
    rewriter: JobRewriter,
) -> VideoService:
    """Build what makes films.

    Args:
        makers: who makes them.
        around: what the rest of the application shares.
        jobs: what all jobs share.
        tools: read callers' pictures.
        rewriter: rewrites prompts.
    """
    stores = around.stores
    accounts = VideoAccounts(stores.sink, around.prices, around.quotas, stores.spool.require_saving)
    fetch = _Fetching(jobs.links, makers.clients, around.settings.image_result_hosts)
    pictures: Pictures = tools.pictures
    # Not where temporary files are: that is memory where the root is read-only.
    folder = around.settings.instance / "films"
    keeper = FilmKeeper(stores.files, pictures, fetch, folder, health=jobs.store.health)
    record, traces = stores.lineage.record, around.traces
    work = JobWork(FILMS, makers.models, keeper, accounts, jobs.webhooks, record, traces=traces)
    jobs.engine.register(VIDEO_JOB, work)
    orders = VideoOrders(makers.models, rewriter)
    return VideoService(jobs.store.of_kind(VIDEO_JOB), accounts, tools, orders, jobs.webhooks)


@dataclass(frozen=True, slots=True)
class _Fetching:
    """Fetches what vendors have made."""

    links: LinkClient
    clients: Mapping[str, VideoClient]
    more_hosts: tuple[str, ...]

    def __call__(self, url: str, document: VideoDocument, max_bytes: int, file: BinaryIO) -> None:
        """Write the film at a vendor's address to a file; raises ApiError."""
        client = self.clients[document.upstream]
        if url.startswith("/"):  # it is where the task is, and needs its key
            part = document.parts[0]
            client.download(url, part.vendor_id or "", document.fitted.model, file, max_bytes)
            return
        hosts = (*client.result_hosts, *self.more_hosts)
        policy = LinkPolicy(max_bytes=max_bytes, timeout=_FETCH_S, hosts=hosts, near=client.urls)
        try:
            self.links.fetch_into(url, policy, file)
        except LinkFailed as error:
            raise result_error(error, "film") from error
