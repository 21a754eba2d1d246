"""The only place that talks to a database: tables, dialects, and one module for each family of rows."""
