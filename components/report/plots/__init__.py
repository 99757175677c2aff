"""The page's plots: one file a plot; each returns an inline SVG in the page's own colours."""
