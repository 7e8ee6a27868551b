"""Who may do what, how somebody who comes in by a door becomes a Caller; who the node is, and where it is found."""
