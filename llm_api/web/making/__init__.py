"""What the routes that make pictures and films share, in all dialects.

`picture_bodies` reads bodies with pictures in them, `picture_sources` the callers' pictures, for
the judge as well. `orders` has the fields of orders; `jobs` runs them, and `repeats` joins a
repeated request to its job. `answer_parts` and `example_errors` are what they answer.
"""
