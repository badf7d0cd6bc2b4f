"""Words that the service has kept, marked in the text: in any writing, and never within a sign."""

from typing import Any

from tests.support.tables import each
from tests.web.console.scripts import called

FOXES = 'Two red foxes under a sign that says "OPEN", no people'
KEPT = {
    "quotes": ["OPEN"],
    "counts": ["two red foxes"],
    "objects": ["fox", "sign"],
    "negations": ["people"],
}
FAMILY = "\N{WOMAN}\N{ZERO WIDTH JOINER}\N{WOMAN}\N{ZERO WIDTH JOINER}\N{GIRL}"


def pieces(text: str, details: dict[str, Any], original: str | None = None) -> list[list[Any]]:
    """Return the marked pieces of a text, without those that have no mark."""
    (found,) = called("marks.js", "markedPieces", [text, details, {"original": original}])
    assert "".join(piece["text"] for piece in found) == text
    return [[piece["text"], piece["state"], piece["kinds"]] for piece in found if piece["state"]]


def test_what_the_service_has_kept_is_marked() -> None:
    assert pieces(FOXES, {"kept": KEPT}) == [
        ["Two red foxes", "kept", ["counts"]],
        ["sign", "kept", ["objects"]],
        ["OPEN", "kept", ["quotes"]],
        ["people", "kept", ["negations"]],
    ]


def test_what_the_original_does_not_have_is_new() -> None:
    rewrite = f"At dawn, {FOXES}, clear natural light"

    found = pieces(rewrite, {"kept": KEPT}, FOXES)

    new = [text for text, state, _ in found if state == "new"]
    assert new == ["At dawn", "clear natural light"]


def test_what_only_stands_elsewhere_is_not_new() -> None:
    assert pieces("On a sofa, a cat", {}, "A cat on a sofa") == []


def test_what_could_not_be_compared_and_what_code_has_repaired_is_marked_so() -> None:
    details = {
        "kept": {"colors": ["rote"], "quotes": ["ZU"]},
        "unchecked": ["colors"],
        "repaired": ["quotes_restored"],
    }

    found = pieces('Der rote Laden, "ZU"', details, 'Der rote Laden "ZU"')

    assert found == [["rote", "unchecked", ["colors"]], ["ZU", "repaired", ["quotes"]]]


@each(
    ("text", "words", "marked"),
    [
        ("Signal at a sign", "sign", ["sign"]),
        ("A SIGN", "sign", ["SIGN"]),
        ("兩隻紅色的狐狸在招牌下", "狐狸", ["狐狸"]),
        (f"{FAMILY} 和兩隻貓 {FAMILY}", "兩隻貓", ["兩隻貓"]),
        # The last of the signs that are joined is no sign by itself.
        (f"A family {FAMILY}", "\N{GIRL}", []),
        # Composed and decomposed letters are the same; one without its mark is another one.
        ("Ein cafe\u0301 am See", "caf\u00e9", ["cafe\u0301"]),
        ("Ein cafe\u0301 am See", "cafe", []),
        # A capital with a dot becomes two units when it is made small.
        ("\u0130\u0130 kedi", "kedi", ["kedi"]),
        ("여우를 그려줘", "여우", ["여우"]),
        ("רוב השועלים אדומים", "אדומים", ["אדומים"]),
        ("\U0002000b\U0002000b貓", "貓", ["貓"]),
    ],
)
def test_marks_begin_and_end_with_a_sign_of_any_writing(
    text: str, words: str, marked: list[str]
) -> None:
    found = pieces(text, {"kept": {"objects": [words]}})

    assert [piece[0] for piece in found] == marked


def test_quoted_text_is_found_letter_by_letter_alone() -> None:
    assert pieces('An open door, "OPEN"', {"kept": {"quotes": ["OPEN"]}}) == [
        ["OPEN", "kept", ["quotes"]]
    ]


def test_of_a_translation_nothing_is_called_new() -> None:
    results = called(
        "marks.js",
        "newPlaces",
        ["Zwei rote Füchse unter einem Schild", "Two red foxes under a sign"],
        ["一隻貓坐在椅子上", "一隻貓坐在椅子上，柔和的光線"],
    )

    assert results[0] == {"places": [], "isComparable": False}
    assert results[1]["isComparable"]
    assert results[1]["places"]


def test_kept_words_that_stand_nowhere_are_named() -> None:
    (missing,) = called("marks.js", "inOtherWords", ["A pair of foxes", {"kept": KEPT}])

    assert missing == {
        "quotes": ["OPEN"],
        "counts": ["two red foxes"],
        "objects": ["sign"],
        "negations": ["people"],
    }
