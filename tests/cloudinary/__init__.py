"""Tests of the Cloudinary feature against a stub of the service: faults, attacks, and workers that die."""
