"""Of what an upstream says, a caller reads what helps, and nothing that is the operator's."""

import re
import string

from hypothesis import example, given
from hypothesis import strategies as st

from llm_api.upstream.vendors.redaction import redacted
from tests.support.tables import each

MAX_CHARS = 300

HARMLESS = [
    "Unknown parameter: 'foo'.",
    "Invalid type for 'temperature': expected a decimal, but got a string instead.",
    "Invalid value: 'x'. Supported values are: 'system', 'assistant', 'user' and 'tool'.",
    "max_tokens is too large: 100000. This model supports at most 16384 completion tokens.",
    "Range of max_tokens should be [1, 8192]",
    "Temperature should be in (0.0, 2.0)",
    "messages[3].content[0].image_url must not be empty",
    "An assistant message with 'tool_calls' must be followed by tool messages.",
    "Required body invalid, please check the request body format.",
    "'messages' must contain the word 'json' in some form, to use 'response_format'.",
    "The parameter `stop` specified in the request is not valid.",
    "1 validation error for ChatCompletionRequest: messages: Field required",
    "top_p must be in (0, 1], got -0.5.",
    "n=3 is not supported; use text|json_object for response_format.type",
    "Can't use both; don't send stop",
    "at most 1,000,000 tokens",
    "temperature 的取值必须小于 2",
    "参数错误: messages 不能为空",
]
CHINESE = [
    "参数错误，请检查 temperature。",
    "messages 参数非法。请检查文档。",
    "temperature 的取值超出范围，应在（0，2）之间。",
    "输入的最后一条消息的角色必须是用户，不能是助手或者系统；请检查消息列表中每一条消息的角色是否正确。",
    "不支持的参数：“logprobs”、“top_logprobs”！",
]
DELICATE = [
    "Your account has insufficient balance.",
    "Organization org does not exist.",
    "The endpoint was closed by its owner.",
    "This project has been archived.",
    "The workspace has no such model.",
    "The deployment for this resource does not exist.",
    "Incorrect API key provided.",
    "Incorrect api_key provided.",
    "您的账户余额不足",
    "账号已欠费",
    "密钥无效",
]
HOSTS = [
    "model-backend.internal",
    "llm.corp.example.com",
    "node-a.cluster.local:5432",
    "www.example.com",
    "redis.default.svc",
]
LETTERS_ONLY = ["sk-abcdefghijklmnopqrst", "sk_live_abcdefghijklmnop", "AKIAABCDEFGHIJKLMNOP"]
POISON = {
    "key": "sk-4f0c2e9b7a6d4c1e8b3a5d7f9e1c2b4a",
    "project key": "sk-proj-Ab3_x9-Yz0Qq",
    "uuid": "0f8fad5b-d9cb-469f-a165-70867728950e",
    "hex": "9e107d9d372bb6826bd81d3542a419d6",
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiJ9.dBjftJeZ4CVPmB92K27uhbUJU1p1r",
    "aws id": "AKIAIOSFODNN7EXAMPLE",
    "aws secret": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "aliyun id": "LTAI5tQ7k9mN2pR4sT6vW8xY",
    "account number": "2100000042",
    "long number": "1234567890123456",
    "endpoint": "ep-20251015123456-abcde",
    "e-mail": "someone@example.com",
    "url": "https://internal.example.com/v1/models?key=hunter2",
    "other url": "redis://:hunter2@cache/0",
    "ip": "10.12.34.56",
    "ip and port": "10.12.34.56:8080",
    "ipv6": "2001:db8:85a3::8a2e:370:7334",
    "path": "/home/someone/models/private.gguf",
    "short path": "/etc/passwd",
    "windows path": r"C:\Users\someone\private.gguf",
    "home": "~/private",
    "request id": "req_011CPxyz42",
    "phone": "+8613800138000",
}


def places(secret: str) -> list[str]:
    """Write a secret into texts as vendors do."""
    return [
        f"The value {secret} is wrong",
        f"Value '{secret}' is wrong.",
        f"Wrong ({secret}), try again",
        f"Not for id={secret}, or id:{secret}!",
        f"参数{secret}错误",
        f"{secret}",
    ]


def leaked(secret: str, said: str) -> list[str]:
    """Find what is said of a secret: pieces that are long enough to be of use."""
    pieces = [secret, *re.findall(r"[^\W_]{5,}", secret)]
    return [piece for piece in pieces if piece in said]


@each("text", HARMLESS)
def test_a_harmless_text_passes(text: str) -> None:
    assert redacted(text) == text


@each("text", CHINESE)
def test_a_harmless_chinese_text_passes(text: str) -> None:
    assert redacted(text) == text


@each("text", DELICATE)
def test_a_text_about_what_is_the_operators_does_not_pass_at_all(text: str) -> None:
    assert redacted(text) == ""
    assert redacted(text.upper()) == ""


@each("secret", POISON.values())
def test_what_looks_like_no_word_is_cut_out(secret: str) -> None:
    for text in places(secret):
        assert not leaked(secret, redacted(text))


@each("host", HOSTS)
def test_the_name_of_a_host_is_cut_out(host: str) -> None:
    for text in places(host):
        assert not leaked(host, redacted(text))


@each("secret", LETTERS_ONLY)
def test_a_key_is_cut_out_also_where_it_has_no_digit(secret: str) -> None:
    for text in places(secret):
        assert not leaked(secret, redacted(text.replace("参数", "")))


def test_the_words_around_a_secret_stay() -> None:
    text = "The value '0f8fad5b-d9cb' of messages[0].name is wrong; use 1 to 8."

    assert redacted(text) == "The value […] of messages[0].name is wrong; use 1 to 8."


def test_the_name_of_a_vendors_error_does_not_hide_its_words() -> None:
    text = "<400> InternalError.Algo.InvalidParameter: Range of max_tokens should be [1, 8192]"

    assert redacted(text).endswith(" Range of max_tokens should be [1, 8192]")


def test_neighbours_that_are_cut_out_leave_one_mark() -> None:
    assert redacted("Use a1 b2 c3 or not") == "Use […] or not"


@each("text", ["", " \n\t ", "a1", "sk-1 sk-2", "42", "... 42 ???", "{}"])
def test_a_text_without_a_word_is_nothing(text: str) -> None:
    assert redacted(text) == ""


def test_lines_become_one() -> None:
    assert redacted(" first\r\n\tsecond\u2028third\x85fourth ") == "first second third fourth"


@each("sign", ["\x1b[31m", "\x00", "\u200b", "\u202e", "\ufeff", "\x7f"])
def test_a_text_with_signs_that_nobody_sees_does_not_pass(sign: str) -> None:
    said = redacted(f"The wrong {sign}value is here")

    assert sign not in said
    assert "value" not in said


@each("length", [299, 300, 301, 5_000])
def test_a_long_text_is_cut(length: int) -> None:
    said = redacted(("word " * length)[:length])

    assert len(said) <= MAX_CHARS
    assert said.startswith("word word")
    assert said.endswith("…") == (length > MAX_CHARS)


def test_a_text_of_megabytes_is_not_judged_word_by_word() -> None:
    said = redacted("ab " * 3_000_000)

    assert 0 < len(said) <= MAX_CHARS


def test_a_secret_on_the_edge_of_the_bound_is_not_half_shown() -> None:
    secret = POISON["key"]
    for padding in range(250, 310):
        assert not leaked(secret, redacted("w " * (padding // 2) + secret))


DIGIT = re.compile(r"\d")
ALPHANUMERIC = string.ascii_letters + string.digits


def word(alphabet: str, low: int, high: int | None = None) -> st.SearchStrategy[str]:
    """Make up a word with a digit."""
    words = st.text(alphabet, min_size=low, max_size=high or low)
    return words.filter(lambda text: DIGIT.search(text) is not None)


SECRETS = st.one_of(
    word(ALPHANUMERIC, 20, 48).map(lambda text: f"sk-{text}"),
    word(ALPHANUMERIC + "-_", 20, 60).map(lambda text: f"sk-proj-{text}"),
    st.uuids().map(str),
    st.sampled_from([32, 40, 64]).flatmap(lambda size: word("0123456789abcdef", size)),
    st.lists(word(ALPHANUMERIC + "-_", 10, 40), min_size=3, max_size=3).map(
        lambda parts: "eyJ" + ".eyJ".join(parts)
    ),
    word(string.ascii_uppercase + "234567", 16).map(lambda text: f"AKIA{text}"),
    word(ALPHANUMERIC + "+/=", 40),
    word(string.digits, 8, 20),
    st.tuples(word(string.digits, 14), st.text(string.ascii_lowercase, min_size=5, max_size=5)).map(
        lambda parts: "ep-" + "-".join(parts)
    ),
    st.emails(),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6, network="2001:db8::/32").map(str),
    st.lists(st.text(ALPHANUMERIC + "._-", min_size=5), min_size=2, max_size=5).map(
        lambda parts: "/" + "/".join(parts)
    ),
)
AROUND = st.sampled_from(["{}", " {} ", "'{}'", "({})", "`{}`,", " id={} ", " id:{}.", "“{}”"])


@given(
    text=st.sampled_from(HARMLESS),
    secret=SECRETS,
    around=AROUND,
    share=st.floats(0, 1),
)
@example(text="n=3 is not supported", secret="/root1/cache", around="{}", share=0.0)
def test_a_secret_never_survives_in_a_harmless_text(
    text: str, secret: str, around: str, share: float
) -> None:
    place = round(len(text) * share)

    said = redacted(text[:place] + around.format(secret) + text[place:])

    assert [piece for piece in leaked(secret, said) if piece not in text] == []


@given(st.text(max_size=1_500) | st.lists(st.sampled_from([*HARMLESS, *POISON.values()])).map(str))
def test_whatever_is_said_is_short_and_on_one_line_and_adds_no_word(text: str) -> None:
    said = redacted(text)

    assert len(said) <= MAX_CHARS
    assert said.isprintable()
    assert said.strip() == said
    assert said == "" or re.search(r"[^\W\d]", said)
    words = said.removesuffix("…").split(" ")
    own = {"[…]", "[", *text.split()}
    assert set(words[:-1]) <= own
    assert any(one.startswith(words[-1]) for one in own)
