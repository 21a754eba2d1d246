"""The service that residents meet: opens, clicks, unsubscribes. It records; it never decides.

request -> verify token -> spool, group-committed -> answer        (app, spool)
spool -> loader -> the store, binding events first                 (loader)

The service reads link tables and keys from files and never touches a database of the store, so a
redirect works while that is down. `app` is where to start reading.
"""
