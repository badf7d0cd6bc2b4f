"""What a chat was refused for is told by the fields that its caller has sent."""

from collections.abc import Callable
from functools import partial

from llm_api.errors import InvalidRequest
from llm_api.services.field_names import of_picture, of_prompt
from llm_api.services.judge.asking import of_judged
from tests.support.tables import each

TOO_LARGE = InvalidRequest.of_field("messages", "must be smaller.", reason="upstream_rejected")
TOO_LONG = InvalidRequest.of_field("messages", "must be shorter.", reason="context_length_exceeded")
NOT_FETCHED = InvalidRequest.of_field(
    "messages[0].content[1]", "must name pictures.", reason="image_fetch_failed"
)
BLIND = InvalidRequest.of_field("messages", "must be text.", reason="not_supported")
OF_ANOTHER = InvalidRequest.of_field("seed", "must be left out.", reason="not_supported")
OF_NONE = InvalidRequest("The filter refused the request.", reason="content_filtered")

of_pairs = partial(of_judged, pictures="images")
Case = tuple[Callable[[InvalidRequest], InvalidRequest], InvalidRequest, str | None, str]
CASES: dict[str, Case] = {
    "a long prompt": (of_prompt, TOO_LONG, "prompt", "prompt: must be shorter."),
    "another field": (of_prompt, OF_ANOTHER, "seed", "seed: must be left out."),
    "no field": (of_prompt, OF_NONE, None, "The filter refused the request."),
    "a long prompt of a judge": (of_judged, TOO_LONG, "prompt", "prompt: must be shorter."),
    "many bytes of a judge": (of_judged, TOO_LARGE, "image", "image: must be smaller."),
    "many bytes of pairs": (of_pairs, TOO_LARGE, "images", "images: must be smaller."),
    "a judged link": (of_judged, NOT_FETCHED, "image", "image: must name pictures."),
    "a described link": (of_picture, NOT_FETCHED, "image", "image: must name pictures."),
    "a large picture": (
        of_picture,
        TOO_LONG,
        "image",
        "image: must be smaller: it takes more of the model's context than there is.",
    ),
}


@each("case", CASES.values())
def test_an_error_names_what_the_caller_has_sent(case: Case) -> None:
    own, error, field, message = case

    told = own(error)

    assert (told.reason, told.message) == (error.reason, message)
    assert [one.field for one in told.fields] == ([field] if field else [])


def test_a_judge_that_sees_nothing_is_the_wrong_model() -> None:
    assert [one.field for one in of_judged(BLIND).fields] == ["model"]
