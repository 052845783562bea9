"""Languages, their translations (`locale/`), and how amounts, dates and durations are written in
them. The English texts stand in templates and in the code that shows them.
"""
