"""How a case drives its station: set-up, wire, scripted station and probe."""
