"""Programs for those who work on this repository; the service does not need them."""
