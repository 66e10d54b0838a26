"""Pieces of pages: what several share (`page`, `pick`, `figure`), and what one page is made of."""
