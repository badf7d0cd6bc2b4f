"""Jobs: work of minutes that vendors are paid for, each a task that outlives client and process.

`parts` asks a vendor and looks at its task, `job_run` makes the parts of a job and falls back,
`document` is what its task keeps, `outcome` what has become of it, `accounts` what it costs.
What is made is said by who uses it: pictures or films.
"""
