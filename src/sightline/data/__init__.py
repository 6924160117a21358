"""Datasets: their layouts, their state, and one to draw."""
