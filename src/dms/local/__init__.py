"""The local door: JSON-RPC over a Unix socket in the data folder, one message a line, open to the node's own user."""
