"""What a refusal means: whose fault it is, and what follows from it."""
