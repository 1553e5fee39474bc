"""Reconciliation: the search for the record of a lost submit."""
