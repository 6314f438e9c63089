"""From bytes to a picture of a size."""
