"""Which upstream makes the pictures of a model, and which do if that fails."""

import pytest

from llm_api.domain.access import ApiKey, Limits
from llm_api.domain.calls import Model
from llm_api.errors import Forbidden, InvalidRequest, NotFound, Unavailable
from llm_api.services.images.image_models import IMAGE_MODELS
from llm_api.services.jobs.job_models import JobModels
from tests.services.images.workshop import ScriptedImages

IMAGE = ScriptedImages(name="image", model="painter")
BACKUP = ScriptedImages(name="backup", model="other")
SKETCH = ScriptedImages(name="layout-sketch", model="layout-sketch")
UPSTREAMS = {"image": IMAGE, "backup": BACKUP, "layout-sketch": SKETCH}
LISTED = (
    Model("cheap", "image", model="painter-mini", kind="image"),
    Model("wan*", "backup", kind="image", limits=Limits(images_per_minute=5)),
    Model("chatty", "fast"),
)


def models(default: str | None = "image", **options: object) -> JobModels:
    """Know some models."""
    return JobModels(IMAGE_MODELS, LISTED, UPSTREAMS, default, **options)  # type: ignore[arg-type]


def where(name: str | None, known: JobModels, key: ApiKey | None = None) -> tuple[str, str]:
    """Return the upstream and the name there."""
    at = known.route(name, key)
    return at.upstream.name, at.model


@pytest.mark.parametrize(
    ("name", "place"),
    [
        (None, ("image", "painter")),
        ("painter", ("image", "painter")),
        ("cheap", ("image", "painter-mini")),
        ("wan2.5", ("backup", "wan2.5")),
        ("other", ("backup", "other")),
        ("layout-sketch", ("layout-sketch", "layout-sketch")),
        ("never-heard-of", ("image", "never-heard-of")),
    ],
)
def test_a_name_leads_to_its_upstream(name: str | None, place: tuple[str, str]) -> None:
    assert where(name, models()) == place


def test_limits_are_those_of_the_entry() -> None:
    assert models().route("wan2.5", None).limits.images_per_minute == 5


def test_a_closed_catalogue_refuses_other_names() -> None:
    with pytest.raises(NotFound):
        models(is_closed=True).route("never-heard-of", None)


def test_a_chat_model_makes_no_pictures() -> None:
    with pytest.raises(InvalidRequest) as caught:
        models().route("chatty", None)

    assert caught.value.reason == "model_makes_text"


@pytest.mark.parametrize("name", [None, "gpt-image-2"])
def test_without_an_image_upstream_only_known_names_are_served(name: str | None) -> None:
    known = JobModels(IMAGE_MODELS, [], {"layout-sketch": SKETCH}, None)

    with pytest.raises(Unavailable) as caught:
        known.route(name, None)

    assert caught.value.reason == "image_model_not_configured"
    assert where("layout-sketch", known) == ("layout-sketch", "layout-sketch")


def test_fallbacks_are_those_of_the_upstream_that_a_key_may_use() -> None:
    known = models(fallbacks=("backup", "cheap", "not-configured"))
    key = ApiKey("key_1", "shop", models=("painter", "cheap"))

    assert [at.model for at in known.route(None, None).fallbacks] == ["other", "painter-mini"]
    assert [at.model for at in known.route(None, key).fallbacks] == ["painter-mini"]
    assert known.route("other", None).fallbacks == ()


def test_a_key_is_for_aliases_or_for_real_names() -> None:
    known = models()

    assert where("cheap", known, ApiKey("key_1", "x", models=("cheap",)))[1] == "painter-mini"
    with pytest.raises(Forbidden):
        known.route("painter", ApiKey("key_1", "x", models=("cheap",)))


def test_models_of_vendors_are_on_offer_and_the_configured_one_is_first() -> None:
    assert [model.id for model in models().offered()] == ["painter", "other", "cheap"]
