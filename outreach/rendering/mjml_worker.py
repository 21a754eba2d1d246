"""MJML in, HTML out, in a process of its own: the Rust engines end the whole process on some inputs.

Run as `python -P mjml_worker.py`; MJML on standard input, HTML on standard output. Exits 1 with one
line on standard error when the engine refuses. Reads no file and opens no connection.
"""

from __future__ import annotations

import contextlib
import re
import sys

import css_inline
import mjml

MEMORY_BYTES = 1_000_000_000
# MJML's own resets are for the head; copied onto every table they would be half of the message.
_RESET = re.compile(r'<style type="text/css">(?=\s*#outlook a)')
_KEEP = 'data-css-inline="ignore"'
_UNSAID = re.compile(r'(<html\b[^>]*?) lang="und"')


def html_of(source: str) -> str:
    """Compile and inline. ValueError when either engine refuses."""
    # Without `fonts` the engine imports every font it knows by name from Google, which would then see each reader.
    compiled: str = mjml.mjml2html(source, fonts={})
    compiled = _RESET.sub(f'<style type="text/css" {_KEEP}>', compiled, count=1)
    inliner = css_inline.CSSInliner(
        keep_style_tags=True, keep_at_rules=True, remove_inlined_selectors=True, load_remote_stylesheets=False
    )
    # The engine says "undetermined" where nothing was said, which checkers take for an answer.
    return _UNSAID.sub(r"\1", inliner.inline(compiled).replace(f" {_KEEP}", ""), count=1)


def main() -> int:
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource  # not on Windows

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    try:
        html = html_of(sys.stdin.buffer.read().decode())
    except Exception as error:  # whatever the engines raise becomes the parent's one line
        sys.stderr.write(f"{error}".splitlines()[0][:300] if str(error) else type(error).__name__)
        return 1
    sys.stdout.buffer.write(html.encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
