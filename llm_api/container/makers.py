"""Builds who makes pictures and films: clients of vendors, and the sketch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llm_api.container.vendor_clients import build_clients, build_models
from llm_api.container.videos import FilmMakers, build_film_makers
from llm_api.domain.calls import IMAGE, Model
from llm_api.pictures.pictures import Pictures
from llm_api.runtime.deadlines import DeadlineWatcher
from llm_api.services.images.image_models import IMAGE_MODELS
from llm_api.services.images.layout_sketch.sketch_upstream import NAME as SKETCH
from llm_api.services.images.layout_sketch.sketch_upstream import LayoutSketch
from llm_api.services.jobs.job_models import JobModels
from llm_api.settings.image_profiles import read_image_profiles
from llm_api.settings.settings import Settings
from llm_api.upstream.media.image_client import ImageClient
from llm_api.upstream.media.vendor_client import VendorClient
from llm_api.upstream.media.vendor_protocol import ImageUpstream


@dataclass(frozen=True, slots=True)
class Makers:
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


def build_makers(settings: Settings, models: Sequence[Model], watch: DeadlineWatcher) -> Makers:
    """Build who makes pictures and films; raises SettingsError."""
    clients = build_clients(IMAGE, ImageClient, read_image_profiles, settings, models, watch=watch)
    pictures = Pictures()
    upstreams: dict[str, ImageUpstream] = {**clients, SKETCH: LayoutSketch(pictures)}
    known = build_models(IMAGE_MODELS, upstreams, settings, models)
    return Makers(clients, pictures, known, build_film_makers(settings, models, watch))
