"""The small model that comes with the installation."""
