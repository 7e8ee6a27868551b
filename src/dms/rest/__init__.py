"""REST: the operations as resources, beside health, metrics and their own description."""
