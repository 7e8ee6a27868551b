"""When: what a user says of it, and the cron engine."""
