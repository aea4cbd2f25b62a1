"""What a run leaves behind: the run folder, its files, the words for its verdicts, and the exit codes."""
