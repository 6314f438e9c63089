"""Field-typed plain layers, export to them, the reader of escnn modules, windows, symmetric subsampling."""
