"""What the image routes of both dialects share.

`image_orders` has what was asked for, and runs it. `picture_parts` and `image_errors` are what
they answer; `base64_bodies` writes pictures into answers.
"""
