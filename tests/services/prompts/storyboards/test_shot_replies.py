"""The shots of a reply are found, whatever shape a model gives them."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from llm_api.services.prompts.storyboards.shot_replies import ShotDraft, fitted_to, read_shots
from tests.services.prompts.asking import completion_of
from tests.support.tables import each

ONE, TWO = {"text": "A fox runs.", "camera": "static", "seconds": 4}, {"text": "It stops."}
JSON_SHAPES: list[Any] = [
    {"shots": [ONE, TWO]},
    [ONE, TWO],
    {"storyboard": {"shots": [ONE, TWO]}},
    {"shot_1": ONE, "shot_2": TWO},
    {"film": [ONE, TWO]},
    {"shots": {"1": ONE, "2": TWO}},
]


def shots(text: str, finish_reason: str = "stop") -> list[ShotDraft]:
    """Read the shots of a reply."""
    return list(read_shots(completion_of(text, finish_reason)))


@each("document", JSON_SHAPES)
def test_shots_are_found_in_json_of_any_shape(document: Any) -> None:
    assert shots(json.dumps(document)) == [
        ShotDraft("A fox runs.", "static", 4.0),
        ShotDraft("It stops."),
    ]


BARE = json.dumps({"shots": [ONE, TWO]})


@each(
    "text",
    [
        f"<think>Shot 1: no. {{}}</think>\n{BARE}",
        f"Here are the shots:\n```json\n{BARE}\n```\nEnjoy!",
        BARE.removesuffix("}"),
        BARE.replace('"', "'").replace("'text'", '"text"'),
        "Shot 1 (0-4s): A fox runs.\nCamera: static\n\nShot 2: It stops.",
        "**Shot 1** (4 s):\nA fox runs. Camera: static\n**Shot 2**:\nIt stops.",
    ],
)
def test_shots_are_found_whatever_stands_around_them(text: str) -> None:
    found = shots(text)

    assert [one.text for one in found] == ["A fox runs.", "It stops."]
    assert found[0].camera == "static"


@each(
    ("entry", "draft"),
    [
        (
            {"description": "[00:00-00:04] A fox runs.", "duration": "4s", "characters": "Mara"},
            ShotDraft("A fox runs.", "", 4.0, ("Mara",)),
        ),
        (
            {"scene": 1, "prompt": "Shot 1: A fox runs.", "movement": "pan left", "cast": ["Mara"]},
            ShotDraft("A fox runs.", "pan left", 0.0, ("Mara",)),
        ),
        ({"画面": "狐狸奔跑。", "运镜": "推近", "时长": 5}, ShotDraft("狐狸奔跑。", "推近", 5.0)),
        ({"text": "A **fox** runs. --duration 9", "seconds": True}, ShotDraft("A fox runs.")),
        ({"text": "A fox runs.", "seconds": -3, "camera": ["pan"]}, ShotDraft("A fox runs.")),
        ("A fox runs.", ShotDraft("A fox runs.")),
    ],
)
def test_fields_are_known_by_several_names(entry: Any, draft: ShotDraft) -> None:
    assert shots(json.dumps({"shots": [entry]}, ensure_ascii=False)) == [draft]


@each(
    ("text", "finish_reason"),
    [
        ("", "stop"),
        ("OK", "stop"),
        ("{}", "stop"),
        ('{"shots": []}', "stop"),
        ('{"shots": [{"text": ""}, 3, null]}', "stop"),
        ("I cannot help with that.", "stop"),
        (json.dumps({"shots": [ONE] * 61}), "stop"),
        (BARE, "length"),
        ("{" * 2_000, "stop"),
    ],
)
def test_what_has_no_shots_has_none(text: str, finish_reason: str) -> None:
    assert shots(text, finish_reason) == []


@given(st.text(max_size=300))
def test_any_reply_is_read(text: str) -> None:
    assert all(isinstance(one, ShotDraft) for one in shots(text))


def draft(text: str, camera: str = "", seconds: float = 0.0) -> ShotDraft:
    return ShotDraft(text, camera, seconds)


def test_too_many_shots_become_fewer_and_keep_all_words() -> None:
    found = fitted_to(
        [
            draft("A long text of a shot.", "pan left", 5),
            draft("B.", "", 2),
            draft("C.", "tilt up", 3),
        ],
        [2],
    )

    assert list(found) == [
        draft("A long text of a shot.", "pan left", 5),
        draft("B. C.", "tilt up", 5),
    ]


def test_too_few_shots_become_more_where_one_can_be_divided() -> None:
    long = draft("The fox runs over the hill, then it hides under a root.", "track", 8)

    assert list(fitted_to([long], [2])) == [
        draft("The fox runs over the hill", "track", 4),
        draft("It hides under a root.", "", 4),
    ]
    assert list(fitted_to([draft("A fox.")], [2])) == []


def test_a_number_of_shots_that_can_add_up_stays() -> None:
    three = [draft("A fox."), draft("A hare."), draft("An owl.")]

    assert list(fitted_to(three, [1, 3, 5])) == three
