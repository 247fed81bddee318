"""The cover mail as a draft that mail programs open (RFC 5322). Nothing is sent from here."""

from __future__ import annotations

from collections.abc import Mapping
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as _SMTP

from sfexit.cancellation.letters import SWITCHING, Facts, both, safe
from sfexit.cancellation.wording import Wording, fill, plain

# A folded subject with letters beyond ASCII gets a second blank at the fold: headers stay in one
# line, up to what RFC 5322, 2.1.1 allows.
_POLICY = _SMTP.clone(max_line_length=998)
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
    }
    named = {key: words.apart(safe(value)) for key, value in named.items()}
    keys = ["greeting", "opening", "form", "confirm", "regards"]
    if any(name.startswith(SWITCHING) for name in attached):
        keys.insert(2, "switching")
    said = [plain(fill(words.text("mail", key), named)) for key in keys]
    signed = safe(told.signatory) or f"________ [{words.labels['blank']}]"
    said.append(f"{signed}\n{safe(told.customer)}\n")
    mail = EmailMessage(policy=_POLICY)
    mail["Subject"] = plain(fill(words.text("mail", "subject"), named))
    if told.contact_email:
        mail["From"] = _address(told.contact_email)
    to = [_address(one.email) for one in told.notice.addressees if one.email]
    if to:
        mail["To"] = to
    mail["Content-Language"] = words.code
    mail["X-Unsent"] = "1"  # Outlook then opens it as a draft
    mail.set_content("\n\n".join(said), cte="quoted-printable")
    for name, content in attached.items():
        main, sub = _TYPES["." + name.rsplit(".", 1)[1]]
        mail.add_attachment(content, maintype=main, subtype=sub, filename=name)
    return mail.as_bytes()


def _address(text: str) -> Address:
    name, _, domain = safe(text).rpartition("@")
    return Address(username=name, domain=domain)
