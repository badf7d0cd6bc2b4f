"""`llm-api optimize PROMPT`: the rewrite on standard output, and what is about it beside it."""

import json

from tests.cli.conftest import Ask
from tests.support import replies
from tests.support.tables import each
from tests.support.upstream import ScriptedUpstream

CAT = "A red cat on a hill, soft morning light from the left, fine texture of the old painted wood"
SCRIPT = "Mara walks along the pier at dawn. She stops and looks at a red boat."
MARA = "Mara=a woman of sixty, in a yellow raincoat"
BOARD = ("--type", "storyboard", "--target-model", "kling", "--cast", MARA)
SHOTS = [
    {"text": "Mara walks along the pier at dawn.", "camera": "track", "seconds": 4},
    {"text": "Mara stops and looks at a red boat at dawn.", "camera": "zoom in", "seconds": 5},
]


def test_the_rewrite_alone_is_on_standard_output(ask: Ask, far_model: ScriptedUpstream) -> None:
    far_model.script(replies.completion(json.dumps({"optimized_prompt": CAT})))

    ran = ask("optimize", "A red cat on a hill", "--seed", "0")

    assert (ran.out, ran.status) == (f"{CAT}\n", 0)
    assert {line.split()[0] for line in ran.err.splitlines()} >= {"kept", "added"}
    assert far_model.requests[0].json["seed"] == 0


def test_each_target_has_its_rewrite(ask: Ask, far_model: ScriptedUpstream) -> None:
    far_model.script(replies.completion(json.dumps({"text_en": CAT})))

    ran = ask(
        *("optimize", "A red cat on a hill"), "--target-model", "flux", "--target-model", "wan"
    )

    assert ran.out == f"{CAT}\n{CAT}\n"
    assert [line.split()[1] for line in ran.err.splitlines() if line.startswith("for ")] == [
        "flux",
        "wan",
    ]


def test_a_script_becomes_shots(ask: Ask, far_model: ScriptedUpstream) -> None:
    far_model.script(*[replies.completion(json.dumps({"shots": SHOTS}))] * 2)
    line = ("optimize", SCRIPT, *BOARD, "--total-seconds", "9", "--shots", "2")

    said, document = ask(*line), json.loads(ask(*line, "--json").out)

    told = "Mara (a woman of sixty, in a yellow raincoat)"
    walks, stops = said.out.splitlines()
    assert walks.startswith(f"Shot 1, 0-4s: {told} walks")
    assert stops.startswith(f"Shot 2, 4-9s: {told} stops")
    assert [shot["seconds"] for shot in document["storyboard"]["shots"]] == [4, 5]


@each(
    ("options", "problem"),
    [
        (("--type", "storyboard"), "total_seconds: is required for a storyboard"),
        (("--total-seconds", "9"), "total_seconds: must be left out unless type is storyboard"),
        (("--cast", "Mara"), "must be NAME=DESCRIPTION"),
        (("--cast", "=old"), "must be NAME=DESCRIPTION"),
        (("--n", "0"), "0 is not in the range"),
        ((*BOARD, "--total-seconds", "0"), "total_seconds: must be an integer from 1 to 300"),
    ],
)
def test_what_is_wrong_is_told(ask: Ask, options: tuple[str, ...], problem: str) -> None:
    ran = ask("optimize", SCRIPT, *options)

    assert ran.status == 2
    assert problem in ran.err
