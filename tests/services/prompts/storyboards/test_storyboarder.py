"""A script becomes shots that add up, whatever a model answers: code holds it to all of it."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_api.domain.prompts import OptimizedPrompt, PromptRequest
from llm_api.domain.storyboards import CastMember, Storyboard
from llm_api.errors import ApiError
from llm_api.services.prompts.optimizer import PromptOptimizer
from llm_api.services.prompts.storyboards.camera_moves import moves_in
from llm_api.services.prompts.storyboards.script_task import read_script
from llm_api.services.prompts.storyboards.shot_forms import storyboard_of
from llm_api.services.prompts.storyboards.shot_making import (
    ShotMaker,
    is_true_to,
    script_shots,
)
from llm_api.services.prompts.storyboards.shot_replies import ShotDraft, fitted_to
from llm_api.services.prompts.task import read_tasks
from llm_api.services.prompts.validation import RewriteValidator
from llm_api.services.usage.ledger import UsageLedger
from llm_api.upstream.behavior import BUNDLED_MODEL
from llm_api.upstream.bundled_model.model import MODEL
from tests.services.calls import CALLER, ListSink, catalogue_of, client_of
from tests.services.prompts.asking import TARGETS, optimizer_of
from tests.support import replies
from tests.support.replies import Reply
from tests.support.tables import each
from tests.support.upstream import ScriptedUpstream
from tests.upstream.bundled_model.running import running_model

LOOK = "a woman of sixty in a yellow raincoat, with short gray hair"
MARA = CastMember("Mara", LOOK)
TOM = CastMember("Tom", "a boy of ten with freckles and a blue cap")
PIER = PromptRequest(
    'Mara walks along the pier at dawn. She stops and looks at a red boat. Tom calls "Wait for me!"'
    " from the boat, then the camera pans left to the lighthouse.",
    "storyboard",
    cast=(MARA, TOM),
    target_model="kling",
    total_seconds=15,
)
KITCHEN = PromptRequest(
    "小明推开旧木门，走进厨房。他看到桌上有三个红苹果，拿起一个。奶奶笑着说：“慢点吃。”镜头缓缓推近奶奶的脸。",
    "storyboard",
    cast=(
        CastMember("小明", "十岁男孩，短发，穿蓝色校服"),
        CastMember("奶奶", "七十岁老人，满头白发，围着花围裙"),
    ),
    target_model="seedance",
    total_seconds=16,
)
WALK = {
    "text": "Mara walks along the wooden pier at dawn. Soft pink light lies on the water.",
    "camera": "track",
    "seconds": 4,
    "cast": ["Mara"],
}
STOP = {"text": "Mara stops and looks at a red boat in the soft dawn light.", "seconds": 4}
CALL = {"text": 'Tom stands in the red boat and calls "Wait for me!" at dawn.', "seconds": 4}
LIGHT = {"text": "The lighthouse stands at the end of the pier at dawn.", "seconds": 3}
GOOD = [WALK, STOP | {"camera": "zoom in"}, CALL | {"camera": "static"}, LIGHT]


def answer(shots: Any) -> Reply:
    return replies.completion(json.dumps({"shots": shots}, ensure_ascii=False))


@pytest.fixture
def sink() -> ListSink:
    return ListSink()


@pytest.fixture
def optimizer(upstream: ScriptedUpstream, sink: ListSink) -> PromptOptimizer:
    return optimizer_of(upstream, sink)


def board_of(answered: OptimizedPrompt, request: PromptRequest) -> Storyboard:
    """Return a storyboard that is right in everything that code guarantees."""
    board = answered.storyboard
    assert board is not None
    assert sum(shot.seconds for shot in board.shots) == request.total_seconds == board.shots[-1].end
    assert [shot.start for shot in board.shots] == [0, *(one.end for one in board.shots[:-1])]
    durations = TARGETS[request.target_model].durations
    assert all(shot.seconds in durations for shot in board.shots)
    looks = {one.name: one.description for one in request.cast}
    for shot in board.shots:
        bare = shot.prompt
        for name in shot.cast:
            assert looks[name] in shot.prompt
            bare = bare.replace(looks[name], "")
        assert list(moves_in(bare)) == [shot.camera], shot.prompt
    return board


def test_a_good_plan_becomes_shots(upstream: ScriptedUpstream, optimizer: PromptOptimizer) -> None:
    upstream.script(answer(GOOD))

    answered = optimizer.optimize(PIER, CALLER).answer

    board = board_of(answered, PIER)
    assert list(answered.warnings) == []
    assert [shot.seconds for shot in board.shots] == [4, 4, 4, 3]
    assert [shot.camera for shot in board.shots] == ["track", "zoom in", "static", "pan left"]
    assert [shot.cast for shot in board.shots] == [["Mara"], ["Mara"], ["Tom"], []]
    assert not any(shot.repaired for shot in board.shots)
    assert board.shots[0].prompt == (
        f"Mara ({LOOK}) walks along the wooden pier at dawn. Soft pink light lies on the water."
        " Tracking shot."
    )
    assert (board.is_fallback, list(board.repaired)) == (False, [])


def test_a_target_that_films_several_shots_gets_all_of_them_as_one_prompt(
    upstream: ScriptedUpstream, optimizer: PromptOptimizer
) -> None:
    upstream.script(answer(GOOD), answer(GOOD))

    short = optimizer.optimize(PIER, CALLER).answer
    long = optimizer.optimize(replace(PIER, total_seconds=30), CALLER).answer

    lines = short.optimized_prompt.split("\n")
    assert [line.split(": ")[0] for line in lines] == [
        "Shot 1, 0-4s",
        "Shot 2, 4-8s",
        "Shot 3, 8-12s",
        "Shot 4, 12-15s",
    ]
    assert board_of(short, PIER).fits_one_prompt
    assert not board_of(long, replace(PIER, total_seconds=30)).fits_one_prompt


@each(
    ("target", "total", "first"),
    [
        ("veo", 16, "[00:00-00:04] Mara ("),
        (
            "minimax-h3",
            20,
            "integrated_multimodal_description:\n[Shot 1] From 00:00.000 to 00:05.000",
        ),
        ("wan-3", 16, "Shot 1 [0-4s]: Mara ("),
        ("seedance", 16, "[Shot 1] 0-4s: Mara ("),
        ("hunyuan", 20, "Shot 1 (0-5s): Mara ("),
    ],
)
def test_every_target_has_its_own_form(target: str, total: int, first: str) -> None:
    request = replace(PIER, target_model=target, total_seconds=total)
    script = read_script(read_tasks(request, TARGETS)[0])
    drafts = [ShotDraft(one["text"], "static", 4) for one in GOOD]
    made = ShotMaker(RewriteValidator([])).of_drafts(script, drafts)

    _, whole = storyboard_of(script, made)

    assert whole.startswith(first)


BAD: dict[str, tuple[list[Any], str]] = {
    "two moves": ([WALK | {"camera": "pan right, then orbit"}, *GOOD[1:]], ""),
    "moves in the text": (
        [WALK | {"text": WALK["text"] + " The camera tilts up and zooms out."}, *GOOD[1:]],
        "camera_reduced",
    ),
    "a paraphrase": (
        [
            WALK | {"text": "Mara, an old woman in a yellow coat, walks along the pier at dawn."},
            *GOOD[1:],
        ],
        "cast_replaced",
    ),
    "a pronoun": ([WALK, {"text": "She stops and looks at a red boat."}, *GOOD[2:]], "cast_named"),
    "wrong sums": ([one | {"seconds": 9} for one in GOOD], "seconds_fitted"),
    "no lengths of the target": ([one | {"seconds": 1.5} for one in GOOD], "seconds_fitted"),
    "too many shots": ([*GOOD, *[{"text": "The pier at dawn."}] * 8], "shots_joined"),
}


@each("name", list(BAD))
def test_small_damage_is_repaired_without_another_call(name: str) -> None:
    shots, repair = BAD[name]
    with ScriptedUpstream() as upstream:
        upstream.script(answer(shots))
        sink = ListSink()
        answered = optimizer_of(upstream, sink).optimize(PIER, CALLER).answer

    board = board_of(answered, PIER)
    done = {*board.repaired, *(step for shot in board.shots for step in shot.repaired)}
    assert not repair or repair in done
    assert "own_words" not in done
    assert list(answered.warnings) == []


def test_a_shot_that_is_lost_gets_the_words_of_the_script(
    upstream: ScriptedUpstream, optimizer: PromptOptimizer
) -> None:
    wrong = [WALK, GOOD[1], CALL | {"text": "Tom stands in the boat and calls."}, LIGHT]
    upstream.script(answer(wrong), answer(wrong))

    answered = optimizer.optimize(PIER, CALLER).answer

    board = board_of(answered, PIER)
    assert 'calls "Wait for me!" from the boat' in board.shots[2].prompt
    assert "own_words" in board.shots[2].repaired
    assert list(answered.warnings) == [
        "The script's own words stand in shot 3: nothing that the model wrote for it was usable."
    ]
    told = json.loads(upstream.requests[1].json["messages"][-1]["content"])
    assert told["wrong_with_your_text"][0].startswith("Shot 3: ")


def test_a_corrected_plan_counts(upstream: ScriptedUpstream, optimizer: PromptOptimizer) -> None:
    upstream.script(replies.completion("What a lovely script!"), answer(GOOD))

    answered = optimizer.optimize(PIER, CALLER).answer

    assert not board_of(answered, PIER).is_fallback
    assert list(answered.warnings) == []


@each(
    "text",
    ["A fine film!", "{}", '{"shots": "none"}', '{"shots": [{"text": "I am sorry, I cannot."}]}'],
)
def test_without_a_usable_plan_code_makes_the_shots_and_says_so(text: str) -> None:
    with ScriptedUpstream() as upstream:
        upstream.script(*[replies.completion(text)] * 2)
        answered = optimizer_of(upstream, ListSink()).optimize(PIER, CALLER).answer

    board = board_of(answered, PIER)
    assert board.is_fallback
    assert [shot.camera for shot in board.shots] == ["static", "static", "pan left"]
    assert answered.warnings[0].startswith("The shots have the script's own words. ")
    assert answered.rewrite_id is None


def test_on_failure_error_wants_no_shots_of_code(
    upstream: ScriptedUpstream, optimizer: PromptOptimizer
) -> None:
    upstream.script(*[replies.completion("A fine film!")] * 2)

    with pytest.raises(ApiError) as caught:
        optimizer.optimize(replace(PIER, on_failure="error"), CALLER)

    assert caught.value.reason == "optimizer_bad_output"


def test_a_plan_in_another_language_is_not_taken(
    upstream: ScriptedUpstream, optimizer: PromptOptimizer
) -> None:
    german = [{"text": "Mara geht im Morgengrauen über den langen Steg und schaut."}] * 3
    upstream.script(answer(german), answer(german))

    board = board_of(optimizer.optimize(PIER, CALLER).answer, PIER)

    assert all("geht" not in shot.prompt for shot in board.shots)


def test_long_descriptions_do_not_hide_another_language(
    upstream: ScriptedUpstream, optimizer: PromptOptimizer
) -> None:
    look = "an old sailor with a white beard, a blue coat, and a pipe that he never puts down"
    request = replace(PIER, prompt="Mara waits.", cast=(CastMember("Mara", look),), shots=1)
    german = [
        {
            "text": "Mara wartet schon lange auf der alten Brücke und friert dabei sehr.",
            "seconds": 15,
        }
    ]
    upstream.script(answer(german), answer(german))

    board = board_of(optimizer.optimize(request, CALLER).answer, request)

    assert board.shots[0].prompt == f"Mara ({look}) waits. Static camera."


def test_chinese_scripts_become_chinese_shots(
    upstream: ScriptedUpstream, optimizer: PromptOptimizer
) -> None:
    upstream.script(
        answer(
            [
                {
                    "text": "小明推开旧木门，走进昏暗的厨房，晨光从门缝照入。",
                    "camera": "跟拍",
                    "seconds": 5,
                },
                {
                    "text": "他看到桌上有三个红苹果，伸手拿起一个。",
                    "camera": "推近，然后环绕",
                    "seconds": 5,
                },
                {"text": "奶奶坐在桌旁，笑着说：“慢点吃。”镜头推近奶奶的脸。", "seconds": 5},
            ]
        )
    )

    answered = optimizer.optimize(KITCHEN, CALLER).answer

    board = board_of(answered, KITCHEN)
    assert [shot.camera for shot in board.shots] == ["track", "zoom in", "zoom in"]
    assert board.shots[1].prompt == (
        "小明（十岁男孩，短发，穿蓝色校服）看到桌上有三个红苹果，伸手拿起一个。镜头推近。"
    )
    assert answered.optimized_prompt.startswith("【镜头1】0-5秒：小明（")
    assert list(answered.warnings) == []


def test_a_script_in_another_language_gets_shots_in_it(
    upstream: ScriptedUpstream, optimizer: PromptOptimizer
) -> None:
    request = replace(
        PIER,
        prompt="Mara camina por el muelle al amanecer. Tom grita «¡Espérame!» desde la barca roja.",
        target_model="generic",
        language="es",
    )
    upstream.script(
        answer(
            [
                {"text": "Mara camina despacio por el muelle al amanecer.", "camera": "track"},
                {"text": "Tom grita «¡Espérame!» desde la barca roja.", "camera": "static"},
            ]
        )
    )

    answered = optimizer.optimize(request, CALLER).answer

    assert answered.storyboard is not None
    assert [shot.cast for shot in answered.storyboard.shots] == [["Mara"], ["Tom"]]
    assert "«¡Espérame!»" in answered.storyboard.shots[1].prompt
    assert not answered.storyboard.is_fallback


def test_who_is_never_named_is_told(upstream: ScriptedUpstream, optimizer: PromptOptimizer) -> None:
    upstream.script(answer(GOOD))
    request = replace(PIER, cast=(*PIER.cast, CastMember("Otto", "a brown dog")))

    answered = optimizer.optimize(request, CALLER).answer

    assert list(answered.warnings) == [
        "The script never names “Otto”: no shot has the description."
    ]


def test_flags_that_say_how_long_a_film_is_are_left_out(
    upstream: ScriptedUpstream, optimizer: PromptOptimizer
) -> None:
    upstream.script(answer([{"text": "A fox runs through deep snow. --duration 30"}]))
    request = PromptRequest(
        "A fox runs through the snow. --duration 10 --ratio 16:9",
        "storyboard",
        cast=(CastMember("fox", "red fur --fps 60"),),
        target_model="seedance",
        total_seconds=8,
    )

    answered = optimizer.optimize(request, CALLER).answer

    assert answered.optimized_prompt == (
        "A fox (red fur) runs through deep snow. Static camera. --ratio 16:9"
    )
    assert list(answered.warnings) == [
        'Left out, for each shot is a film with seconds of its own: "--duration 10", "--fps 60".'
    ]


def test_an_exclusion_holds_for_every_shot(
    upstream: ScriptedUpstream, optimizer: PromptOptimizer
) -> None:
    request = replace(PIER, prompt=f"{PIER.prompt} No seagulls.", include_negative_prompt=True)
    wrong = [WALK | {"text": "Mara walks along the pier at dawn under white seagulls."}, *GOOD[1:]]
    upstream.script(answer(wrong), answer(wrong))

    answered = optimizer.optimize(request, CALLER).answer

    board = board_of(answered, request)
    assert "seagulls" not in board.shots[0].prompt
    assert (
        {shot.negative_prompt for shot in board.shots} == {answered.negative_prompt} == {"seagulls"}
    )


def test_a_small_model_chooses_a_framing_and_a_move_for_each_shot(
    upstream: ScriptedUpstream, sink: ListSink
) -> None:
    chosen = {
        "shot_1": "Mara walks along the pier at dawn, wide shot, slow pan across the scene",
    }
    upstream.script(replies.completion(json.dumps(chosen)))

    answered = optimizer_of(upstream, sink, is_guided=True).optimize(PIER, CALLER).answer

    schema = upstream.requests[0].json["response_format"]["json_schema"]["schema"]
    assert list(schema["properties"]) == ["shot_1", "shot_2", "shot_3"]
    assert board_of(answered, PIER).is_fallback  # it left two of them out


def test_the_bundled_model_really_makes_a_storyboard(sink: ListSink) -> None:
    with running_model() as model:
        client = client_of(model.url, MODEL, BUNDLED_MODEL, model.key)
        catalogue = catalogue_of(client, is_guided=True)
        real = PromptOptimizer(catalogue, UsageLedger(sink), TARGETS, is_enabled=True)
        answered = real.optimize(replace(PIER, include_details=True), CALLER).answer

    board = board_of(answered, PIER)
    assert (board.is_fallback, list(answered.warnings)) == (False, [])
    assert answered.details is not None
    assert answered.details["method"] == "guided"
    assert "Added technical parameters" in answered.improvements


WORDS = st.text(
    "ab. ,;：。“”\"'()（）镜头推近左摇固定小明他she zoomcamerapanleft\n0-9", max_size=120
)


@given(script=WORDS, texts=st.lists(WORDS, max_size=6), data=st.data())
def test_whatever_is_written_the_storyboard_is_right(
    script: str, texts: list[str], data: st.DataObject
) -> None:
    target = data.draw(st.sampled_from(["kling", "veo", "generic", "seedance"]))
    total = data.draw(st.sampled_from([8, 12, 40]))
    cast = (CastMember("小明", "she pans left, 镜头"), CastMember("zoom", "固定（镜头）"))
    request = PromptRequest(f"x {script}", "storyboard", cast=cast, target_model=target)
    task = read_tasks(replace(request, total_seconds=total), TARGETS)[0]
    plan = read_script(task)
    drafts = (
        fitted_to([ShotDraft(one) for one in texts if one.strip()], plan.counts) if texts else []
    )

    for made in (
        ShotMaker(RewriteValidator([])).of_drafts(plan, drafts) if drafts else [],
        script_shots(plan),
    ):
        if made:
            board, _ = storyboard_of(plan, made)
            assert sum(shot.seconds for shot in board.shots) == total
            assert {shot.seconds for shot in board.shots} <= set(plan.allowed)
            assert all(map(is_true_to, made)), [shot.text for shot in made]


def test_a_plan_costs_what_it_takes(
    upstream: ScriptedUpstream, optimizer: PromptOptimizer, sink: ListSink
) -> None:
    upstream.script(replies.completion("A fine film!"), answer(GOOD))

    optimizer.optimize(PIER, CALLER)

    assert [row.attempts for row in sink.ended] == [2]
