"""Sending what costs money: one POST, its verdict, and what follows."""
