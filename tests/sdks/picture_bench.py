"""Runs the SDKs' programs for pictures against the service, with a scripted vendor behind it."""

import base64
import io
import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from tests.sdks.case import Facts
from tests.sdks.picture_cases import MODEL, PICTURE_CASES, PictureSdk
from tests.sdks.running import SDKS_FOLDER, NotRun
from tests.support.image_quirks import moderation_blocked
from tests.support.image_scene import Scene
from tests.support.image_upstream import ImageVendor
from tests.support.replies import Reply, api_error
from tests.support.service import Service

_TIMEOUT = 240
_MAX_REQUESTS = 1_000


@dataclass(frozen=True)
class SeenPictures:
    """What one SDK showed its user: its version, the facts by case, the vendor's requests."""

    version: str
    facts: Mapping[str, Facts]
    asked: Mapping[str, int]


class PictureBench:
    """A service, and the vendor that it asks."""

    def __init__(self, service: Service, vendor: ImageVendor, home: Path) -> None:
        """Let the vendor fail where a prompt names a case of failure."""
        self.service = service
        self.vendor = vendor
        self._home = home
        vendor.on("create", *[self._answer] * _MAX_REQUESTS)

    def run(self, sdk: PictureSdk) -> SeenPictures:
        """Let an SDK take the steps of all its cases; raises NotRun."""
        if not Path(sdk.command[0]).exists():
            raise NotRun(f"{sdk.title} is not installed: run make test-sdks")
        cases = [case for case in PICTURE_CASES if case.is_for(sdk)]
        steps = [
            {
                "name": case.name,
                "action": case.action,
                "base_url": f"{self.service.url}/v1",
                "model": MODEL,
                "prompt": f"{sdk.title}:{case.name}:",
                "repeats": case.repeats,
                "picture": _png("red"),
                "mask": _png((0, 0, 0, 0)),
            }
            for case in cases
        ]
        lines = self._print_of(sdk, steps)
        facts = {line["name"]: line["facts"] for line in lines[1:]}
        asked = {case.name: self._asked(f"{sdk.title}:{case.name}:") for case in cases}
        return SeenPictures(lines[0]["version"], facts, asked)

    def _asked(self, prompt: str) -> int:
        return sum(prompt.encode() in request.body for request in self.vendor.creates)

    def _answer(self, scene: Scene) -> Reply:
        _, _, case = str(scene.body.get("prompt", "")).rstrip(":").rpartition(":")
        if case.startswith("blocked"):
            return moderation_blocked()
        if case == "paid_once":
            return api_error(500)
        return self.vendor.dialect.create(scene)

    def _print_of(self, sdk: PictureSdk, steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
        done = subprocess.run(
            [*sdk.command, json.dumps(steps)],
            env={"HOME": str(self._home)},
            cwd=SDKS_FOLDER / "node" if sdk.command[1].endswith(".mjs") else self._home,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=False,
        )
        if done.returncode != 0:
            raise NotRun(f"{sdk.title} ended with {done.returncode}: {done.stderr[-4000:]}")
        return [json.loads(line) for line in done.stdout.splitlines()]


def _png(color: Any) -> str:
    written = io.BytesIO()
    Image.new("RGB" if isinstance(color, str) else "RGBA", (32, 32), color).save(written, "PNG")
    return base64.b64encode(written.getvalue()).decode()


@contextmanager
def open_picture_bench(directory: Path) -> Iterator[PictureBench]:
    """Start a vendor, and a service that asks it."""
    directory.mkdir(exist_ok=True)
    with ImageVendor("openai") as vendor:
        env = {
            "FAST_LLM_API_URL": vendor.url,
            "FAST_LLM_MODEL": "none",
            "IMAGE_LLM_API_URL": vendor.url,
            "IMAGE_LLM_API_KEY": "sk-canary",
            "IMAGE_LLM_MODEL": MODEL,
            "IMAGE_LLM_PROFILE": "openai",
            "CIRCUIT_BREAKER": "false",
            "RATE_LIMIT": "1000000/minute",
            "FILES_URL": (directory / "files").as_uri(),
        }
        with Service(directory, env) as service:
            yield PictureBench(service, vendor, directory)
