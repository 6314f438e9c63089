"""The Orbit page."""
