"""The WebSocket door: JSON-RPC at `/ws` of the TCP listener, one message a frame, open to whoever shows a token."""
