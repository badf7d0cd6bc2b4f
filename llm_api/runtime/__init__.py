"""What the process does beside requests, and how its threads wait for each other.

`deadlines` ends waits on sockets, `drain` is the end of the process, `native_threads` runs what
blocks, `periodic_thread` repeats a task, `cooldown` leaves a failing dependency alone,
`concurrency` bounds what runs at once, `file_limits` what the process may open, and `late_imports`
loads libraries with their first use.
"""
