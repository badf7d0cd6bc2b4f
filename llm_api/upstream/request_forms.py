"""What models refuse of a request although it asks for nothing wrong, learned from their answers.

A model that takes one temperature only refuses the service's own, and one that thinks knows the cap
on tokens by its newer name. The request is sent once more without it, or with the other name, and
the model is remembered: such a refusal is paid for once, in time, and by no caller with an error.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import orjson

from llm_api.errors import ApiError, InvalidRequest
from llm_api.upstream.faults import Fault, RetryDifferently

_MAX_MODELS = 1_024  # callers can make up names
_MAX_CHARS = 16_000
_OTHER_CAP = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
_SAMPLING = frozenset(
    [
        *("temperature", "top_p", "presence_penalty", "frequency_penalty"),
        *("repeat_penalty", "repeat_last_n"),
    ]
)
# How refusals name a field beside its name.
_ALSO_CALLED = {
    "temperature": "sampling|\N{CJK UNIFIED IDEOGRAPH-6E29}\N{CJK UNIFIED IDEOGRAPH-5EA6}",
    "top_p": "nucleus|sampling",
    "max_tokens": "max[_ -]?(?:output|new)[_ -]?tokens",
    "response_format": "json[_ -]?(?:mode|object|schema)|structured[_ -]?outputs?",
}
_REFUSES_A_NAME = re.compile(
    r"(?:un|not )support(?!ed[_ ]value)|unrecogni[sz]ed|unknown|unexpected"
    r"|not (?:permitted|allowed)|forbidden|deprecated|instead|invalid (?:parameter|argument|field)"
    "|\N{CJK UNIFIED IDEOGRAPH-4E0D}\N{CJK UNIFIED IDEOGRAPH-652F}",
    re.IGNORECASE,
)
_REFUSES_A_VALUE = re.compile(
    r"too (?:large|big|high|long|many)|at (?:most|least)|exceed|range", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class RequestForm:
    """The form of a request that a model takes.

    `cap` is its name for the cap on tokens, None for any; `without` are fields that are left out
    where they are the service's own.
    """

    cap: str | None = None
    without: frozenset[str] = frozenset()

    def applied(self, body: Mapping[str, Any], defaults: frozenset[str]) -> dict[str, Any]:
        """Return a request body in this form; `defaults` are the service's own fields."""
        left_out = self.without & defaults
        kept = {name: value for name, value in body.items() if name not in left_out}
        if self.cap is not None and (other := _OTHER_CAP[self.cap]) in kept:
            kept[self.cap] = kept.pop(other)
        return kept

    def plus(self, other: "RequestForm") -> "RequestForm":
        """Return this form with what was learned later."""
        return RequestForm(other.cap or self.cap, self.without | other.without)


class FormRejected(RetryDifferently):
    """The model refuses what the caller has not asked for: send the request in another form."""

    word = "form_refused"

    def __init__(self, fault: Fault, form: RequestForm) -> None:
        """Keep the refusal, and the form in which the request may be taken."""
        super().__init__(fault)
        self.form = form


class LearnedForms:
    """The forms that the models of one upstream have turned out to need, by their names."""

    def __init__(self) -> None:
        """Know of no model yet."""
        self.of_models: Mapping[str, RequestForm] = {}

    @contextmanager
    def learning(self, model: str, form: RequestForm) -> Iterator[None]:
        """Remember a form if the request that is sent in it, inside the block, is taken.

        It is also right so far if what is refused next is something else of that kind.
        """
        try:
            yield
        except Fault as fault:
            if isinstance(fault.__cause__, FormRejected):
                self._learn(model, form)
            raise
        self._learn(model, form)

    def _learn(self, model: str, form: RequestForm) -> None:
        kept = {name: known for name, known in self.of_models.items() if name != model}
        if len(kept) >= _MAX_MODELS:
            del kept[next(iter(kept))]
        known = self.of_models.get(model, RequestForm())
        self.of_models = {**kept, model: known.plus(form)}


def form_after(
    error: ApiError, sent: bytes, body: Mapping[str, Any], defaults: frozenset[str]
) -> RequestForm | None:
    """Return the form in which a refused request may be taken; None if there is no other.

    Args:
        error: what the refusal means.
        sent: the refusal as the upstream sent it.
        body: the refused request.
        defaults: the fields of it that are the service's own.
    """
    if not isinstance(error, InvalidRequest) or error.reason == "content_filtered":
        return None
    words, field = _words(sent)
    cap = next((name for name in _OTHER_CAP if name in body and _is_named(name, field)), None)
    if (
        cap is not None
        and _OTHER_CAP[cap] not in body
        and _REFUSES_A_NAME.search(words)
        and not _REFUSES_A_VALUE.search(words)
    ):
        return RequestForm(cap=_OTHER_CAP[cap])
    ours = defaults & body.keys()
    named = frozenset(name for name in ours if _is_named(name, field))
    if not _SAMPLING.isdisjoint(named):
        # A model with one temperature has one of the others, too, and refuses them one by one.
        named |= ours & _SAMPLING
    return RequestForm(without=named) if named else None


def _is_named(name: str, words: str) -> bool:
    """Whether a refusal speaks of a field, in whichever spelling."""
    spelled = name.replace("_", "[_ -]?")
    if (other := _ALSO_CALLED.get(name)) is not None:
        spelled = f"{spelled}|{other}"
    return re.search(rf"(?<![a-z0-9])(?:{spelled})(?![a-z0-9])", words, re.IGNORECASE) is not None


def _words(sent: bytes) -> tuple[str, str]:
    """Return the text of a refusal without the escapes of JSON, and the part that names a field.

    That part is the error's own, where it has one: a sentence may list other fields that are good.
    """
    try:
        document = orjson.loads(sent)
        text = orjson.dumps(document).decode()[:_MAX_CHARS]
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        text = sent.decode(errors="replace")[:_MAX_CHARS]
        return text, text
    first = document[0] if isinstance(document, list) and document else document
    error = first.get("error", first) if isinstance(first, dict) else None
    field = error.get("param") if isinstance(error, dict) else None
    return text, field if isinstance(field, str) and field else text
