"""The loop: messages in, decisions carried out."""
