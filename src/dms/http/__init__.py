"""The TCP door: one listener that carries REST and the WebSocket, and what it lets through."""
