"""The check of the checker: strict and lenient clean, each defect found by exactly its cases."""
