"""The gate before a campaign is planned: one module for each check. Its checks come with the campaigns issue."""
