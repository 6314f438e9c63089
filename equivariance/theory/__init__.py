"""What follows from a network's structure: sampling grids, exactness, exact sizes, surviving elements."""
