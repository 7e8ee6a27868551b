"""Tasks, triggers and the scheduler that runs them: the heart of DMS, and a library by itself."""
