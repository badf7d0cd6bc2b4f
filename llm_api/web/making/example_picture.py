"""The picture of the examples in the API document: whatever it is sent to, nothing is fetched."""

# Of one pixel, which is all that a page of examples has room for.
ONE_PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8"
    "BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
)
