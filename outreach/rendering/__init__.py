"""From a campaign's source to one wire-ready message per person.

    message.compile_message(source)     once per campaign and language
    compose.Composer.compose(person)    once per person
    preview.render_preview(...)         what that person will read, as plain text

Nothing here knows a database, a file layout or a network.
"""
