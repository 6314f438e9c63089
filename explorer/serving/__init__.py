"""Networks as visitors use them: built, kept, measured within a memory budget."""
