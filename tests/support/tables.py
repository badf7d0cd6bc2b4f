"""Tables of cases that are one test: an item of pytest's costs more than most cases take.

Each item is collected by every worker, set up, taken down and reported; with thousands of cases
that was minutes of `make test`.
"""

import inspect
from collections.abc import Callable, Iterable
from typing import Any

_SHOWN = 20  # cases that failed
_MAX_WIDTH = 1_000  # characters of each

Test = Callable[..., None]


def each(names: str | tuple[str, ...], cases: Iterable[Any]) -> Callable[[Test], Test]:
    """Hold a test to all cases, as `pytest.mark.parametrize` does, in one item.

    All cases are tried, and the failure names each that failed. Fixtures are shared by them: it
    is for cases that leave nothing behind.

    Args:
        names: the argument that a case is, or the arguments that it has.
        cases: at least one.
    """
    table = list(cases)
    assert table, "there is no case"

    def decorate(test: Test) -> Test:
        asked = (names,) if isinstance(names, str) else names

        def hold(**fixtures: Any) -> None:
            failed = []
            for case in table:
                values = (case,) if isinstance(names, str) else case
                given = dict(zip(asked, values, strict=True))
                try:
                    test(**given, **fixtures)
                except Exception as error:  # noqa: BLE001  # whatever it is, the case has failed
                    failed.append(f"{given}: {type(error).__name__}: {error}"[:_MAX_WIDTH])
            if failed:
                head = f"{len(failed)} of {len(table)} cases failed"
                raise AssertionError("\n".join([head, *failed[:_SHOWN]]))

        signature = inspect.signature(test)
        left = [one for name, one in signature.parameters.items() if name not in asked]
        vars(hold).update(vars(test), __signature__=signature.replace(parameters=left))
        hold.__name__, hold.__qualname__ = test.__name__, test.__qualname__
        hold.__module__, hold.__doc__ = test.__module__, test.__doc__
        return hold

    return decorate
