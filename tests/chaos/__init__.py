"""A minute of chaos: workers die, the database is away, and every call is in the books once.

The service runs under gunicorn with four workers on PostgreSQL, and clients call it all the time.

* ``load``: the clients, and how each call ended for its client. ``accidents``: what befalls the
  service meanwhile. ``minute``: both together, and the calm after them.
* ``books``: the checker, which compares what clients and upstream saw with what the database holds.
* ``test_books``: the checker finds what is wrong. ``test_chaos``: after the minute nothing is.

The seed decides on the calls and on which workers die. It does not decide on what happens first of
two things at the same time, so that a seed gives a similar minute and not the same.
"""
