"""What other packages bring to a node: found by their entry points, made within a deadline, checked before it counts.

The node's own tasks come the same way, but for the finding: see `node_tasks`.
"""
