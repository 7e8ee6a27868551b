"""Where a node is put together, started and stopped."""
