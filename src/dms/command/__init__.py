"""What can be asked of a node: operations, and the commands that ask for them. Every door leads here."""
