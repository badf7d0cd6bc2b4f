"""What the image routes of both dialects share.

`picture_bodies` reads bodies with pictures in them, `orders` has what was asked for, and
`picture_sources` reads the callers' pictures. `jobs` runs orders, and `repeats` joins a repeated
request to its job. `base64_bodies` writes pictures into answers.
"""
