"""Why a picture is not used."""


class Refusal(Exception):
    """A picture is not used; `reason` is one of `llm_api.pictures.facts.PictureError`."""

    def __init__(self, reason: str, problem: str) -> None:
        """Create it."""
        super().__init__(problem)
        self.reason = reason
        self.problem = problem
