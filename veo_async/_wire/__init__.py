"""HTTP and JSON: the calls to the API, and what their answers say."""
