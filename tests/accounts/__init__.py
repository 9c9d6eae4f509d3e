"""The accounts app, as it runs in production: in a browser, and under attack."""
