"""Pictures: what a file is, reading those of callers, writing formats, drawing, measuring.

`pictures.Pictures` is the entry, `facts` has its results and errors. `headers` reads what a file
says of itself, in this process. Everything that decodes or encodes runs in a `pool` of `process`es:
Pillow is C code that reads hostile input, and takes seconds of a worker's only thread. `wire` is
what is said between a worker and such a process; `child` is its program.

`meter.PictureMeter` is the entry for measurements, which `measured` reads; `measuring` is the
program of its process.
"""
