"""The tests about an assembled project, which run in every project with the guard."""
