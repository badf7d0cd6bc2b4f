"""Commands for the upstream in prompts: none gets through, and ordinary text stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_api.upstream.media.fitting.prompt_filters import FILTERS, neutralised

TAG, END = "<sd_cpp_extra_args>", "</sd_cpp_extra_args>"
pieces = st.sampled_from(
    [TAG, END, "<sd_cpp_", "extra_args>", "<", ">", "/", "<lora:x:1>", "<lo", "ra:", "__", "wild",
     "{a|b}", "{", "}", "|", "(", ")", "\\", " ", "cat", "\n", "$$", "2"]
)  # fmt: skip


def cut(text: str, *filters: str) -> str:
    """Filter a prompt."""
    return neutralised(text, filters, "prompt")[0]


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("sd_cpp_extra_args", f'cat {TAG}{{"seed":1}}{END} dog', "cat  dog"),
        ("sd_cpp_extra_args", f"cat {TAG}", "cat"),
        ("sd_cpp_extra_args", f"{END}cat", "cat"),
        ("sd_cpp_extra_args", f"<sd_cpp_{TAG}x{END}extra_args>cat", "cat"),
        ("sd_cpp_extra_args", "< SD_CPP_extra_args >{}", "{}"),
        ("networks", "<lora:a:1>cat<hypernet:b>", "cat"),
        ("networks", "<lo<lora:a>ra:b:1>cat", "cat"),
        ("networks", "cat <lora:a", "cat"),
        ("wildcards", "a __color__ cat", "a color cat"),
        ("wildcards", "snake_case and __init", "snake_case and __init"),
        ("choices", "a {red|blue} cat", "a red cat"),
        ("choices", "a {2$$red|blue} cat", "a red cat"),
        ("choices", "a {red} cat", "a {red} cat"),
        ("weights", "a (red:1.4) [cat]", r"a \(red:1.4\) \[cat\]"),
        ("weights", r"a \(red\) cat", r"a \(red\) cat"),
        ("pipes", "cat | dog||bird", "cat, dog, bird"),
    ],
)
def test_commands_are_made_harmless(name: str, text: str, expected: str) -> None:
    assert cut(text, name) == expected


@given(text=st.lists(pieces, max_size=30).map("".join))
def test_nothing_is_left_after_filtering(text: str) -> None:
    clean = cut(text, "sd_cpp_extra_args", "networks", "wildcards", "choices", "pipes")
    for name in ("sd_cpp_extra_args", "pipes"):
        assert FILTERS[name].apply(clean)[0] == clean


@given(text=st.lists(pieces, max_size=30).map("".join), name=st.sampled_from(sorted(FILTERS)))
def test_filtering_twice_changes_nothing_more(text: str, name: str) -> None:
    once = cut(text, name)

    assert cut(once, name) == once


@given(text=st.text(st.characters(exclude_characters="<>_{}()[]|"), max_size=200))
def test_ordinary_text_stays(text: str) -> None:
    assert neutralised(text, FILTERS, "prompt") == (text, [])


@pytest.mark.parametrize(
    "text", [TAG * 1500, "<" * 30_000, "{" * 30_000, "__" * 15_000, "<lora:" * 5_000]
)
def test_hostile_prompts_cost_little(text: str) -> None:
    """What takes the square of 30,000 steps does not end within the time of a test."""
    assert isinstance(cut(text, *FILTERS), str)


def test_the_notice_names_what_was_cut_but_not_all_of_much() -> None:
    names = "".join(f"<lora:{n}>" for n in range(8))

    [notice] = neutralised(names + "cat", ["networks"], "negative_prompt")[1]

    assert (notice.field, notice.code) == ("negative_prompt", "cut")
    assert "“<lora:4>” and 3 more" in notice.message
