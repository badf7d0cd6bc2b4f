"""What an operator reads of an upstream's error: its sentence, without keys, ids and prompts."""

from llm_api.upstream.vendors.error_body import VendorError
from llm_api.upstream.vendors.operator_words import MAX_SAID, operator_words
from tests.support.tables import each

PROMPT = "Paint a red cat that sleeps on the old sofa, 一只红色的猫睡在旧沙发上面"
REQUEST = {"model": "m", "messages": [{"role": "user", "content": PROMPT}]}


def said(sentence: str, *secrets: str) -> str:
    """Return what is kept of a sentence about the request above."""
    return operator_words(VendorError((), (sentence,)), secrets, REQUEST)


@each(
    ("sentence", "kept"),
    [
        ("Access denied, please check your account is in good standing.", None),
        ("The organization has no billing set up.", None),
        ("账户已欠费,请充值", None),
        ("temperature must be at most 2", None),
        ("Incorrect API key provided: abc-def.", "Incorrect API key provided: […]"),
        ("invalid token=abc", "invalid token=[…]"),
        ("No such key sk-abcdefghijklmnop", "No such key […]"),
        ("No project proj_8fa7d9 at https://a.example/v1", "No project […] at […]"),
        ("The prompt 'a red cat' is not allowed", "The prompt … is not allowed"),
        ("Rejected: Paint a red cat that sleeps on it", "Rejected: it"),
        ("输入 一只红色的猫睡在旧沙发上面 违规", "输入 违规"),
    ],
)  # fmt: skip
def test_the_sentence_stays_and_the_rest_goes(sentence: str, kept: str | None) -> None:
    assert said(sentence) == (kept or sentence)


def test_a_key_that_looks_like_a_word_is_known() -> None:
    assert "mykey" not in said("I do not know mykey here", "mykey")


def test_it_is_short() -> None:
    assert len(said("word " * 500)) <= MAX_SAID


def test_of_a_request_too_large_to_look_through_nothing_is_kept() -> None:
    large = {"messages": [{"content": "x" * 300_000}]}

    assert operator_words(VendorError((), ("must be shorter",)), (), large) == ""


def test_no_word_of_a_prompt_of_a_word_or_two_is_kept() -> None:
    request = {
        "model": "m",
        "messages": [{"role": "user", "content": [{"text": "Divorce Berlin"}]}],
    }
    sentence = VendorError((), ("the prompt was: divorce, in berlin",))

    assert operator_words(sentence, (), request) == "the prompt was: in"
