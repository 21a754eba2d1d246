"""The practice world: a made-up city, its mailboxes and its residents. `outreach demo` plays with it.

Everything here is real at the edges (files, SMTP, HTTP) and made up inside. All addresses are at
reserved `.example` domains (RFC 2606), so that nothing can reach a living person.
"""
