"""WSGI layers around Flask."""
