"""Judging by pairs: the sheets do not tell which text is which, and contradictions are ties."""

import pytest

from benchmarks.prompts.pairs import Pair, as_table, sheets, verdicts

PAIRS = [Pair(f"p{at}", "image", f"cat {at}", f"cat {at}, soft light") for at in range(8)]
UNCHANGED = Pair("same", "image", "a cat", "a cat")


def filled(choose: str) -> list[list[dict[str, str]]]:
    """Fill in both sheets: the `longer` text is better, the `first`, or `neither`."""
    found = sheets(PAIRS, seed=1)
    for line in (line for sheet in found for line in sheet):
        longer = "A" if len(line["A"]) > len(line["B"]) else "B"
        line["better"] = {"longer": longer, "first": "A", "neither": "tie"}[choose]
        line["reason"] = "because"
    return found


def results(choose: str) -> set[str]:
    return {verdict.result for verdict in verdicts(PAIRS, filled(choose))}


def test_each_pair_stands_on_both_sheets_the_other_way_round() -> None:
    first, second = ({line["id"]: line for line in sheet} for sheet in sheets(PAIRS, seed=1))

    assert all(first[name]["A"] == second[name]["B"] for name in first)
    assert {line["A"] == f"cat {line['id'][1:]}" for line in first.values()} == {True, False}


def test_what_was_not_rewritten_is_a_tie_without_judgement() -> None:
    assert sheets([UNCHANGED], seed=1) == [[], []]
    assert [verdict.result for verdict in verdicts([UNCHANGED], [[], []])] == ["tie"]


@pytest.mark.parametrize(
    ("choose", "expected"), [("longer", "better"), ("neither", "tie"), ("first", "tie")]
)
def test_both_orders_have_to_agree(choose: str, expected: str) -> None:
    assert results(choose) == {expected}


def test_a_judgement_wants_a_reason() -> None:
    lines = filled("longer")
    lines[1][0]["reason"] = ""

    with pytest.raises(ValueError, match="reason"):
        verdicts(PAIRS, lines)


def test_the_table_tells_shares_and_reasons() -> None:
    table = as_table(verdicts(PAIRS, filled("longer")))

    assert "8 pairs: better 8 (100 %), tie 0 (0 %), worse 0 (0 %)" in table
    assert "| cat 0 (image) | soft light | better | because |" in table
