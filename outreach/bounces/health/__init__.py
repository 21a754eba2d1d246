"""Where every mail went, by receiving provider, and what to do next: the deliverability report."""
