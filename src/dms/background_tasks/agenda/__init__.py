"""The decisions: what a fire leads to, who may start, what an end means."""
