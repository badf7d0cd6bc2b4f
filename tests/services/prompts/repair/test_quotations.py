"""Text in quotation marks is put back where a model lost it, and nothing else is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_api.services.prompts.repair.quotations import with_marks_restored, with_quotes_restored
from llm_api.services.prompts.text import has_quote
from tests.services.prompts.asking import task_of

RESTORED = {
    "lost": ('a sign "OPEN"', "A sign.", 'A sign, with the text "OPEN".'),
    "lost of a phrase": ('a sign "OPEN"', "A sign, ", 'A sign, with the text "OPEN"'),
    "two lost": ('"A" and "B"', "Two signs!", 'Two signs, with the text "A" and "B"!'),
    "one of two": ('"A" over "B"', 'The "A" above.', 'The "A" above, with the text "B".'),
    "changed": ('a sign "OPEN"', 'A sign "Open now", lit.', 'A sign "OPEN", lit.'),
    "translated": ("招牌“营业中”", "招牌“OPEN”，柔光。", "招牌“营业中”，柔光。"),
    "two changed": (
        '"A" and "B"',
        'The "C" and "D".',
        'The "C" and "D", with the text "A" and "B".',
    ),
    "behind another text": (
        '"A" and "B"',
        'A wall that reads "C."',
        'A wall that reads "C.", with the text "A" and "B".',
    ),
    "lost in chinese": ("招牌“营业中”", "一块招牌。", "一块招牌，画面中写着“营业中”。"),
    "with an apostrophe": ('a sign "Joe\'s"', "A sign.", 'A sign, with the text "Joe\'s".'),
    "nothing lost": ('a sign "OPEN"', 'A "OPEN" sign, "new" too', 'A "OPEN" sign, "new" too'),
    "nothing quoted": ("a sign", "A sign.", "A sign."),
}


@pytest.mark.parametrize("name", RESTORED)
def test_a_lost_text_is_put_back(name: str) -> None:
    prompt, rewrite, expected = RESTORED[name]

    assert with_quotes_restored(task_of(prompt), rewrite) == expected


MARKED = {
    "bare": ('a sign "OPEN"', "A sign OPEN, lit.", 'A sign "OPEN", lit.'),
    "marked": ('a sign "OPEN"', "A sign “OPEN”, lit.", "A sign “OPEN”, lit."),
    "part of a word": ('a sign "OPEN"', "A sign OPENING.", "A sign OPENING."),
    "chinese": ("招牌“营业中”", "招牌营业中，柔光。", '招牌"营业中"，柔光。'),
}


@pytest.mark.parametrize("name", MARKED)
def test_a_text_without_marks_gets_them_back(name: str) -> None:
    prompt, rewrite, expected = MARKED[name]

    assert with_marks_restored(task_of(prompt), rewrite) == expected


QUOTES = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9 !?'&]{0,20}[A-Za-z0-9]\Z").filter(
    lambda text: "  " not in text
)


@given(quotes=st.lists(QUOTES, min_size=1, max_size=3, unique=True), rewrite=st.text(max_size=60))
def test_whatever_was_written_the_text_is_there_afterwards(quotes: list[str], rewrite: str) -> None:
    task = task_of("a wall with " + " and ".join(f'"{quote}"' for quote in quotes))
    # Marks that somebody left open would swallow the next ones.
    clean = "".join(sign for sign in rewrite if sign.isalnum() or sign == " ").strip() or "A wall"

    restored = with_quotes_restored(task, clean)

    assert all(has_quote(restored, quote) for quote in task.constraints.quotes)
    assert restored.startswith(clean[:1])
