"""A judge whose vision model is a function of the tests, and whose meter measures nothing."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import orjson

from llm_api.domain.calls import Caller, Completion, ModelRequest, TokenUsage
from llm_api.domain.judging import JudgedPicture, JudgeRequest, Measurements
from llm_api.services.judge import JudgedPictures, JudgeService, JudgeTools, Measuring
from llm_api.services.measured_judge import MeasuredJudge, Meter
from llm_api.services.pricing import PriceList
from llm_api.services.routing.catalogue import Catalogue
from llm_api.services.usage.ledger import UsageLedger
from llm_api.settings.config_files import read_profiles
from llm_api.settings.rubric_files import read_rubrics
from llm_api.settings.settings import PROJECT_ROOT
from llm_api.upstream.call import UpstreamCall
from llm_api.upstream.vendors.vision import VisionTraits
from tests.services.calls import ListSink

CALLER = Caller(request_id="request-1", route="/api/v1/llm/score-image")
QUIET = "Something peaceful"  # a prompt that requires nothing that can be checked
RUBRICS = read_rubrics(PROJECT_ROOT)
PROFILES = read_profiles(PROJECT_ROOT)
Parameters = Mapping[str, Any]


def picture_of(shade: int = 0, size: tuple[int, int] = (1024, 1024)) -> JudgedPicture:
    """Make up a picture: what a scripted model sees is its bytes alone."""
    data = shade.to_bytes(4, "big")
    return JudgedPicture(data, "image/png", *size, data)


@dataclass(frozen=True)
class Answer:
    """What a model answers; `tokens` are those of the prompt."""

    text: str
    finish_reason: str | int | None = "stop"
    tokens: int | None = None
    message: Mapping[str, Any] = field(default_factory=dict)
    choice: Mapping[str, Any] = field(default_factory=dict)


class Seer:
    """A vision model."""

    name = "judge"
    default_model = "seer"
    serves_one_model = False
    has_json_mode = False

    def __init__(
        self, answer: Callable[[Parameters], Answer], vision: VisionTraits | None = None
    ) -> None:
        """Answer by a function of the request's parameters."""
        self.vision = vision or VisionTraits()
        self.asked: list[Parameters] = []
        self._answer = answer

    def new_call(
        self, is_disconnected: Callable[[], bool], on_first_attempt: Callable[[], None], **_: Any
    ) -> UpstreamCall:
        """Start a call that may take a minute."""
        return UpstreamCall(
            total=60, is_disconnected=is_disconnected, on_first_attempt=on_first_attempt
        )

    def complete(
        self, model: str, request: ModelRequest, call: UpstreamCall, **_: Any
    ) -> Completion:
        """Answer."""
        with call.attempt(self.name, self.name, model):
            self.asked.append(request.parameters)
            answer = self._answer(request.parameters)
            message = {"role": "assistant", "content": answer.text, **answer.message}
            choice = {"message": message, "finish_reason": answer.finish_reason, **answer.choice}
            usage = TokenUsage(
                answer.tokens, 100, source="upstream" if answer.tokens else "missing"
            )
            document = {"model": model, "choices": [choice]}
            return Completion(document, orjson.dumps(document), usage)


class Blind:
    """A meter that measures nothing."""

    def measure(
        self,
        picture: JudgedPicture,
        *,
        reads_text: bool,
        sees_objects: bool,
        expected_texts: Collection[str] = (),
    ) -> Measurements:
        """Return a picture's size."""
        del reads_text, sees_objects, expected_texts
        return Measurements(picture.width, picture.height)


@dataclass
class Court:
    """A judge, its vision model, and the usage rows that it writes."""

    judge: JudgeService
    seer: Seer
    sink: ListSink


def court_of(
    answer: Callable[[Parameters], Answer],
    vision: VisionTraits | None = None,
    meter: Meter | None = None,
    wait: float = 15.0,
) -> Court:
    """Build a judge whose vision model answers by a function."""
    seer, sink = Seer(answer, vision), ListSink()
    upstream = cast("Any", seer)
    tools = JudgeTools(
        catalogue=Catalogue([], {"judge": upstream}, upstream),
        ledger=UsageLedger(sink),
        prices=PriceList({}),
        pictures=cast("JudgedPictures", None),  # these tests have read theirs
        measuring=Measuring(MeasuredJudge(meter or Blind()), wait=wait),
        rubrics=RUBRICS,
        upstream="judge",
    )
    return Court(JudgeService(tools), seer, sink)


def asked_of(parameters: Parameters) -> str:
    """Return what a request asks: `alignment`, `quality` or `pair`."""
    instructions = parameters["messages"][0]["content"]
    if '"better"' in instructions:
        return "pair"
    return "quality" if '"safety_note"' in instructions else "alignment"


def pictures_of(parameters: Parameters) -> list[str]:
    """Return the data URIs of a request."""
    content = parameters["messages"][1]["content"]
    return [part["image_url"]["url"] for part in content if "image_url" in part]


def request_of(
    *pictures: JudgedPicture, checkpoints: Sequence[str] = (), **more: Any
) -> JudgeRequest:
    """Make a request for one picture unless others are named."""
    return JudgeRequest(
        pictures=pictures or (picture_of(),), checkpoints=tuple(checkpoints), **more
    )
