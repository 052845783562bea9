"""Documents: what receipts and refund documents say, their numbers and their PDF files. Their pages
and emails stand elsewhere.
"""
