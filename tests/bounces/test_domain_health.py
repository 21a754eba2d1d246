"""The doctor's questions to the DNS: every finding has the exact record, and silence is not absence."""

from __future__ import annotations

import base64
import datetime as dt
from pathlib import Path

import pytest
import spf as pyspf
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given, seed
from hypothesis import strategies as st

from outreach.preflight.dns import Zone
from outreach.preflight.domain import dmarc, receiving, spf
from outreach.preflight.domain.checks import Identity, run
from outreach.preflight.domain.verdicts import Verdict

HEALTHY = {
    "news.city.example TXT": ["v=spf1 ip4:192.0.2.10 include:relay.example -all"],
    "relay.example TXT": ["v=spf1 ip4:198.51.100.0/24 -all"],
    "_dmarc.city.example TXT": ["v=DMARC1; p=reject; rua=mailto:dmarc@city.example"],
    "news.city.example MX": ["10 mx.city.example."],
    "city.example MX": ["10 mx.city.example."],
    "mx.city.example A": ["192.0.2.20"],
    "10.2.0.192.in-addr.arpa PTR": ["out.city.example."],
    "out.city.example A": ["192.0.2.10"],
    "_mta-sts.news.city.example TXT": ["v=STSv1; id=1"],
    "_smtp._tls.news.city.example TXT": ["v=TLSRPTv1; rua=mailto:tls@city.example"],
    "default._bimi.city.example TXT": ["v=BIMI1; l=https://city.example/sign.svg"],
}
POLICY = "version: STSv1\nmode: enforce\nmx: *.city.example\nmax_age: 604800\n"


@pytest.fixture
def key(tmp_path: Path) -> tuple[Path, str]:
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    path = tmp_path / "dkim.pem"
    pkcs8 = serialization.PrivateFormat.PKCS8
    path.write_bytes(private.private_bytes(serialization.Encoding.PEM, pkcs8, serialization.NoEncryption()))
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    public = private.public_key().public_bytes(serialization.Encoding.DER, spki)
    return path, f"v=DKIM1; k=rsa; p={base64.b64encode(public).decode()}"


def examine(key: tuple[Path, str], changed: dict[str, list[str] | None] | None = None) -> dict[str, tuple[str, str]]:
    path, record = key
    zone = Zone({**HEALTHY, "outreach._domainkey.news.city.example TXT": [record], **(changed or {})})
    identity = Identity(
        sending="news.city.example",
        senders=("works@city.example",),
        tracking="links.city.example",
        selector="outreach",
        key=path,
        addresses=("192.0.2.10",),
    )
    found = run(zone, identity, fetch=lambda url: POLICY, now=dt.datetime.now(dt.UTC))
    return {each.name: (each.verdict.value, each.fix) for each in found}


def test_a_healthy_domain_has_nothing_to_mend(key: tuple[Path, str]) -> None:
    assert {verdict for verdict, _ in examine(key).values()} == {"ok"}


@pytest.mark.parametrize(
    ("name", "changed", "verdict", "fix"),
    [
        ("spf news.city.example", {"news.city.example TXT": []}, "fail", '"v=spf1 ip4:192.0.2.10 -all"'),
        ("spf news.city.example", {"news.city.example TXT": ["v=spf1 -all"]}, "fail", '"v=spf1 ip4:192.0.2.10 -all"'),
        ("spf news.city.example", {"news.city.example TXT": ["v=spf1 -all", "v=spf1 mx"]}, "fail", "v=spf1"),
        ("spf news.city.example", {"news.city.example TXT": ["v=spf1 +all"]}, "fail", '"v=spf1 -all"'),
        ("spf news.city.example", {"news.city.example TXT": None}, "unknown", "name servers"),
        (
            "dkim outreach._domainkey.news.city.example",
            {"outreach._domainkey.news.city.example TXT": []},
            "fail",
            'outreach._domainkey.news.city.example. TXT "v=DKIM1; k=rsa; p=MIIB',
        ),
        (
            "dkim outreach._domainkey.news.city.example",
            {"outreach._domainkey.news.city.example TXT": ["v=DKIM1; p=AAAA"]},
            "fail",
            "p=MIIB",
        ),
        ("dmarc city.example", {"_dmarc.city.example TXT": []}, "fail", "p=none; rua=mailto:dmarc@news.city.example"),
        (
            "dmarc city.example",
            {"_dmarc.city.example TXT": ["v=DMARC1; p=reject; pct=50; rua=mailto:d@city.example"]},
            "warning",
            '"v=DMARC1; p=reject; rua=mailto:d@city.example"',
        ),
        (
            "dmarc city.example",
            {"_dmarc.city.example TXT": ["v=DMARC1; p=none; rua=mailto:d@city.example"]},
            "warning",
            "p=quarantine",
        ),
        ("mx news.city.example", {"news.city.example MX": []}, "fail", "MX 10"),
        ("mx news.city.example", {"news.city.example MX": ["0 ."]}, "fail", "MX 10"),
        ("mx city.example", {"mx.city.example A": []}, "fail", "mx.city.example. A"),
        ("ptr 192.0.2.10", {"10.2.0.192.in-addr.arpa PTR": []}, "fail", "10.2.0.192.in-addr.arpa. PTR"),
        ("ptr 192.0.2.10", {"out.city.example A": ["192.0.2.99"]}, "fail", "PTR"),
        (
            "mta-sts news.city.example",
            {"news.city.example MX": ["5 mx.other.example."]},
            "fail",
            "mx: mx.other.example",
        ),
        ("tls-rpt news.city.example", {"_smtp._tls.news.city.example TXT": []}, "warning", "v=TLSRPTv1"),
    ],
)
def test_what_is_wrong_comes_with_the_record_to_publish(
    key: tuple[Path, str], name: str, changed: dict[str, list[str] | None], verdict: str, fix: str
) -> None:
    found = examine(key, changed)[name]
    assert found[0] == verdict
    assert fix in found[1]


def test_alignment_follows_the_tree(key: tuple[Path, str]) -> None:
    zone = Zone({"_dmarc.city.example TXT": ["v=DMARC1; p=none"], "_dmarc.example TXT": ["v=DMARC1; p=none; psd=y"]})
    assert dmarc.aligned(zone, "works.city.example", "news.city.example")
    assert not dmarc.aligned(zone, "works.city.example", "other.example")


def test_the_tree_walk_asks_at_most_eight_questions() -> None:
    zone = Zone({})
    dmarc.walk(zone, ".".join(["a"] * 40) + ".example")
    assert len(zone.asked) == 8


def test_blocklists_that_do_not_answer_us_are_not_a_listing() -> None:
    zone = Zone({"10.2.0.192.zen.spamhaus.org A": ["127.255.255.254"], "10.2.0.192.bl.spamcop.net A": ["127.0.0.2"]})
    verdicts = [each.verdict for each in receiving.blocklists(zone, ("192.0.2.10",))]
    assert verdicts == [Verdict.UNKNOWN, Verdict.FAIL, Verdict.OK]


# --- SPF, against another implementation ----------------------------------------------------------------------------

NAMES = ["a.example", "b.example", "c.example", "d.example"]
terms = st.one_of(
    st.sampled_from(["ip4:192.0.2.1", "ip4:192.0.2.0/24", "ip4:198.51.100.7", "ip6:2001:db8::/32", "a", "mx", "mx/24"]),
    st.sampled_from(NAMES).map("include:{}".format),
    st.sampled_from(NAMES).map("a:{}/28".format),
    st.sampled_from(NAMES).map("exists:{}".format),
    st.sampled_from(["ip4:nonsense", "unknown", "include:", "x=y"]),
)
qualified = st.tuples(st.sampled_from(["", "", "-", "~", "?"]), terms).map("".join)
records = st.builds(
    lambda parts, ending: " ".join(["v=spf1", *parts, *([ending] if ending else [])]),
    st.lists(qualified, max_size=4),
    st.sampled_from(["", "-all", "~all", "all", "redirect=c.example"]),
)
zones = st.fixed_dictionaries(
    {
        **{f"{name} TXT": st.lists(records, max_size=1) for name in NAMES},
        **{f"{name} A": st.lists(st.sampled_from(["192.0.2.1", "198.51.100.7"]), max_size=2) for name in NAMES},
        **{f"{name} MX": st.lists(st.sampled_from(["10 a.example.", "10 b.example."]), max_size=1) for name in NAMES},
    }
)


@seed(7)
@given(zones, st.sampled_from(["192.0.2.1", "192.0.2.77", "198.51.100.7", "203.0.113.5"]))
def test_spf_is_judged_as_pyspf_judges_it(zone: dict[str, list[str]], address: str) -> None:
    def lookup(name: str, kind: str, tcpfallback: bool = True, timeout: int = 30) -> list[object]:
        found = zone.get(f"{name.rstrip('.').lower()} {kind}", [])
        if kind == "TXT":
            return [((name, kind), (each.encode(),)) for each in found]
        if kind == "MX":
            return [((name, kind), (10, each.split()[1].rstrip("."))) for each in found]
        return [((name, kind), each) for each in found]

    pyspf.DNSLookup = lookup
    theirs = pyspf.query(i=address, s="x@a.example", h="a.example", strict=True).check()[0]
    try:
        ours = spf.evaluate(Zone(zone), "a.example", address, spf.Tally())
    except spf.PermError:
        ours = "permerror"
    except RecursionError:
        ours = "recursion"
    assert ours == theirs
