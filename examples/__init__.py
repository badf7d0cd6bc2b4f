"""What can be built onto the service: see README.md."""
