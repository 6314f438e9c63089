"""The layer view: every layer's maps and errors, drawn in the browser."""
