"""Sending an approved campaign: start reading at `pipeline`."""
