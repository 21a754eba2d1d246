"""What happened to a campaign: the balance, the figures, and the three ways to show them."""
