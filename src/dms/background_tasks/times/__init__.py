"""How far each trigger has come, and what comes due next."""
