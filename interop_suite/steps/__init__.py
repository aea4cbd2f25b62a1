"""What case modules share; cases never import one another."""
