"""Finds every error reason in the source code, with the error class that carries it.

A reason reaches an error in one of four ways, and all are read from the syntax tree: as a literal
for a parameter named `reason`, or as its default; as an entry of a table whose name ends in
`REASONS`; as an assignment to a name or attribute `reason`; or as the result of a function whose
name begins with `reason_`.
"""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from llm_api import errors

PARAMETER = "reason"
_WORD = re.compile("[a-z][a-z0-9_]*")  # the doctor gives reasons in sentences
_Nodes = list[ast.AST]  # a file's syntax tree, walked once: several looks at it follow


@dataclass(slots=True)
class Reason:
    """What the code says of a reason.

    `statuses` and `codes` are those of the error classes that carry it, and empty where no class
    is named beside the literal; `retryable` has the values of `details.retryable`.
    """

    statuses: set[int] = field(default_factory=set)
    codes: set[str] = field(default_factory=set)
    retryable: set[bool] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _ErrorClass:
    """The class attributes that decide what a caller sees."""

    status: int
    code: str
    retryable: bool


def collect(folder: Path) -> dict[str, Reason]:
    """Return the reasons in the Python files of a folder, by their word."""
    paths = sorted(folder.rglob("*.py"))
    files = [list(ast.walk(ast.parse(path.read_text("utf-8")))) for path in paths]
    classes = _error_classes(files)
    positions = _reason_positions(files)
    returned = _returned_classes(files, classes)
    reasons: dict[str, Reason] = defaultdict(Reason)
    for nodes in files:
        for words, callee, keywords in _literals(nodes, positions):
            found = classes.get(callee) or classes.get(returned.get(callee, ""))
            for word in words:
                _add(reasons[word], found, keywords)
    return dict(reasons)


def _add(reason: Reason, found: _ErrorClass | None, keywords: Mapping[str, ast.expr]) -> None:
    if found is None:
        return
    reason.statuses.add(found.status)
    reason.codes.add(found.code)
    given = keywords.get("retryable")
    is_literal = isinstance(given, ast.Constant) and isinstance(given.value, bool)
    reason.retryable.add(bool(given.value) if is_literal else found.retryable)  # type: ignore[union-attr]  # a Constant


def _error_classes(files: list[_Nodes]) -> dict[str, _ErrorClass]:
    """Find all subclasses of ApiError by name, those outside errors.py too."""
    found = {
        name: _ErrorClass(kind.status, kind.code, kind.retryable_by_default)
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, errors.ApiError) and hasattr(kind, "code")
    }
    for node in (n for nodes in files for n in nodes if isinstance(n, ast.ClassDef)):
        base = next((found[name] for name in map(_name, node.bases) if name in found), None)
        if base is not None and node.name not in found:
            status = _class_attribute(node, "status")
            found[node.name] = _ErrorClass(
                status if isinstance(status, int) else base.status, base.code, base.retryable
            )
    return found


def _class_attribute(node: ast.ClassDef, name: str) -> object:
    for statement in node.body:
        if isinstance(statement, ast.Assign) and name in map(_name, statement.targets):
            return getattr(statement.value, "value", None)
    return None


def _reason_positions(files: list[_Nodes]) -> dict[str, int]:
    """Return at which position functions and constructors take `reason`, by their name."""
    positions = {}
    for nodes in files:
        for owner, function in _functions(nodes):
            names = [argument.arg for argument in function.args.args]
            if PARAMETER in names:
                is_constructor = function.name in {"__init__", "__new__"}
                name = owner if is_constructor and owner else function.name
                is_method = bool(names) and names[0] in {"self", "cls"}
                positions[name] = names.index(PARAMETER) - is_method
        positions = _field_positions(nodes) | positions
    return positions


def _field_positions(nodes: _Nodes) -> dict[str, int]:
    """Return the same for classes whose constructors are made of their annotated fields."""
    positions = {}
    for node in nodes:
        if isinstance(node, ast.ClassDef) and (node.decorator_list or node.bases):
            fields = [_name(part.target) for part in node.body if isinstance(part, ast.AnnAssign)]
            if PARAMETER in fields:
                positions[node.name] = fields.index(PARAMETER)
    return positions


def _functions(nodes: _Nodes) -> Iterator[tuple[str | None, ast.FunctionDef]]:
    classes = [node for node in nodes if isinstance(node, ast.ClassDef)]
    owners = {child: node.name for node in classes for child in node.body}
    yield from ((owners.get(n), n) for n in nodes if isinstance(n, ast.FunctionDef))


def _returned_classes(files: list[_Nodes], classes: Mapping[str, _ErrorClass]) -> dict[str, str]:
    """Return which error class each function returns by its annotation."""
    return {
        function.name: _name(function.returns)
        for nodes in files
        for function in nodes
        if isinstance(function, ast.FunctionDef)
        and function.returns is not None
        and _name(function.returns) in classes
    }


def _literals(
    nodes: _Nodes, positions: Mapping[str, int]
) -> Iterator[tuple[list[str], str, Mapping[str, ast.expr]]]:
    """Yield words, the name of what takes them, and the other keyword arguments."""
    owners = _super_owners(nodes)
    for node in nodes:
        if isinstance(node, ast.Call):
            keywords = {k.arg: k.value for k in node.keywords if k.arg is not None}
            callee = owners.get(node) or _callee(node.func)
            yield _words(keywords.get(PARAMETER)), callee, keywords
            at = positions.get(callee)
            if at is not None and at < len(node.args):
                yield _words(node.args[at]), callee, keywords
            if _is_table(node.func) and len(node.args) > 1:
                yield _words(node.args[1]), "", {}
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            yield _assigned(node), "", {}
        elif isinstance(node, ast.FunctionDef):
            yield _returned(node) + _default(node), "", {}


def _super_owners(nodes: _Nodes) -> dict[ast.Call, str]:
    """Find calls of `super().__init__`: they make an error of the class they stand in."""
    return {
        call: node.name
        for node in nodes
        if isinstance(node, ast.ClassDef)
        for call in ast.walk(node)
        if isinstance(call, ast.Call) and _is_of_super(call.func)
    }


def _is_of_super(function: ast.expr) -> bool:
    """Tell whether it is `super().__init__`."""
    return (
        isinstance(function, ast.Attribute)
        and function.attr == "__init__"
        and isinstance(function.value, ast.Call)
        and _name(function.value.func) == "super"
    )


def _assigned(node: ast.Assign | ast.AnnAssign) -> list[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    names = [_name(target) for target in targets]
    if PARAMETER in names:
        return _words(node.value)
    if isinstance(node.value, ast.Dict) and any(name.endswith("REASONS") for name in names):
        return [word for value in node.value.values for word in _words(value)]
    return []


def _returned(function: ast.FunctionDef) -> list[str]:
    if not function.name.lstrip("_").startswith(f"{PARAMETER}_"):
        return []
    returns = [node for node in ast.walk(function) if isinstance(node, ast.Return)]
    return [word for node in returns for word in _words(node.value)]


def _default(function: ast.FunctionDef) -> list[str]:
    arguments = function.args
    with_default = arguments.args[len(arguments.args) - len(arguments.defaults) :]
    pairs = [
        *zip(with_default, arguments.defaults, strict=True),
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ]
    return [word for name, value in pairs if name.arg == PARAMETER for word in _words(value)]


def _is_table(function: ast.expr) -> bool:
    return (
        isinstance(function, ast.Attribute)
        and function.attr == "get"
        and _name(function.value).endswith("REASONS")
    )


def _words(value: ast.expr | None) -> list[str]:
    """Return the literals that an expression can be: itself, or a branch of a conditional."""
    if isinstance(value, ast.Constant):
        is_word = isinstance(value.value, str) and _WORD.fullmatch(value.value)
        return [str(value.value)] if is_word else []
    if isinstance(value, ast.IfExp):
        return _words(value.body) + _words(value.orelse)
    if isinstance(value, ast.BoolOp):
        return [word for part in value.values for word in _words(part)]
    return []


def _callee(function: ast.expr) -> str:
    """Return the name that is called; of `InvalidRequest.of_field`, that of the class."""
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
        owner = function.value.id
        return owner if owner[:1].isupper() else function.attr
    return _name(function)


def _name(node: ast.expr | None) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""
