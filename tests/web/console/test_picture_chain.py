"""The steps of a chain, and what is sent of its form, without a browser."""

from typing import Any

from tests.support.tables import each
from tests.web.console.scripts import called

FORM = {
    "prompt": "A cat",
    "model": "layout-sketch",
    "optimizes": True,
    "judges": True,
    "style": "",
    "tries": "1",
    "n": "1",
    "ratio": "",
    "seed": "",
    "negative": "",
    "checkpoints": "",
}
JUDGED = {"optimize_prompt": True, "judge": True}


def one_try(prompt: str, *, pictures: int = 0) -> dict[str, Any]:
    """Return the first try of a task."""
    return {"number": 1, "prompt": prompt, "pictures": [{}] * pictures}


def task(status: str, *tries: dict[str, Any]) -> dict[str, Any]:
    """Return a task."""
    return {"status": status, "tries": list(tries)}


@each(
    ("order", "state", "steps"),
    [
        (JUDGED, None, {"rewrite": "working", "pictures": "waiting", "verdict": "waiting"}),
        (
            JUDGED,
            task("running"),
            {"rewrite": "working", "pictures": "waiting", "verdict": "waiting"},
        ),
        (
            JUDGED,
            task("running", one_try("A cat")),
            {"rewrite": "working", "pictures": "waiting", "verdict": "waiting"},
        ),
        (
            JUDGED,
            task("running", one_try("A cat at dawn")),
            {"rewrite": "done", "pictures": "working", "verdict": "waiting"},
        ),
        (
            JUDGED,
            task("running", one_try("A cat at dawn", pictures=1)),
            {"rewrite": "done", "pictures": "done", "verdict": "working"},
        ),
        (JUDGED, task("completed"), {"rewrite": "done", "pictures": "done", "verdict": "done"}),
        (
            JUDGED,
            task("failed", one_try("A cat at dawn")),
            {"rewrite": "done", "pictures": "failed", "verdict": "waiting"},
        ),
        ({}, task("queued"), {"pictures": "working"}),
        ({}, task("cancelled"), {"pictures": "failed"}),
    ],
)
def test_the_steps_of_a_chain_follow_its_task(
    order: dict[str, Any], state: dict[str, Any] | None, steps: dict[str, str]
) -> None:
    (found,) = called("picture_chain.js", "stepsOf", [order, state, {"1": "A cat"}])

    assert {one["name"]: one["state"] for one in found} == steps


@each(
    ("form", "order"),
    [
        ({}, {"optimize_prompt": True, "judge": True}),
        ({"optimizes": False, "judges": False, "tries": "3"}, {}),
        (
            {"tries": "3", "checkpoints": " a cat \n\n", "style": " ink "},
            {
                "optimize_prompt": True,
                "optimize_options": {"style": "ink"},
                "judge": {"checkpoints": ["a cat"]},
                "until": {"accept": "passed", "max_tries": 3},
            },
        ),
        (
            {"optimizes": False, "judges": False, "n": "2", "ratio": "4:3", "seed": "0"},
            {"n": 2, "aspect_ratio": "4:3", "size_policy": "nearest", "seed": 0},
        ),
    ],
)
def test_a_form_becomes_a_request_with_what_was_filled_in(
    form: dict[str, Any], order: dict[str, Any]
) -> None:
    (found,) = called("picture_chain.js", "orderOf", [FORM | form])

    assert found == {"prompt": "A cat", "model": "layout-sketch", "wait_ms": 0, **order}
