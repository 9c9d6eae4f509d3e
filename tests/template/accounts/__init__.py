"""Tests of the accounts app on a production server: in a browser, and in parallel."""
