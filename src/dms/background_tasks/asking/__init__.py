"""What is told of tasks: how they are, why, what is to come."""
