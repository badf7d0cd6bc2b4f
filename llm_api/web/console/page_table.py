"""The pages of the console beside `/`: a line here, a template, words in `languages/`, a script."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the console.

    Attributes:
        section: that of its words; `nav.SECTION` is what the navigation calls it.
        path: below the root.
        template: its name in `templates/`.
        is_for_admins: whether it asks for an admin's key, also where no keys are required.
    """

    section: str
    path: str
    template: str
    is_for_admins: bool = False


# In the order of the navigation.
PAGES: Sequence[Page] = (Page("chat", "/console/chat", "chat.html"),)
