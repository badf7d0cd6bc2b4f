"""A scripted vendor of films on a real loopback socket: it speaks the dialect it is told to.

    with FilmVendor("ark") as vendor:
        vendor.says("queued", "running", "expired")     # the answers to the next looks at a task
        vendor.on("poll", api_error(429))               # and then this one
        …                                               # ask vendor.url
        assert vendor.charged == 0

Without a script it does what the real vendor does: it accepts a task, says at the first look that
it waits, and is done at the next one; `studio.polls_needed` says at how many it is not. Its films
are small MP4 files, which `serve` replaces; `charged` counts those that it has made.
"""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from shutil import copytree
from typing import Any

from llm_api.settings.settings import PROJECT_ROOT
from tests.support.dialects.film_tasks import FILM_DIALECTS, FilmDialect, VllmOmniFilms
from tests.support.films import film
from tests.support.image_scene import Kind, Scene
from tests.support.image_upstream import ImageVendor
from tests.support.replies import Reply


class FilmVendor(ImageVendor):
    """A vendor: `ark`, `dashscope`, `zhipu`, `siliconflow`, `vllm-omni` or `sglang`."""

    dialects = FILM_DIALECTS
    dialect: FilmDialect

    def __init__(self, dialect: str, *, port: int = 0) -> None:
        """Choose the dialect, and the port as for any scripted upstream."""
        super().__init__(dialect, port=port)
        self.serve(film(), "video/mp4")

    def says(self, *words: str, **more: Any) -> None:
        """Script the answers to the next looks at tasks: words for states, and more fields."""
        self.on("poll", *(partial(self.dialect.say, word=word, **more) for word in words))

    def _usual(self, kind: Kind) -> Callable[[Scene], Reply]:
        if kind == "picture" and isinstance(self.dialect, VllmOmniFilms):
            return self.dialect.content
        return super()._usual(kind)


def write_quick_config(folder: Path, profile: str = "volcengine-ark") -> None:
    """Copy `config/` to a folder, with one vendor of films whose tasks are looked at at once."""
    copytree(PROJECT_ROOT / "config", folder)
    path = folder / "videos" / f"{profile}.toml"
    text, count = re.subn(r"poll_after = \[.*\]", "poll_after = [0.1]", path.read_text("utf-8"))
    assert count == 1
    path.write_text(text, "utf-8")
