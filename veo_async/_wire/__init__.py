"""HTTP and JSON: the calls to the API, and their answers."""
