"""What `make security` shows: each figure is measured against its bar, printed, and written as JSON."""
