"""Mail that comes back becomes events: by Maildir, pipe, IMAP, or SMTP and LMTP from an MTA's alias.

collect -> read (in a worker) -> prove -> decide -> event and effect -> only then forget the mail
"""
