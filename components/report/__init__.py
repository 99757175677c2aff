"""What people read at the end of a run: the page, its plots, and the console's last lines."""
