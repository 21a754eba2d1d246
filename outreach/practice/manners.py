"""The request headers that tell a person's browser from a scanner's, as far as anything does.

Many scanners send a browser's name too, but ask for no language and know nothing of Fetch Metadata.
"""

from __future__ import annotations

BROWSERS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6"
    " Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6"
    " Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0",
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36",
)
PERSON = {"Accept-Language": "en-US,en;q=0.9", "Accept-Encoding": "identity"}
"""Without User-Agent: each person has one of BROWSERS."""
IMAGE = {
    "Accept": "image/avif,image/webp,image/apng,image/*,*/*;q=0.8",
    "Sec-Fetch-Dest": "image",
    "Sec-Fetch-Mode": "no-cors",
    "Sec-Fetch-Site": "cross-site",
}
NAVIGATION = {
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Site": "cross-site",
    "Sec-Fetch-User": "?1",
}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
SCANNER = {
    "User-Agent": "Mozilla/5.0 (compatible; PracticeMailScanner/1.0; +https://scanner.example/)",
    "Accept": "*/*",
    "Accept-Encoding": "identity",
    "X-Practice-Scanner": "1",
}
DISGUISED_SCANNER = {**SCANNER, "User-Agent": BROWSERS[0]}
