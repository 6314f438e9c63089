"""Group-equivariant networks: their groups, their fields, their layers and the catalog that builds them."""
