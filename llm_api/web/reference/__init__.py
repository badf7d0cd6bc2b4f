"""The API document as a page to read: `/reference`."""
