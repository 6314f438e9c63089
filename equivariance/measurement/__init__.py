"""What is measured: errors of every layer, rounding, and the verdict of theory and measurement."""
