from tests.login.hashing import cheap_hashes, password_hash

__all__ = ["cheap_hashes", "password_hash"]
