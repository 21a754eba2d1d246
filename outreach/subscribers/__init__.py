"""People: bringing them in from other systems' exports, showing and exporting them, and keeping their choices."""
