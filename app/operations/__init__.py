"""What runs around the application: the server, and what supervisors ask about it. Nothing here
shows a page or knows a product.
"""
