"""A share of lineages keeps its original prompt: always the same ones, and about as many."""

from tests.web.lineage.conftest import AskerOf
from tests.web.lineage.lineages import CAT, Asker

NAMES = [f"shop:{number}" for number in range(400)]


def arms_of(asker: Asker, names: list[str]) -> dict[str, str]:
    """Optimize a prompt in each lineage, and return the arms by lineage."""
    return {name: asker.optimize(name, include_details=True)["details"]["arm"] for name in names}


def test_no_lineage_is_in_the_control_arm_as_shipped(asker: Asker) -> None:
    assert set(arms_of(asker, NAMES[:20]).values()) == {"rewrite"}


def test_the_control_arm_keeps_the_prompt_says_so_and_calls_no_model(asker_of: AskerOf) -> None:
    asker = asker_of(OPTIMIZER_CONTROL_SHARE="1")

    answer = asker.optimize("shop:7", include_details=True, n=2)
    rewrite = asker.lineage("shop:7")["rewrites"][0]

    assert (answer["optimized_prompt"], answer["candidates"]) == (CAT, [CAT])
    assert "control arm" in answer["warnings"][0]
    assert (answer["details"]["arm"], answer["details"]["calls"]) == ("control", 0)
    assert asker.upstream.requests == []
    assert (rewrite["arm"], rewrite["model"]) == ("control", None)
    assert asker.lineage("shop:7")["unpriced"] == 0


def test_a_request_that_wants_an_error_instead_of_the_original_is_not_refused(
    asker_of: AskerOf,
) -> None:
    asker = asker_of(OPTIMIZER_CONTROL_SHARE="1")

    assert asker.optimize("shop:7", on_failure="error")["optimized_prompt"] == CAT


def test_pictures_of_the_control_arm_are_made_of_the_original(asker_of: AskerOf) -> None:
    asker = asker_of(OPTIMIZER_CONTROL_SHARE="1")

    job = asker.draw("shop:7", prompt=CAT, optimize_prompt=True)

    assert (job["prompt"]["used"], job["prompt"]["optimized"]) == (CAT, False)
    assert any("control arm" in one["message"] for one in job["warnings"])


def test_the_share_is_about_right_and_the_lots_stay(asker_of: AskerOf) -> None:
    tenth, again, third = (
        arms_of(asker_of(OPTIMIZER_CONTROL_SHARE=share), NAMES) for share in ("0.1", "0.1", "0.3")
    )

    control = {name for name, arm in tenth.items() if arm == "control"}
    assert 20 <= len(control) <= 62  # 40 is expected; five standard deviations are 30
    assert again == tenth
    assert control < {name for name, arm in third.items() if arm == "control"}
    assert 75 <= sum(arm == "control" for arm in third.values()) <= 165
