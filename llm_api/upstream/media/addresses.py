"""Where a vendor's API is: below the configured address, or elsewhere at its origin."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from llm_api.upstream import faults


@dataclass(frozen=True, slots=True)
class Target:
    """An address: the origin, and what is asked for there."""

    origin: str
    path: str

    @property
    def url(self) -> str:
        """The whole address."""
        return self.origin + self.path


def target_of(base: str, root: str | None, path: str) -> Target:
    """Return the address of a path.

    Args:
        base: the configured address.
        root: where the API is at its origin; None for the address as it is configured.
        path: below that; or a whole address of the same origin.

    Raises:
        faults.Fault: if it is the address of another origin.
    """
    parts = urlsplit(base)
    origin = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    if path.startswith(("http://", "https://")):
        if not is_same_origin(base, path):
            raise faults.bad_response("an address of another server")
        asked = urlsplit(path)
        query = f"?{asked.query}" if asked.query else ""
        return Target(origin, (asked.path or "/") + query)
    folder = parts.path.rstrip("/")
    if root is not None and not (root and folder.endswith(root)):
        folder = root
    return Target(origin, folder + path)


def is_same_origin(base: str, url: str) -> bool:
    """Whether an address belongs to the server of another one."""
    try:
        ours, theirs = (_origin(one) for one in (base, url))
    except ValueError:  # no port
        return False
    return ours == theirs


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, parts.hostname, port
