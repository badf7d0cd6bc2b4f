"""The line that a start is greeted with: where to look, and what is there."""

from collections.abc import Sequence

from llm_api.settings.settings import Settings

# An address to listen on that stands for all of a machine, and what a browser takes for it.
_ALL = ("0.0.0.0:", "[::]:")  # it is looked for


def greeting(
    addresses: Sequence[str], settings: Settings, *, has_bundled_model: bool = True
) -> str:
    """Return a sentence with address, pages, models and whether keys are required.

    `addresses` are those that the service listens on, in the form of BIND; `has_bundled_model` is
    whether the bundled model could be started.
    """
    models = [f"{name}={plan.model}" for name, plan in settings.upstreams.items()]
    if settings.uses_bundled_model and has_bundled_model:
        models.insert(0, "the bundled SmolLM2-135M")
    models += [f"{name}={plan.model}" for name, plan in settings.making_upstreams.items()]
    keys = "no API key is required"
    if settings.access.requires_key:
        keys = "an API key is required"
    where = " and ".join(map(_shown, addresses))
    named = ", ".join(models) or "none"
    return f"llm_api is at {where}, its API at /docs; models: {named}; {keys}."


def _shown(address: str) -> str:
    if address.startswith("unix:"):
        return address
    for start in _ALL:
        if address.startswith(start):
            return f"http://localhost:{address.removeprefix(start)}"
    return f"http://{address}"
