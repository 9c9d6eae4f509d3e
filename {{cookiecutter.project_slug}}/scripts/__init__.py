"""What people and CI run alike; the standard library is all it needs."""
