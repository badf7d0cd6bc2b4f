"""What the bundled model cannot read is refused before it is called."""

from typing import Any

import pytest

from llm_api.errors import InvalidRequest
from llm_api.upstream.behavior import BUNDLED_MODEL
from tests.support.upstream import ScriptedUpstream
from tests.upstream.asker import PROMPT, described
from tests.upstream.conftest import AskerOf

TEXT = {"type": "text", "text": PROMPT}
MEDIA: list[dict[str, Any]] = [
    {"type": "image_url", "image_url": {"url": "https://host/a.png"}},
    {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
    {"type": "video_url", "video_url": {"url": "https://host/a.mp4"}},
    {"type": "file", "file": {"file_id": "f"}},
]


@pytest.mark.parametrize("part", MEDIA, ids=lambda part: part["type"])
def test_media_are_refused_with_what_to_do(
    upstream: ScriptedUpstream, asker_of: AskerOf, part: dict[str, Any]
) -> None:
    asker = asker_of(behavior=BUNDLED_MODEL)

    error = asker.fail(messages=[{"role": "user", "content": [TEXT, part]}])

    assert described(error) == (400, "not_supported", False)
    assert isinstance(error, InvalidRequest)
    assert error.fields[0].field == "messages[0].content[1].type"
    assert "choose a model" in error.message
    assert upstream.requests == []


def test_custom_tools_are_refused(upstream: ScriptedUpstream, asker_of: AskerOf) -> None:
    asker = asker_of(behavior=BUNDLED_MODEL)

    error = asker.fail(tools=[{"type": "custom", "custom": {"name": "x"}}])

    assert described(error) == (400, "not_supported", False)
    assert upstream.requests == []


@pytest.mark.parametrize(
    "messages", [None, "x", [], [None], [{"role": "user"}], [{"role": "user", "content": [TEXT]}]]
)
def test_text_is_not_refused(messages: object) -> None:
    BUNDLED_MODEL.check({"messages": messages, "tools": [{"type": "function"}, None]})


def test_other_upstreams_say_it_themselves(upstream: ScriptedUpstream, asker_of: AskerOf) -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    asker_of().ask(messages=[{"role": "user", "content": [TEXT, picture]}])

    assert len(upstream.requests) == 1
