"""Says what differs between two configurations: names alone, never values."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llm_api.settings import config_files
from llm_api.settings.definitions import SETTINGS
from llm_api.settings.image_profiles import read_image_profiles
from llm_api.settings.rubric_files import read_rubrics
from llm_api.settings.settings import Settings
from llm_api.settings.sources import gathered
from llm_api.settings.upstream_definitions import upstream_settings
from llm_api.settings.video_profiles import read_video_profiles

_MOST_NAMES = 20
# What the master itself has opened or started.
_NEED_RESTART = ("BIND", "METRICS_BIND", "LOCAL_JUDGE_MODEL", "LOCAL_JUDGE_PROJECTOR")
_FIRST_UPSTREAM = "FAST_LLM_API_URL"  # without it the bundled model is started


@dataclass(frozen=True, slots=True)
class Configuration:
    """A configuration that can be compared.

    Attributes:
        parts: of each kind, such as `models`, the values by name.
    """

    settings: Settings
    parts: Mapping[str, Mapping[str, Any]]

    @classmethod
    def read(cls, root: Path) -> "Configuration":
        """Read the configuration below `root`, by the environment; raises SettingsError."""
        settings = Settings.from_env(root=root)
        models, prices = config_files.read_models(settings.config_root)
        upstreams = dict(settings.upstreams)
        upstreams |= settings.making_upstreams
        texts, _ = gathered(None, root)
        known = {
            *SETTINGS,
            *(s.name for name in upstreams for s in upstream_settings(name.upper())),
        }
        parts: dict[str, Mapping[str, Any]] = {
            "settings": {name: text for name, text in texts.items() if name in known},
            "upstreams": upstreams,
            "models": {model.id: model for model in models},
            "prices": prices.by_model,
            "vendor profiles": config_files.read_profiles(settings.config_root),
            "vendors of pictures": read_image_profiles(settings.config_root),
            "vendors of films": read_video_profiles(settings.config_root),
            "target models": config_files.read_targets(settings.config_root),
            "rubrics": read_rubrics(settings.config_root),
        }
        return cls(settings, parts)


def changes(old: Configuration, new: Configuration) -> list[str]:
    """Return a sentence for each kind of which something was added, removed or changed."""
    found = [
        f"{kind}: {'; '.join(words)}"
        for kind, values in new.parts.items()
        if (words := _differences(old.parts[kind], values))
    ]
    return found or ["nothing has changed"]


def _differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    words = {
        "added": new.keys() - old.keys(),
        "removed": old.keys() - new.keys(),
        "changed": {name for name in old.keys() & new.keys() if old[name] != new[name]},
    }
    return [f"{word} {_listed(names)}" for word, names in words.items() if names]


def _listed(names: set[str]) -> str:
    shown = ", ".join(sorted(names)[:_MOST_NAMES])
    more = len(names) - _MOST_NAMES
    return f"{shown} and {more} more" if more > 0 else shown


def needing_restart(old: Configuration, new: Configuration) -> list[str]:
    """Return the settings whose new values count after a restart only."""
    before, after = old.parts["settings"], new.parts["settings"]
    names = [name for name in _NEED_RESTART if before.get(name) != after.get(name)]
    was_there = not old.settings.uses_bundled_model
    is_gone = new.settings.uses_bundled_model and new.settings.local_model is None
    return [*names, _FIRST_UPSTREAM] if was_there and is_gone else names
