"""The Look page."""
