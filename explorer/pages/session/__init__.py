"""What belongs to one visitor: key, runs, what is computed for them."""
