"""How master and workers begin, end, are recycled and die: section H of the fault matrix.

The service runs under gunicorn, as an operator runs it; `serving` starts it and puts load on it. A
test's name begins with the line of the matrix that it holds.
"""
