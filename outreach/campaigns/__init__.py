"""From one text file to a sent campaign: definition, audience, plan, approval, sending."""
