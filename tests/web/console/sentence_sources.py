"""Collects out of the source what the service says in sentences, with its places filled.

A place is what a sentence has of a request or a model: it is filled with a sign that no catalogue
knows, such as `⟨1⟩`. What stands for one of a few texts (a constant, a choice between two, what a
function of the module returns) is followed: each of them makes a sentence of its own.
"""

import ast
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache, cached_property
from itertools import product
from pathlib import Path

from llm_api.settings.settings import PROJECT_ROOT

SOURCE = PROJECT_ROOT / "llm_api"
PLACE = "\0"
_AS_SENTENCE = re.compile(r"[A-Z\0{].* .*\.|[A-Z].* .*\. \0", re.DOTALL)
_AS_FIELD = re.compile(r"(must|is|are|cannot|can|has|takes)\b.*\.", re.DOTALL)
_QUOTED_FIELD = re.compile(r"""["'](must|is|are|cannot|can|has|takes) """)
_FORMATTED = re.compile(r"\{\w*\}")
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
# Their sentences are shown by the reason, not as they are.
_ERRORS = frozenset(
    {
        *("ApiError", "ContentFiltered", "Forbidden", "InvalidRequest", "NotFound", "Unavailable"),
        *("Conflict", "MakingFailure", "PictureError", "PicturesUnavailable", "ServiceError"),
        *("Unauthorized", "UpstreamFault", "UpstreamTimeout"),
    }
)
_NOTICES = ("Notice", "dropped")  # their last argument is what they say
_MAX_DEPTH = 8

_LeftOut = Callable[[Sequence[ast.stmt]], Iterator[ast.AST]]


class Module:
    """A module of the source, and what its names stand for: read where it says something."""

    def __init__(self, path: Path) -> None:
        """Find a module."""
        self.name = path.relative_to(SOURCE).as_posix()
        self._source = path.read_text("utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        """What it consists of."""
        return ast.parse(self._source)

    @cached_property
    def _functions(self) -> Sequence[ast.FunctionDef | ast.AsyncFunctionDef]:
        return [one for one in ast.walk(self.tree) if isinstance(one, _DEFINITIONS)]

    @cached_property
    def _constants(self) -> dict[str, ast.expr]:
        return dict(_assigned(self.tree.body))

    @cached_property
    def _docstrings(self) -> set[int]:
        return set(_docstrings(self.tree))

    def _has(self, *words: str) -> bool:
        return any(word in self._source for word in words)

    def notices(self) -> set[str]:
        """Return what it says became of a field."""
        if not self._has(*_NOTICES):
            return set()
        return {
            text
            for scope, body in self._scopes()
            for node in (part for one in body for part in _own(one))
            if isinstance(node, ast.Call) and _named(node, *_NOTICES) and len(node.args) > 1
            for text in self._known(node.args[-1], scope)
        }

    def sentences(self, *, with_errors: bool = False) -> set[str]:
        """Return what it says in sentences; those of errors only where they are wanted."""
        texts = self._texts(_nothing if with_errors else _said_by_errors)
        return {one for one in texts if _AS_SENTENCE.fullmatch(one)}

    def field_errors(self) -> set[str]:
        """Return what it says of fields, such as `must be a string.`."""
        if not _QUOTED_FIELD.search(self._source):
            return set()
        return {one for one in self._texts(_nothing) if _AS_FIELD.fullmatch(one)}

    def arguments(self, functions: Sequence[str]) -> set[str]:
        """Return the texts that it gives to functions as their first argument."""
        if not self._has(*(f"{name}(" for name in functions)):
            return set()
        calls = [one for one in ast.walk(self.tree) if isinstance(one, ast.Call) and one.args]
        named = [one for one in calls if _named(one, *functions)]
        return {text for one in named for text in self._known(one.args[0], self._constants)}

    def hints(self) -> set[str]:
        """Return what it says would help: the texts that are given as `hint`."""
        if not self._has("hint="):
            return set()
        calls = (one for one in ast.walk(self.tree) if isinstance(one, ast.Call))
        given = [one.value for call in calls for one in call.keywords if one.arg == "hint"]
        return {text for value in given for text in self._known(value, self._constants)}

    def constants(self, *names: str) -> set[str]:
        """Return the texts that some names stand for, here or in a class, or their tables have."""
        every = [
            pair for one in ast.walk(self.tree) for pair in _assigned(getattr(one, "body", []))
        ]
        given = [value for name, value in every if name in names]
        tables = [one for one in given if isinstance(one, ast.Dict)]
        found = [*given, *(value for table in tables for value in table.values)]
        return {text for value in found for text in self._known(value, self._constants)}

    def _texts(self, left_out: _LeftOut) -> Iterator[str]:
        for scope, body in self._scopes():
            own = [part for one in body for part in _own(one)]
            texts = [
                one for one in own if isinstance(one, ast.JoinedStr | ast.Constant | ast.BinOp)
            ]
            if not texts:
                continue
            parts = (inner for one in texts for inner in _parts_of(one))
            skipped = {*parts, *(part for one in left_out(body) for part in ast.walk(one))}
            for node in texts:
                if node not in skipped and id(node) not in self._docstrings:
                    yield from self._known(node, scope)

    def _scopes(self) -> Iterator[tuple[dict[str, ast.expr], Sequence[ast.stmt]]]:
        """Yield what is at home in the module, and each of its functions."""
        yield self._constants, self.tree.body
        for one in self._functions:
            yield self._constants | _locals_of(one), one.body

    def _known(self, node: ast.expr, scope: dict[str, ast.expr]) -> Sequence[str]:
        found = self._follow(node, scope, _MAX_DEPTH)
        texts = [] if found is None else found
        return [_FORMATTED.sub(PLACE, text) for text in texts]

    def _follow(
        self, node: ast.expr, scope: dict[str, ast.expr], depth: int
    ) -> Sequence[str] | None:
        """Return the texts that an expression may be; None for what is no text of the source."""
        if depth == 0:
            return None
        if isinstance(node, ast.Constant):
            return [node.value] if isinstance(node.value, str) else None
        if isinstance(node, ast.JoinedStr | ast.BinOp):
            parts = [self._follow(one, scope, depth - 1) or [PLACE] for one in _pieces(node)]
            return ["".join(one) for one in product(*parts)] if parts else None
        choices = self._choices(node, scope)
        found = [self._follow(one, at, depth - 1) for one, at in choices]
        known = [one for one in found if one is not None]
        if not choices or len(known) < len(found):
            return None
        return [text for one in known for text in one]

    def _choices(
        self, node: ast.expr, scope: dict[str, ast.expr]
    ) -> Sequence[tuple[ast.expr, dict[str, ast.expr]]]:
        """Return the expressions of which one is meant, each with what its names stand for."""
        if isinstance(node, ast.FormattedValue):
            return [(node.value, scope)]
        if isinstance(node, ast.IfExp):
            return [(node.body, scope), (node.orelse, scope)]
        if isinstance(node, ast.Name) and node.id in scope:
            rest = {name: value for name, value in scope.items() if name != node.id}
            return [(scope[node.id], rest)]
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
            table = scope.get(node.value.id)
            return [(one, scope) for one in table.values] if isinstance(table, ast.Dict) else []
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            return self._returned(node.func.id)
        return []

    def _returned(self, name: str) -> Sequence[tuple[ast.expr, dict[str, ast.expr]]]:
        found = []
        for function in (one for one in self._functions if one.name == name):
            scope = self._constants | _locals_of(function)
            returns = [one for one in ast.walk(function) if isinstance(one, ast.Return)]
            found += [(one.value, scope) for one in returns if one.value is not None]
        return found


def _assigned(body: object) -> Iterator[tuple[str, ast.expr]]:
    """Yield what statements give names, the names of a tuple left out."""
    for one in body if isinstance(body, list) else []:
        if isinstance(one, ast.Assign) and isinstance(one.targets[0], ast.Name):
            yield one.targets[0].id, one.value
        elif isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name) and one.value:
            yield one.target.id, one.value


def _locals_of(function: ast.AST) -> dict[str, ast.expr]:
    """Return what the names of a function stand for: one given several values is any of them."""
    found: dict[str, ast.expr] = {}
    for part in ast.walk(function):
        for body in (getattr(part, "body", []), getattr(part, "orelse", [])):
            for name, value in _assigned(body):
                before = found.get(name)
                found[name] = value if before is None else ast.IfExp(value, before, value)
    return found


def _docstrings(tree: ast.Module) -> Iterator[int]:
    for part in ast.walk(tree):
        body = getattr(part, "body", None)
        if isinstance(part, (ast.Module, ast.ClassDef, *_DEFINITIONS)) and isinstance(body, list):
            yield from (id(one.value) for one in body[:1] if isinstance(one, ast.Expr))


def _own(node: ast.AST) -> Iterator[ast.expr]:
    """Yield the expressions of a statement, but for those of functions in it."""
    if isinstance(node, _DEFINITIONS):
        return
    if isinstance(node, ast.expr):
        yield node
    for child in ast.iter_child_nodes(node):
        yield from _own(child)


def _parts_of(text: ast.expr) -> Iterator[ast.AST]:
    if not isinstance(text, ast.Constant):
        yield from (inner for inner in ast.walk(text) if inner is not text)


def _pieces(node: ast.JoinedStr | ast.BinOp) -> Sequence[ast.expr]:
    if isinstance(node, ast.JoinedStr):
        return node.values
    return [node.left, node.right] if isinstance(node.op, ast.Add) else []


def _nothing(_: Sequence[ast.stmt]) -> Iterator[ast.AST]:
    return iter(())


def _said_by_errors(body: Sequence[ast.stmt]) -> Iterator[ast.AST]:
    """Yield the calls that make errors, and what stands in names that they are given."""
    calls = [part for one in body for part in ast.walk(one) if isinstance(part, ast.Call)]
    errors = [one for one in calls if _name_of(one.func) in _ERRORS]
    yield from errors
    given = {part.id for one in errors for part in ast.walk(one) if isinstance(part, ast.Name)}
    for one in body:
        for part in ast.walk(one):
            yield from (value for name, value in _assigned([part]) if name in given)


def _named(call: ast.Call, *names: str) -> bool:
    return isinstance(call.func, ast.Name) and call.func.id in names


def _name_of(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr if function.attr in _ERRORS else _name_of(function.value)
    return function.id if isinstance(function, ast.Name) else ""


@cache
def modules() -> Sequence[Module]:
    """Return all modules of the service."""
    return [Module(path) for path in sorted(SOURCE.rglob("*.py"))]


def filled(sentence: str) -> tuple[str, Sequence[str]]:
    """Return a sentence with signs in its places, and those signs."""
    first, *rest = sentence.split(PLACE)
    signs = [f"⟨{number}⟩" for number in range(1, len(rest) + 1)]
    return first + "".join(sign + text for sign, text in zip(signs, rest, strict=True)), signs
