"""What happened, exactly, and the words for it."""
