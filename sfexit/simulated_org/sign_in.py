"""The endpoints that need no session, or tell of one: versions, tokens, who is signed in."""

# ruff: noqa: ARG002 (all handlers share one signature)

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

from .answers import Answer
from .authorization import CODE_GRANT, JWT_GRANT, Authorization
from .errors import ApiError
from .org import NEWEST_VERSION, OLDEST_VERSION, SimulatedOrg
from .request import Request, json_answer

SEASONS = ("Spring", "Summer", "Winter")


def release_label(version: int) -> str:
    """``Spring '26`` for 66."""
    number = version - 31  # 31.0 is Summer '14
    year = 14 + (number + 1) // 3
    season = SEASONS[(number + 1) % 3]
    if season == "Winter":
        year += 1
    return f"{season} '{year:02d}"


class SignIn:
    """How people and programs get into an org."""

    def __init__(self, org: SimulatedOrg) -> None:
        self.org = org
        self.authorization = Authorization(org)

    def versions(self, request: Request) -> Answer:
        """``GET /services/data``: needs no session and does not count."""
        return json_answer(
            [
                {"label": release_label(n), "url": f"/services/data/v{n}.0", "version": f"{n}.0"}
                for n in range(OLDEST_VERSION, NEWEST_VERSION + self.org.doubts.version_68)
            ]
        )

    def token(self, request: Request) -> Answer:
        """``POST /services/oauth2/token``."""
        if request.method != "POST":
            raise ApiError(400, "invalid_request", "must use HTTP POST")
        form = _form(request)
        org = self.org
        grant = form.get("grant_type")
        if org.locked:  # Salesforce Help, "OAuth 2.0 error codes": locked, closed or suspended
            if org.doubts.locked_is_invalid_grant:
                raise ApiError(400, "invalid_grant", "inactive organization")
            raise ApiError(400, "inactive_org", "organization is inactive")
        if grant == JWT_GRANT:
            self.authorization.check_assertion(form.get("assertion", ""), request.base_url)
            return self._token_answer(request, org.new_session())
        if grant not in ("client_credentials", "refresh_token", CODE_GRANT):
            raise ApiError(400, "unsupported_grant_type", "grant type not supported")
        if form.get("client_id") != org.client_id:
            raise ApiError(400, "invalid_client_id", "client identifier invalid")
        secret = form.get("client_secret")
        if secret != org.client_secret and (grant == "client_credentials" or secret):
            raise ApiError(400, "invalid_client", "invalid client credentials")
        if grant == "refresh_token":
            return self._token_answer(request, *org.refresh(form.get("refresh_token", "")))
        if grant == CODE_GRANT:
            scope = self.authorization.exchange(form)
            lasting = self.authorization.gives_refresh_tokens and "refresh_token" in scope
            return self._token_answer(
                request, org.new_session(), org.new_refresh_token() if lasting else None
            )
        return self._token_answer(request, org.new_session())

    def _token_answer(self, request: Request, token: str, refresh: str | None = None) -> Answer:
        org, base = self.org, request.base_url
        answer: dict[str, Any] = {"access_token": token}
        if refresh is not None:
            answer["refresh_token"] = refresh
        answer |= {
            "signature": "c2lnbmF0dXJlIG9mIGEgc2ltdWxhdGVkIG9yZw==",
            "scope": "api refresh_token",
            "instance_url": base,
            "id": f"{base}/id/{org.organization_id}/{org.user_id}",
            "token_type": "Bearer",
            "issued_at": str(int(org.now() * 1000)),
            "api_instance_url": base,
        }
        return json_answer(answer)

    def authorize(self, request: Request) -> Answer:
        """``GET /services/oauth2/authorize``, with a person who says yes at once."""
        onward = self.authorization.page(request.params)
        if isinstance(onward, ApiError):
            page = f"<p>error={onward.code}&amp;error_description={onward.message}</p>"
            return Answer(onward.status, page.encode(), "text/html;charset=UTF-8")
        return Answer(302, b"", "text/html;charset=UTF-8", {"Location": onward})

    def revoke(self, request: Request) -> Answer:
        """``POST /services/oauth2/revoke``."""
        form = {
            **request.params,
            **_form(request),
        }
        if not self.org.revoke(form.get("token", "")):
            return json_answer(
                {
                    "error": "unsupported_token_type",
                    "error_description": "this token type is not supported",
                },
                400,
            )
        return Answer(200, b"")

    def userinfo(self, request: Request) -> Answer:
        """``GET /services/oauth2/userinfo``."""
        org, base = self.org, request.base_url
        who = org.user_of(request.token)
        table = org.tables.tables["User"]
        user_id = table.ids.at(who.row)
        user = {
            n: table.value(table.changes, n, who.row)
            for n in ("Username", "Name", "FirstName", "LastName", "Email")
        }
        org15 = org.organization_id[:15]
        data = f"{base}/services/data/v{{version}}/"
        return json_answer(
            {
                "sub": f"{base}/id/{org.organization_id}/{user_id}",
                "user_id": user_id,
                "organization_id": org.organization_id,
                "preferred_username": user["Username"],
                "nickname": "integration",
                "name": user["Name"],
                "email": user["Email"],
                "email_verified": True,
                "given_name": user["FirstName"],
                "family_name": user["LastName"],
                "zoneinfo": who.time_zone,
                "photos": {"picture": f"{base}/profilephoto/005/F", "thumbnail": f"{base}/t"},
                "profile": f"{base}/{user_id}",
                "picture": f"{base}/profilephoto/005/F",
                "address": {"country": "DE"},
                "urls": {
                    "enterprise": f"{base}/services/Soap/c/{{version}}/{org15}",
                    "metadata": f"{base}/services/Soap/m/{{version}}/{org15}",
                    "partner": f"{base}/services/Soap/u/{{version}}/{org15}",
                    "rest": data,
                    "sobjects": data + "sobjects/",
                    "search": data + "search/",
                    "query": data + "query/",
                    "recent": data + "recent/",
                    "tooling_soap": f"{base}/services/Soap/T/{{version}}/{org15}",
                    "profile": f"{base}/{user_id}",
                    "feeds": data + "chatter/feeds",
                    "groups": data + "chatter/groups",
                    "users": data + "chatter/users",
                    "feed_items": data + "chatter/feed-items",
                    "feed_elements": data + "chatter/feed-elements",
                    "tooling_rest": data + "tooling/",
                    "custom_domain": base,
                },
                "active": True,
                "user_type": "STANDARD",
                "language": who.language,
                "locale": "en_US",
                "utcOffset": 3600000,
                "updated_at": "2026-04-01T09:00:00Z",
                "is_salesforce_integration_user": False,
            }
        )


def _form(request: Request) -> dict[str, str]:
    return {k: v[-1] for k, v in parse_qs(request.body.decode("utf-8", "replace")).items()}
