"""Is the domain fit to send? One module for each record; `checks` asks them all and says what to publish."""
