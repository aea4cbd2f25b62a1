"""What cars do all day, as pure functions of the seed: when they come, how long they stay, what they want."""
