"""What a case claims about the CSMS: findings, clauses, orders, and the history that they are judged by."""
