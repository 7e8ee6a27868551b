"""The node's own background tasks, one a file. They have slots of their own beside the users'."""
