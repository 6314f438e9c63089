"""A network's operations recorded, and followed with a skeleton of it; how its channels transform."""
