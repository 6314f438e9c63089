"""Elements, point groups, fields and transforms, and how they act on pictures and on fields."""
