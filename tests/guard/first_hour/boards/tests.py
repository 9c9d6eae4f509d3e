def test_of_the_project() -> None:
    """Its tests are a module, beside which no table of tests has a place."""
