"""Who may do what, and how somebody who comes in by a door becomes a Caller."""
