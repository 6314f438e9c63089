"""How a network is followed: its operations recorded, and run on a skeleton of it; what its channels transform like."""
