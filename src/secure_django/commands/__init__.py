"""Commands for developers and CI. They use only the standard library."""
