"""A sketch shows what its prompt says of a layout: read back from its pixels."""

import pytest

from llm_api.domain.making import Size
from llm_api.pictures.pictures import Pictures
from tests.services.images.layout_sketch import seeing
from tests.services.images.layout_sketch.asking import SIZE, files, sketch, told
from tests.services.images.layout_sketch.seeing import BLUE, GREEN, PLAIN, RED, spots


def look(pictures: Pictures, prompt: str, **fields: object) -> seeing.Image.Image:
    """Return the picture of a prompt."""
    return seeing.opened(files(sketch(pictures, prompt, **fields))[0])


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("prompt", "red", "blue"),
    [
        ("three red cats and a blue ball", 3, 1),
        ("two blue birds, a red house and a table", 1, 2),
        ("seven red balloons", 7, 0),
        ("三只红色的猫和两个蓝色的球", 3, 2),
    ],
)
def test_there_are_as_many_shapes_in_each_color_as_the_prompt_says(
    pictures: Pictures, prompt: str, red: int, blue: int, seed: int
) -> None:
    image = look(pictures, prompt, seed=seed)

    assert (len(spots(image, RED)), len(spots(image, BLUE))) == (red, blue)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    ("prompt", "where"),
    [
        ("a red cat to the left of a blue dog", "left"),
        ("a blue dog to the right of two red cats", "left"),
        ("a red cat on the left and a blue dog on the right", "left"),
        ("a red bird above a blue house", "above"),
        ("a blue boat beneath a red bridge, and a green tree", "above"),
        ("一只红色的猫在一只蓝色的狗的左边", "left"),
        ("蓝色的狗在红色的猫的下面", "above"),
    ],
)
def test_things_are_where_the_prompt_says(
    pictures: Pictures, prompt: str, where: str, seed: int
) -> None:
    image = look(pictures, prompt, seed=seed)

    reds, blues = spots(image, RED), spots(image, BLUE)
    if where == "left":
        assert max(spot.right for spot in reds) < min(spot.left for spot in blues)
    else:
        assert max(spot.bottom for spot in reds) < min(spot.top for spot in blues)


def test_a_side_of_the_picture_is_a_side_of_the_picture(pictures: Pictures) -> None:
    [red] = spots(look(pictures, "a red cat on the left"), RED)

    assert red.right <= SIZE.width / 2


def test_a_chain_of_places_is_kept(pictures: Pictures) -> None:
    prompt = "a red cat left of a blue dog. The blue dog is left of a green bird"

    image = look(pictures, prompt)

    [red], [blue], [green] = (spots(image, color) for color in (RED, BLUE, GREEN))
    assert red.right < blue.left
    assert blue.right < green.left


@pytest.mark.parametrize("seed", range(3))
def test_a_side_of_the_picture_stays_one_beside_other_places(pictures: Pictures, seed: int) -> None:
    """They had shared one grid: the red cat, left of which is something, was in the middle."""
    prompt = "a red cat on the left. A blue dog is left of the red cat"

    [red] = spots(look(pictures, prompt, seed=seed), RED)

    assert red.right <= SIZE.width / 2


def _text_strips(pictures: Pictures, prompt: str) -> list[tuple[float, float]]:
    """Return where texts are written, from the top to the bottom, each from 0 to 1."""
    image = look(pictures, prompt, size=Size(640, 480))
    strips = [spot for spot in spots(image, seeing.TEXT_PAPER) if spot.right - spot.left > 600]
    return sorted((spot.top / 480, spot.bottom / 480) for spot in strips)


@pytest.mark.parametrize(
    ("prompt", "is_top"),
    [
        ('"SALE" at the top, a red car', [True]),
        ('a red car, at the top it says "SALE"', [True]),
        ('a red car with the text "SALE" at the bottom', [False]),
        ('a sign that says "SALE"', [False]),
        ("一辆红色的车，顶部写着“SALE”", [True]),
        ("一辆红色的车，底部写着“SALE”", [False]),
        ('a poster with "TOP" at the top and "LOW" at the bottom', [True, False]),
    ],
)
def test_a_text_is_written_where_the_prompt_wants_it(
    pictures: Pictures, prompt: str, is_top: list[bool]
) -> None:
    strips = _text_strips(pictures, prompt)

    assert [bottom < 0.25 for _, bottom in strips] == is_top


def test_the_place_of_a_text_is_told_and_is_no_thing_s(pictures: Pictures) -> None:
    raw = told(pictures, "一只猫，底部写着“HI”")

    assert raw["drawn"] == ["1 cat", 'the text "HI" at the bottom']


def test_a_text_that_is_not_wanted_is_not_written(pictures: Pictures) -> None:
    assert told(pictures, 'a poster without the words "SALE"')["drawn"] == ["1 poster"]


def test_places_that_contradict_each_other_are_told(pictures: Pictures) -> None:
    prompt = "a red cat left of a blue dog. The blue dog is left of the red cat"

    raw = told(pictures, prompt)

    assert "cat left of dog" in raw["drawn"]
    assert "dog left of cat" in raw["not_drawn"]


@pytest.mark.parametrize("seed", range(5))
def test_no_shape_touches_another(pictures: Pictures, seed: int) -> None:
    """With or without colors: connected parts would be one."""
    image = look(pictures, "nine cats, four tables, two dogs", seed=seed)

    assert len(spots(image, PLAIN)) == 15


def test_a_quoted_text_is_written_literally(pictures: Pictures) -> None:
    image = look(pictures, 'a sign that says "OPEN 24"', size=Size(640, 480))

    others = ("OPEN 24", "OPEN 9", "open 24", "CLOSED", "24 OPEN")
    distances = {words: seeing.text_distance(image, words, seeing.TEXT_PAPER) for words in others}
    assert min(distances, key=lambda words: distances[words]) == "OPEN 24"
    assert distances["OPEN 24"] < 0.2


def test_every_sketch_is_labelled(pictures: Pictures) -> None:
    image = look(pictures, "a cat", size=Size(640, 480))

    words = ("LAYOUT SKETCH", "PICTURE", "SKETCH")
    distances = [seeing.text_distance(image, one, seeing.LABEL_PAPER) for one in words]
    assert distances[0] == min(distances) < 0.25


def test_a_text_in_other_letters_is_told_and_not_written_as_boxes(pictures: Pictures) -> None:
    raw = told(pictures, "牌子上写着“春天” and “Café”")

    assert 'the text "春天": only letters of English can be written' in raw["not_drawn"]
    assert 'the text "Café" with its accents: it says "Cafe"' in raw["not_drawn"]


def test_what_was_drawn_and_what_not_is_told(pictures: Pictures) -> None:
    raw = told(pictures, 'Three red cats left of a majestic house, oil painting, "HI"')

    assert raw == {
        "kind": "layout_sketch",
        "drawn": ["3 red cats", "1 house", "cat left of house", 'the text "HI"'],
        "not_drawn": ["oil painting", "majestic"],
    }


def test_of_many_things_some_are_drawn_and_the_rest_is_told(pictures: Pictures) -> None:
    raw = told(pictures, "a hundred blue birds")

    assert (raw["drawn"], raw["not_drawn"]) == (["30 blue birds"], ["70 blue birds more"])


def test_five_texts_are_four_and_one_that_is_told(pictures: Pictures) -> None:
    raw = told(pictures, '"A" "B" "C" "D" "E"')

    assert raw["drawn"] == [f'the text "{letter}"' for letter in "ABCD"]
    assert raw["not_drawn"] == ['the text "E"']


def test_a_text_that_is_too_long_for_a_line_is_told(pictures: Pictures) -> None:
    words = "far too long " * 20

    [problem] = told(pictures, f'"{words}"')["not_drawn"]

    assert problem.endswith("it is too long for a line")


def test_what_a_negative_prompt_names_is_left_out(pictures: Pictures) -> None:
    raw = told(pictures, "a red cat left of a dog", negative_prompt="dogs, blur")

    assert raw["drawn"] == ["1 red cat"]


def test_a_prompt_of_which_nothing_can_be_drawn_is_a_labelled_sheet(pictures: Pictures) -> None:
    raw = told(pictures, "hope")

    assert (raw["drawn"], raw["not_drawn"]) == ([], ["hope"])
