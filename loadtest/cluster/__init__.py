"""One load run in many processes: leases, delivery, master and worker."""
