"""The service of a module under gunicorn, looked into after each test as in `tests/faults`."""

from tests.faults.conftest import gateway, prelude, service, service_env, upstream

__all__ = ["gateway", "prelude", "service", "service_env", "upstream"]
