"""The live page: a small server on the board, and the page that a technician works with."""
