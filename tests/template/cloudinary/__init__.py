"""Tests of the Cloudinary feature against a stub of the service.

The tests are of faults, attacks, and workers that die.
"""
