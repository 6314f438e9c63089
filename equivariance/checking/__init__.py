"""One question about one network: what it is asked of, what is compared, and what is answered."""
