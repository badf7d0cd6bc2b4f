"""Why a picture is not used."""


class Refusal(Exception):
    """A picture is not used; `defect` is one of `llm_api.pictures.facts.PictureError`."""

    def __init__(self, defect: str, problem: str) -> None:
        """Create it."""
        super().__init__(problem)
        self.defect = defect
        self.problem = problem
