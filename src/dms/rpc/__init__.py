"""JSON-RPC 2.0, sans-IO: text in, messages out; answers in, text out. Nothing here waits or touches the machine."""
