"""Which models a catalogue offers: those that are configured, and those that upstreams list."""

from collections.abc import Iterator, Mapping, Sequence

from llm_api.domain.calls import Model
from llm_api.domain.name_patterns import NamePatterns, is_pattern
from llm_api.services.routing.prompt_models import is_prompt_model
from llm_api.upstream.protocol import Upstream


def named_models(
    offered: Mapping[str, Model], upstreams: Mapping[str, Upstream], default: Upstream
) -> dict[str, Model]:
    """Return the models that have names, in their order.

    Configured models are offered even where the catalogue does not list them. The one of who names
    none stands first: chat UIs choose the first of the list.

    Args:
        offered: those of the catalogue whose upstream is configured, by their names.
        upstreams: all upstreams by name.
        default: the one of requests that name no model.
    """
    others = [(up.default_model, name) for name, up in upstreams.items()]
    first = [(default.default_model, default.name)]
    configured = {model: Model(model, name) for model, name in reversed(first + others)}
    names = dict.fromkeys([first[0][0], *offered, *(model for model, _ in others)])
    known = {**configured, **offered}
    offers = (name for name in names if not is_pattern(name) and not is_prompt_model(name))
    return {name: known[name] for name in offers}


def only_listed(
    lists: Mapping[str, Sequence[str]], patterns: NamePatterns[Model], *, is_closed: bool
) -> Iterator[tuple[Model, str | None]]:
    """Find the models that upstreams list and that can be called, each name once.

    Args:
        lists: the names by upstream.
        patterns: those of the catalogue, of which each is for one upstream.
        is_closed: only names with a pattern can be called.

    Yields:
        A model, and the pattern that leads to it.
    """
    seen = set()
    for upstream, names in lists.items():
        for name in names:
            pattern = patterns.find(name)
            is_there = (
                not is_closed
                if pattern is None
                else (pattern.upstream == upstream and pattern.model is None)
            )
            if is_there and name not in seen and not is_prompt_model(name):
                seen.add(name)
                yield Model(name, upstream), pattern.id if pattern else None
