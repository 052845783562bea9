"""What runs around the application: the server, and its answers to a supervisor's health checks.
Nothing here shows a page or knows a product.
"""
