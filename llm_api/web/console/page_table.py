"""The pages of the console beside `/`: a line here, a template, words in `languages/`, a script."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from llm_api.domain.access import ApiKey
from llm_api.web.console import playground_offers


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the console.

    Attributes:
        section: that of its words; `nav.SECTION` is what the navigation calls it.
        path: below the root.
        template: its name in `templates/`.
        shares: other sections whose words its scripts use.
        offer: returns what the template shows of this installation, to whoever has a key.
        is_for_admins: whether it asks for an admin's key, also where no keys are required.
        has_own_view: whether another module serves it, as it needs more than its template.
    """

    section: str
    path: str
    template: str
    shares: Sequence[str] = ()
    offer: Callable[[ApiKey | None], playground_offers.Offer] = playground_offers.of_nothing
    is_for_admins: bool = False
    has_own_view: bool = False


# In the order of the navigation.
PAGES: Sequence[Page] = (
    Page("chat", "/console/chat", "chat.html"),
    Page("prompts", "/console/prompts", "prompts.html", offer=playground_offers.of_prompts),
    Page(
        "pictures",
        "/console/pictures",
        "pictures.html",
        shares=("drops", "making", "verdict"),
        offer=playground_offers.of_pictures,
    ),
    Page(
        "films",
        "/console/films",
        "films.html",
        shares=("drops", "making"),
        offer=playground_offers.of_films,
    ),
    Page(
        "judge",
        "/console/judge",
        "judge.html",
        shares=("drops", "verdict"),
        offer=playground_offers.of_judge,
    ),
    Page("usage", "/console/usage", "usage.html", has_own_view=True),
    Page(
        "operate",
        "/console/operate",
        "operate/overview.html",
        is_for_admins=True,
        has_own_view=True,
    ),
)
