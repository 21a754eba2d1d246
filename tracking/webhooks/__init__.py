"""Other systems telling us what happened to our mail, over HTTP."""
