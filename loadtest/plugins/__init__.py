"""What takes part in a load run beside the measuring; plugins do not know one another."""
