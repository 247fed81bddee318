"""The cover mail as a draft that mail programs open (RFC 5322). Nothing is sent from here."""

from __future__ import annotations

from collections.abc import Mapping
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP

from sfexit.cancellation.letters import Facts, both, safe
from sfexit.cancellation.wording import Wording, fill, plain

_TYPES = {
    ".pdf": ("application", "pdf"),
    ".docx": ("application", "vnd.openxmlformats-officedocument.wordprocessingml.document"),
}


def cover(facts: Facts, words: Wording, attached: Mapping[str, bytes]) -> bytes:
    """The mail with its attachments (file name → content)."""
    told = facts.contract
    named = {
        "contract": told.number,
        "org": facts.org_id or "–",
        "end": both(words, told.end),
        "customer": told.customer,
        "signatory": told.signatory or f"________ [{words.labels['blank']}]",
    }
    named = {key: safe(value) for key, value in named.items()}
    mail = EmailMessage(policy=SMTP)
    mail["Subject"] = plain(fill(words.text("mail", "subject"), named))
    if told.contact_email:
        mail["From"] = _address(told.contact_email)
    to = [_address(one.email) for one in told.notice.addressees if one.email]
    if to:
        mail["To"] = to
    mail["Content-Language"] = words.code
    mail["X-Unsent"] = "1"  # Outlook then opens it as a draft
    mail.set_content(plain(fill(words.text("mail", "body"), named)))
    for name, content in attached.items():
        main, sub = _TYPES["." + name.rsplit(".", 1)[1]]
        mail.add_attachment(content, maintype=main, subtype=sub, filename=name)
    return mail.as_bytes()


def _address(text: str) -> Address:
    name, _, domain = safe(text).rpartition("@")
    return Address(username=name, domain=domain)
