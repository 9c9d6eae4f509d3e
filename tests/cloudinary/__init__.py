"""The Cloudinary feature against a stub of the service: faults, attacks, processes that die."""
