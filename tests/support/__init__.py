"""What the tests stand on: real processes and real sockets in place of mocks.

* ``upstream`` and ``replies``: an OpenAI-compatible server that answers what a test scripts.
* ``tls``: the same behind TLS.
* ``paced``: replies that a test steers while they are sent.
* ``raw``: an HTTP client that sends bytes as they are; ``wire`` is the format both sides share.
* ``live``: one that reads an answer as it comes in, and leaves when it wants to.
* ``service``: the service under gunicorn, as an operator runs it; ``schema`` fills its database.
* ``timings``: shorter times for what a test would have to sit out.
* ``visit``: `flask doctor`, and an upstream that is in good health.
* ``servers``: PostgreSQL and Valkey out of wheels, with no root and nothing installed.
* ``mariadb``: MariaDB, where the operating system has it installed.
* ``processes``, ``ports`` and ``waiting``: what the others need of the operating system.

Everything is a context manager, listens on loopback only and leaves nothing running behind.
"""
