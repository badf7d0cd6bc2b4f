"""What users of SDKs do with pictures, and what must come out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.sdks.case import Facts
from tests.sdks.running import NODE, SDKS_FOLDER
from tests.support.service import REPOSITORY_ROOT

_HERE = REPOSITORY_ROOT / "tests" / "sdks"
MODEL = "gpt-image-2"


@dataclass(frozen=True)
class PictureSdk:
    """An SDK, and the command that takes its steps; it can do what `actions` lists."""

    title: str
    family: str
    command: tuple[str, ...]
    actions: frozenset[str]

    @property
    def is_at_hand(self) -> bool:
        """Whether the environment of the tests has it."""
        return self.family == "python"


def _python(runtime: Path, client: str) -> tuple[str, ...]:
    return (str(runtime), str(_HERE / "programs" / "picture_steps.py"), client)


def _node(client: str) -> tuple[str, ...]:
    return (str(NODE), str(_HERE / "node" / "pictures.mjs"), client)


_OPENAI = frozenset(["bytes", "two", "link", "stream", "edit", "stream_edit"])
_AI_SDK = frozenset(["bytes", "two", "edit"])
PICTURE_SDKS = (
    PictureSdk(
        "openai-python",
        "python",
        _python(REPOSITORY_ROOT / ".venv" / "bin" / "python", "openai"),
        _OPENAI,
    ),
    PictureSdk("openai-node", "node", _node("openai-node"), _OPENAI),
    PictureSdk("@ai-sdk/openai", "ai-sdk", _node("@ai-sdk/openai"), _AI_SDK),
    PictureSdk("@ai-sdk/openai-compatible", "ai-sdk", _node("@ai-sdk/openai-compatible"), _AI_SDK),
    PictureSdk(
        "LangChain's DallEAPIWrapper",
        "langchain",
        _python(SDKS_FOLDER / "langchain" / "bin" / "python", "langchain"),
        frozenset(["link"]),
    ),
)


@dataclass(frozen=True)
class PictureCase:
    """One thing that a user does; `asked` counts the requests that reach the vendor.

    `raised` is the exception by the family of the SDK. With `repeats` its own repeats are on.
    """

    name: str
    title: str
    action: str
    facts: Facts = field(default_factory=dict)
    asked: int = 1
    raised: Mapping[str, Facts] = field(default_factory=dict)
    repeats: bool = False

    def is_for(self, sdk: PictureSdk) -> bool:
        """Whether an SDK has what the case is about."""
        return self.action in sdk.actions and (not self.raised or sdk.family in self.raised)


def _failed(status: int | None, kind: str, code: str, **classes: str) -> dict[str, Facts]:
    names = {name.replace("_", "-"): value for name, value in classes.items()}
    return {
        family: {"class": name, "status": status, "type": kind, "code": code}
        for family, name in names.items()
    }


_COMPLETED = ["image_generation.completed", True]
PICTURE_CASES = (
    PictureCase("bytes", "a picture as bytes", "bytes", {"pictures": [True]}),
    PictureCase("two", "two pictures of a size", "two", {"pictures": [True, True]}),
    PictureCase("link", "a picture as a link, which is fetched", "link", {"pictures": [True]}),
    PictureCase(
        "stream",
        "a stream, with a preview",
        "stream",
        {"events": [["image_generation.partial_image", True], _COMPLETED]},
    ),
    PictureCase("edit", "an edit of two pictures with a mask", "edit", {"pictures": [True]}),
    PictureCase(
        "stream_edit",
        "the same, streamed",
        "stream_edit",
        {"events": [["image_edit.completed", True]]},
    ),
    PictureCase(
        "blocked",
        "400: the prompt is refused by a filter",
        "bytes",
        raised=_failed(
            400,
            "image_generation_user_error",
            "moderation_blocked",
            python="BadRequestError",
            node="BadRequestError",
            ai_sdk="APICallError",
        ),
    ),
    PictureCase(
        "blocked_stream",
        "the same in a stream",
        "stream",
        {"events": []},
        raised=_failed(
            None,
            "image_generation_user_error",
            "moderation_blocked",
            python="APIError",
            node="APIError",
        ),
    ),
    PictureCase(
        "paid_once",
        "502: what may be paid is not asked for again, though the SDK repeats",
        "bytes",
        raised=_failed(
            502,
            "server_error",
            "upstream_error",
            python="InternalServerError",
            node="InternalServerError",
        ),
        repeats=True,
    ),
)
