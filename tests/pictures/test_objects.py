"""Objects are found in photographs, with their places."""

import pytest
from PIL import Image

from llm_api.domain.judging import SeenObject
from llm_api.pictures.meter import PictureMeter
from tests.pictures import scenes
from tests.pictures.measuring import judged, needs_detector, needs_packages, needs_samples

pytestmark = [needs_packages, needs_samples, needs_detector]


def seen(meter: PictureMeter, image: Image.Image) -> tuple[SeenObject, ...]:
    """Return what is seen in an image."""
    found = meter.measure(judged(image), reads_text=False, sees_objects=True)
    assert found.objects is not None
    assert found.versions["objects"].startswith("NanoDet-g")
    return found.objects


@pytest.mark.parametrize(
    ("photograph", "label"),
    [
        ("astronaut", "person"),
        ("camera", "person"),
        ("chelsea", "cat"),
        ("motorcycle_left", "motorcycle"),
    ],
)
def test_what_a_photograph_shows_is_seen(meter: PictureMeter, photograph: str, label: str) -> None:
    objects = seen(meter, scenes.photograph(photograph))

    assert [one.label for one in objects] == [label]
    assert objects[0].confidence >= 0.4


def test_things_are_counted_and_have_their_places(meter: PictureMeter) -> None:
    """A wide picture: it is not stretched into the square that the network sees."""
    image = Image.new("RGB", (1400, 500), "#b8b0a0")
    for place, name in enumerate(("camera", "motorcycle_left", "camera")):
        image.paste(scenes.photograph(name).resize((420, 420)), (20 + 470 * place, 40))

    objects = sorted(seen(meter, image), key=lambda one: one.box[0])

    assert [one.label for one in objects] == ["person", "motorcycle", "person"]
    left, top, right, bottom = objects[2].box
    assert 0.65 < left < right <= 1
    assert 0 <= top < bottom <= 1


def test_nothing_is_seen_where_there_is_nothing(meter: PictureMeter) -> None:
    assert seen(meter, scenes.photograph("gravel")) == ()
