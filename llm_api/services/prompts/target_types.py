"""Refuses target models that do not make what is wanted."""

from collections.abc import Mapping

from llm_api.domain.prompts import STORYBOARD, VIDEO, PromptRequest, Target
from llm_api.errors import InvalidRequest


def made_of(request: PromptRequest) -> str:
    """Return what a request's target has to make: a storyboard is of videos."""
    return VIDEO if request.type == STORYBOARD else request.type


def require_type(kind: str, name: str, targets: Mapping[str, Target], field: str) -> None:
    """Raise InvalidRequest if a target model does not make a `kind`, such as `video`.

    Args:
        kind: what is to be made.
        name: the target model's.
        targets: all target models by name: those that do are told.
        field: of the request, in which it is named.
    """
    if kind in targets[name].types:
        return
    able = ", ".join(one for one, target in targets.items() if kind in target.types)
    raise InvalidRequest.of_field(
        field, f"must be of {able} where type is {kind}.", reason="not_supported"
    )
