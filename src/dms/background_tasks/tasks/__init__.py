"""What a task is: its definition, and what it may and may not do."""
