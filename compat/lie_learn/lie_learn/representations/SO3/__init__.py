"""Stand-in for lie_learn: see pyproject.toml beside this package."""
