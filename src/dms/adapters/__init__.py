"""What stands behind the ports: the store in a file or in memory, and the data folder. Import the module you need."""
