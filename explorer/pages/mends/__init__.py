"""The Mends page."""
