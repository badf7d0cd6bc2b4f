"""Reads what an upstream's error says, whatever form it has.

Vendors put the same few things into many shapes: an object below `error`, a list around it, a
text, `detail` or `errors` of a framework, fields at the top of the body, a `base_resp` beside an
empty answer, or another vendor's error as JSON inside a text. Here they become one `VendorError`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

MAX_CHARS = 4_000  # of all words: some repeat the whole request, and every rule looks through all
_MAX_DEPTH = 6
_MAX_PARTS = 20
_MAX_VISITS = 500

# Of keys without marks between words, and in small letters: vendors write `errorMsg`, `error_msg`
# and `ErrorMsg`.
_NAMES = ("code", "type", "status", "reason", "errorcode", "errortype", "errcode", "limitsource")
_SENTENCES = (
    "message", "msg", "errormessage", "errormsg", "errmsg", "errordescription", "statusmsg",
    "detail", "details", "description", "title", "reasons", "faultstring", "raw",
)  # fmt: skip
_INNER = (
    "error", "errors", "detail", "details", "metadata", "innererror", "err", "previouserrors",
    "cause", "data", "fault", "baseresp", "raw", "message", "msg", "response", "header",
    "violations", "validationerrors", "invalidparams", "issues",
)  # fmt: skip
_FIELDS = ("param", "parameter", "field")
# A word that a program reads and no sentence: invalid_api_key, AccessDenied.Unpurchased.
_NAME = re.compile(r"[A-Za-z][\w.:/-]{0,99}")
# Names that say no more than the status does.
_EMPTY_NAME = re.compile(
    r"\d+|base_resp:\d+|(error|unknown|api|server|validation|client|user)?_?error"
    r"|invalid_?(request|argument)(_?error)?|bad_?request(_?error)?|invalid|none|null|false|true"
    r"|upstream_error|new_api_error|one_api_error|litellm.*|unknown",
    re.IGNORECASE,
)
_PLACES = frozenset(["body", "query", "path", "header"])
# Patterns need not know which marks a vendor uses.
_NO_QUOTES = dict.fromkeys(map(ord, "'\"`“”‘’"))
_TAG = re.compile(r"<(script|style)\b.*?</\1>|<[^>]{0,200}>", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class VendorError:
    """What an upstream says of an error; nothing of it may reach a caller unredacted.

    `names` are codes and types, `sentences` are messages, from the outside in; `param` is the field
    that the upstream blames, and `status` the HTTP status that it names inside a body, if any.
    """

    names: tuple[str, ...] = ()
    sentences: tuple[str, ...] = ()
    param: str | None = None
    status: int | None = None

    @property
    def has_telling_name(self) -> bool:
        """Whether a code or type says more than the status does."""
        return any(_NAME.fullmatch(name) and not _EMPTY_NAME.fullmatch(name) for name in self.names)

    @property
    def code_words(self) -> str:
        """The codes and types."""
        return " ".join(self.names)[:MAX_CHARS]

    @property
    def words(self) -> str:
        """All that the error says, codes and types first, without marks of quotation."""
        return self.quoting_words.translate(_NO_QUOTES)

    @property
    def quoting_words(self) -> str:
        """All that the error says, codes and types first."""
        return " ".join([*self.names, *self.sentences])[:MAX_CHARS]

    @property
    def message(self) -> str:
        """The sentence that says most: the innermost, where one vendor passes on another's."""
        return self.sentences[-1][:MAX_CHARS] if self.sentences else ""


def error_in(body: bytes) -> VendorError:
    """Read the error of a body: JSON, a page, or plain text."""
    try:
        document: object = orjson.loads(body)
    except orjson.JSONDecodeError:
        document = _plain(body)
    return read_error(document)


def read_error(document: object) -> VendorError:
    """Read the error of a JSON value."""
    found = _Found()
    found.visit(document, 0)
    status = next(_statuses(found.names), None)
    return VendorError(
        tuple(dict.fromkeys(found.names)),
        tuple(dict.fromkeys(found.sentences)),
        found.param,
        status,
    )


class _Found:
    """What was found so far."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.sentences: list[str] = []
        self.param: str | None = None
        self._visits = 0

    def visit(self, value: object, depth: int) -> None:
        """Look into a value: an object, a list of errors, or a text."""
        self._visits += 1
        if depth > _MAX_DEPTH or self._visits > _MAX_VISITS:
            return
        if len(self.names) + len(self.sentences) > _MAX_PARTS:
            return
        if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
            self._add_text("; ".join(value[:_MAX_PARTS]), depth)
        elif isinstance(value, list):
            for item in value[:_MAX_PARTS]:
                self.visit(item, depth + 1)
        elif isinstance(value, str):
            self._add_text(value, depth)
        elif isinstance(value, dict):
            self._visit_object(value, depth)

    def _visit_object(self, value: dict[str, Any], depth: int) -> None:
        said = len(self.sentences)
        value = _in_small_letters(value)
        self._add_names(value)
        self.param = self.param or _field_of(value)
        if (place := _place_of(value)) is not None:  # pydantic's: {"loc": [...], "msg": "..."}
            self.param = self.param or place
            self.sentences.append(f"{place}: {value.get('msg')}"[:MAX_CHARS])
            return
        texts = [name for name in _SENTENCES if isinstance(value.get(name), str)]
        for name in texts:
            self._add_text(value[name], depth)
        for name in _INNER:
            if name not in texts:
                self.visit(value.get(name), depth + 1)
        if len(self.sentences) == said:  # below a name that nobody else uses
            for name, inner in value.items():
                is_sentence = isinstance(inner, str) and " " in inner.strip()
                if name not in _INNER and (is_sentence or isinstance(inner, dict | list)):
                    self.visit(inner, depth + 1)

    def _add_names(self, value: dict[str, Any]) -> None:
        for name in _NAMES:
            given = value.get(name)
            if isinstance(given, str | int) and not isinstance(given, bool) and given != "":
                self.names.append(str(given)[:200])
        base_code = value.get("statuscode")
        if type(base_code) is int and base_code:
            # Of MiniMax, whose numbers mean something else elsewhere; an HTTP status is one.
            is_status = 400 <= base_code < 600
            self.names.append(str(base_code) if is_status else f"base_resp:{base_code}")

    def _add_text(self, text: str, depth: int) -> None:
        """Keep a text: as a name where it is one, and opened where it is JSON itself."""
        stripped = text.strip()
        if not stripped:
            return
        if stripped[0] in "{[":
            try:
                self.visit(orjson.loads(stripped), depth + 1)
            except orjson.JSONDecodeError:
                self.sentences.append(stripped[:MAX_CHARS])
        elif _NAME.fullmatch(stripped) and ("_" in stripped or "-" in stripped):
            self.names.append(stripped)
            self.sentences.append(stripped)
        else:
            self.sentences.append(stripped[:MAX_CHARS])


def _in_small_letters(value: dict[str, Any]) -> dict[str, Any]:
    """Return an object with its keys as `_NAMES` has them; of two that are the same, the first."""
    same: dict[str, Any] = {}
    for key, inner in value.items():
        same.setdefault(key.replace("_", "").replace("-", "").lower(), inner)
    return same


def _field_of(value: dict[str, Any]) -> str | None:
    named = (value.get(name) for name in _FIELDS)
    return next((name for name in named if isinstance(name, str) and name), None)


def _place_of(value: dict[str, Any]) -> str | None:
    """Return the path of a field as pydantic writes it, such as ["body", "stop", 0]."""
    place = value.get("loc")
    if not isinstance(place, list) or not isinstance(value.get("msg"), str):
        return None
    steps = [step for step in place if isinstance(step, str | int) and step not in _PLACES]
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
    return path.lstrip(".") or "body"


def _statuses(names: list[str]) -> Iterator[int]:
    for name in names:
        if re.fullmatch(r"[45]\d\d", name):
            yield int(name)


def _plain(body: bytes) -> str:
    """Return the words of a body that is no JSON: of a page, those that are to be read."""
    text = body[: 4 * MAX_CHARS].decode("utf-8", "replace")
    return " ".join(_TAG.sub(" ", text).split())
