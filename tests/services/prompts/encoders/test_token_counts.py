"""Tokens are counted as the encoders themselves count, and estimated rather too high."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_api.services.prompts.encoders import clip_tokens, t5_tokens
from llm_api.services.prompts.encoders.token_counts import count_tokens, unread_words

# For CLIP, T5 and Qwen, by the package tokenizers 0.23.3 with their own files: CLIP's marks at the
# start and the end are counted, and T5's at the end.
COUNTS = {
    "a cat": (4, 4, 2),
    "A cat sitting on a chair, watercolor style": (11, 11, 10),
    "(word:1.2)": (9, 6, 6),
    "<lora:x:1>": (10, 10, 6),
    "1920x1080": (11, 5, 9),
    "((soft light)), 4k++": (10, 10, 8),
    "don’t stop, it's 5 o'clock, I'll wait": (18, 19, 14),
    "“OPEN 24 HOURS” in neon": (12, 11, 10),
    "一辆红色自行车靠在白墙上": (35, 3, 7),
    "穿着汉服的女孩，站在桥上，晨光": (40, 7, 11),
    "\uff2f\uff30\uff25\uff2e\u3000\uff12\uff14": (20, 4, 7),
    "café naïve ñandú → ×": (11, 15, 10),
    "½ cup, Ⅷ, ①②, m²": (18, 12, 15),
    "Кошка сидит на стуле": (22, 16, 10),
    "猫がソファに座っている": (22, 3, 7),
    "고양이가 의자에 앉아 있다": (23, 9, 11),
    "قطة على كرسي": (13, 7, 6),
    "एक बिल्ली": (11, 5, 9),
    "ผู้หญิงยืน": (15, 3, 6),
    "Một con mèo ngồi": (16, 13, 7),
    "\U0001f469\u200d\U0001f680 on the moon \U0001f44d\U0001f3fd": (8, 10, 10),
    "_snake_case_ __hair/color__ {2$$a|b}": (19, 27, 15),
    "Žluťoučký kůň": (17, 13, 10),
    "1,234.56 $99 50% #tag @me": (20, 12, 19),
    "supercalifragilisticexpialidocious": (11, 12, 11),
    "a" * 300: (40, 302, 38),
    "masterpiece, best quality, ultra-detailed, 8k, (blue eyes:1.4), cinematic lighting": (
        24,
        25,
        24,
    ),
    "line one\nline two\ttab  two spaces": (9, 8, 9),
    "BREAK AND NOT": (5, 6, 3),
    "a photo of a café in Zürich, f/1.8, 85mm, ISO 100": (26, 21, 26),
}


def test_tokens_are_counted_as_the_encoder_does() -> None:
    encoders = ("clip", "t5", "qwen")
    found = {
        text: tuple(count_tokens(text, encoder).count for encoder in encoders) for text in COUNTS
    }

    assert found == COUNTS
    assert all(count_tokens("a cat", encoder).is_exact for encoder in encoders)


def test_an_estimate_is_not_too_low_and_says_that_it_is_one() -> None:
    # Against Qwen: CLIP spells what is not Latin. A run of 300 letters is no word.
    texts = [text for text in COUNTS if text != "a" * 300]

    too_low = [text for text in texts if count_tokens(text, None).count < COUNTS[text][2]]

    assert too_low == []
    assert not count_tokens("a cat", None).is_exact


@given(st.text(max_size=80))
def test_any_text_is_counted(text: str) -> None:
    counts = [count_tokens(text, encoder).count for encoder in ("clip", "t5", "qwen", None)]

    assert all(count >= 0 for count in counts)


def test_long_words_cost_no_more_than_short_ones() -> None:
    counts = [count_tokens("ab" * 2_000, encoder).count for encoder in ("clip", "t5", "qwen")]

    assert min(counts) > 1_000


UNREAD = [
    ("t5", "a sign that says 开业 and café", ("开业",)),
    ("t5", "a naïve piñata, soft light", ("naïve", "piñata")),
    ("t5", "ＯＰＥＮ under a tree", ()),
    ("clip", "a sign that says 开业 and café", ("开业",)),
    ("clip", "кошка на стуле", ("кошка", "на", "стуле")),
    ("clip", "a naïve piñata 🎉", ()),
    ("qwen", "一只猫", ()),
    (None, "一只猫", ()),
]


def test_words_that_an_encoder_cannot_read_are_found() -> None:
    found = [(encoder, text, unread_words(text, encoder)) for encoder, text, _ in UNREAD]

    assert found == UNREAD


@pytest.mark.more
def test_what_is_known_to_be_one_token_is_one_when_it_is_counted_out() -> None:
    pieces = [piece[1:] for piece in t5_tokens._pieces().scores if piece[:1] == "▁" != piece]
    merged = [pair.replace(" ", "") for pair in clip_tokens._ranks()]
    words = [word.removesuffix("</w>") for word in merged if word.endswith("</w>")]
    ends = [f"{piece}{end}" for piece in pieces if piece[-1].isalpha() for end in ",."]

    assert len(pieces) > 20_000
    assert len(words) > 30_000
    assert [
        word
        for word in [*pieces, *ends]
        if t5_tokens._count_word(word) != t5_tokens.count_parts(word)
    ] == []
    assert [
        word
        for word in words
        if word.isascii() and clip_tokens._count_word(word) != clip_tokens.count_parts(word)
    ] == []
