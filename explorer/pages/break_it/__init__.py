"""The Break it page."""
