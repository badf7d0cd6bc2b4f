"""The protocols of vendors of films, by the names that `config/videos/` has for them.

Only those of configured vendors are loaded, and those whose profiles have words of their own: these
are checked where all profiles are read.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, cast

from llm_api.upstream.media.video_profiles import VideoModel

if TYPE_CHECKING:
    from llm_api.upstream.media.protocols.films.film_tasks import FilmTasks

# The module and the class of each.
_PROTOCOLS: Mapping[str, tuple[str, str]] = {
    "ark": ("ark_films", "ArkFilms"),
    "dashscope": ("dashscope_films", "DashScopeFilms"),
    "dashscope-media": ("dashscope_films", "DashScopeMediaFilms"),
    "openai": ("openai_films", "OpenAIFilms"),
    "siliconflow": ("siliconflow_films", "SiliconFlowFilms"),
    "zhipu": ("zhipu_films", "ZhipuFilms"),
}
NAMES = tuple(sorted(_PROTOCOLS))


def wire_words(protocol: str) -> frozenset[str]:
    """Return what the `wire` of a model may say; nothing of a protocol that is not known."""
    if protocol not in _PROTOCOLS:
        return frozenset()
    return cast("frozenset[str]", _module(protocol).WIRE_WORDS)


def film_protocol_of(model: VideoModel) -> "FilmTasks":
    """Return what speaks with a model."""
    name = _PROTOCOLS[model.protocol][1]
    new = cast("Callable[[VideoModel], FilmTasks]", getattr(_module(model.protocol), name))
    return new(model)


def _module(protocol: str) -> ModuleType:
    return import_module(f"{__name__}.{_PROTOCOLS[protocol][0]}")
