"""Functions and programs run."""
