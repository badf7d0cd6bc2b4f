"""J8 and J9 before the whole service: a hostile rewrite harms neither client nor log."""

import json

import pytest

from tests.faults.gateway import Gateway
from tests.support import replies
from tests.support.service import Service
from tests.support.upstream import ScriptedUpstream
from tests.web.refusals import OPTIMIZE

CANARY = "canary-51c2"
HOSTILE = {
    "html": f"<script>alert('{CANARY}')</script>",
    "markdown image": f"![x](https://evil.example/{CANARY})",
    "escape sequences": f"\x1b[2J\x1b[31m{CANARY}\x07",
    "a log line": f'\n{{"level": "ERROR", "message": "{CANARY}"}}\n',
    "line ends": f"a\r\nb\u2028c\u0085{CANARY}",
    "null bytes": f"\x00{CANARY}\x00",
    "50 KB": f"{CANARY} " * 5_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_rewrite_stays_in_its_json_string(
    sound_service: Service, service_upstream: ScriptedUpstream, name: str
) -> None:
    written = json.dumps({"optimized_prompt": HOSTILE[name]})
    service_upstream.script(*[replies.completion(written)] * 2)

    with Gateway(sound_service, service_upstream).ask(
        OPTIMIZE, prompt=f"a cat {HOSTILE[name]}"[:3_000], type="image"
    ) as answer:
        document = json.loads(answer.read_body())

    assert (answer.status, answer.header("x-content-type-options")) == (200, "nosniff")
    assert answer.header("content-type") == "application/json"
    assert document["optimized_prompt"] == document["original_prompt"]
    assert len(service_upstream.requests) == 2


def test_the_log_has_one_line_of_json_for_each_event_and_no_word_of_a_prompt(
    sound_service: Service,
) -> None:
    log = sound_service.log()

    assert CANARY not in log
    assert "\x1b" not in log
    lines = [line for line in log.splitlines() if '"request"' in line]
    assert all(json.loads(line)["message"] == "request" for line in lines)
