"""The shop's pages, one module for each step of a purchase."""
