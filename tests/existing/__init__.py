"""Two projects that are not of this template, and what the tests do with them."""
