"""gunicorn's worker, and the errors that arise before a request reaches Flask."""
