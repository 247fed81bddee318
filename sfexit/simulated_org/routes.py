"""From a request to an answer: every path of the API this org speaks."""

# ruff: noqa: ARG002 (all handlers share one signature)
from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import lru_cache
from urllib.parse import unquote

from . import analytics, blobs, composite, metadata, photos, saving, tooling
from .answers import Answer
from .columnlist import column_list
from .errors import ApiError, not_found
from .limits import limits, record_counts
from .org import NEWEST_VERSION, OLDEST_VERSION, SimulatedOrg
from .query import as_text, row_json
from .record_types import of_object
from .request import XML_TYPE, Request, error_answer, json_answer
from .sign_in import SignIn
from .soql import parse
from .translations import language_of
from .visibility import SimulatedUser


@lru_cache(maxsize=65_536)
def child_text(child: str, name: str, relationship: str | None) -> str:
    """An entry of childRelationships."""
    named = json.dumps(relationship)
    return (
        f'{{"cascadeDelete":false,"childSObject":"{child}","deprecatedAndHidden":false,'
        f'"field":"{name}","junctionIdListNames":[],"junctionReferenceTo":[],'
        f'"relationshipName":{named},"restrictedDelete":false}}'
    )


Handler = Callable[..., Answer]


class Routes:
    """The API of one org."""

    def __init__(self, org: SimulatedOrg) -> None:
        self.org = org
        self.sign_in = SignIn(org)
        v = r"/services/data/v(?P<version>\d+\.\d)"
        self._table: list[tuple[str, str, re.Pattern[str], Handler]] = [
            (method, name, re.compile(pattern + "/?"), handler)
            for method, name, pattern, handler in (
                ("GET", "resources", v, self.resources),
                ("GET", "sobjects", v + "/sobjects", self.describe_global),
                ("GET", "describe", v + r"/sobjects/(?P<name>\w+)/describe", self.describe),
                ("GET", "basic", v + r"/sobjects/(?P<name>\w+)", self.basic),
                ("GET", "row", v + r"/sobjects/(?P<name>\w+)/(?P<row>\w{15,18})", self.row),
                (
                    "GET",
                    "image",
                    v + r"/sobjects/(?P<name>\w+)/(?P<row>\w{15,18})"
                    r"/richTextImageFields/(?P<field>\w+)/(?P<ref>\w{15,18})",
                    self.image,
                ),
                (
                    "GET",
                    "blob",
                    v + r"/sobjects/(?P<name>\w+)/(?P<row>\w{15,18})/(?P<field>\w+)",
                    self.blob,
                ),
                (
                    "GET",
                    "analytics.describe",
                    v + r"/analytics/(?P<kind>reports|dashboards)/(?P<row>\w{15,18})/describe",
                    self.analytics_describe,
                ),
                (
                    "GET",
                    "analytics.run",
                    v + r"/analytics/reports/(?P<row>\w{15,18})",
                    self.analytics_run,
                ),
                ("GET", "limits", v + "/limits", self.limits),
                ("GET", "record_count", v + "/limits/recordCount", self.record_count),
                ("GET", "query", v + "/query", self.query),
                ("GET", "queryall", v + "/queryAll", self.query_all),
                ("GET", "query.more", v + r"/query/(?P<locator>[\w-]+)", self.query_more),
                ("POST", "composite", v + "/composite", self.composite),
                ("POST", "composite.batch", v + "/composite/batch", self.composite_batch),
                ("POST", "composite.graph", v + "/composite/graph", self.composite_graph),
                ("GET", "collection", v + r"/composite/sobjects/(?P<name>\w+)", self.collection),
                ("POST", "collection", v + r"/composite/sobjects/(?P<name>\w+)", self.collection),
                ("POST", "row.create", v + r"/sobjects/(?P<name>\w+)", self.create),
                (
                    "PATCH",
                    "row.update",
                    v + r"/sobjects/(?P<name>\w+)/(?P<row>\w{15,18})",
                    self.change,
                ),
                (
                    "DELETE",
                    "row.delete",
                    v + r"/sobjects/(?P<name>\w+)/(?P<row>\w{15,18})",
                    self.change,
                ),
                ("POST", "rows.create", v + "/composite/sobjects", self.change_many),
                ("PATCH", "rows.update", v + "/composite/sobjects", self.change_many),
                ("DELETE", "rows.delete", v + "/composite/sobjects", self.change_many),
                ("POST", "metadata.deploy", v + "/metadata/deployRequest", self.deploy),
                (
                    "GET",
                    "metadata.deploying",
                    v + r"/metadata/deployRequest/(?P<deployment>\w+)",
                    self.deploying,
                ),
                ("POST", "ingest.create", v + "/jobs/ingest", self.ingest_create),
                ("GET", "ingest.list", v + "/jobs/ingest", self.ingest_list),
                ("GET", "ingest.poll", v + r"/jobs/ingest/(?P<job>\w+)", self.ingest_poll),
                ("PATCH", "ingest.close", v + r"/jobs/ingest/(?P<job>\w+)", self.ingest_close),
                ("DELETE", "ingest.delete", v + r"/jobs/ingest/(?P<job>\w+)", self.ingest_delete),
                ("PUT", "ingest.put", v + r"/jobs/ingest/(?P<job>\w+)/batches", self.ingest_put),
                (
                    "GET",
                    "ingest.results",
                    v + r"/jobs/ingest/(?P<job>\w+)"
                    r"/(?P<which>successfulResults|failedResults|unprocessedrecords)",
                    self.ingest_results,
                ),
                (
                    "GET",
                    "photo",
                    v + r"/(?:connect/user-profiles|chatter/groups)/(?P<row_id>\w+)/photo",
                    self.photo,
                ),
                ("GET", "photo.public", r"/photos/(?P<photo>\w+)/[FT]", self.public_photo),
                ("GET", "tooling.sobjects", v + "/tooling/sobjects", self.tooling_global),
                (
                    "GET",
                    "tooling.describe",
                    v + r"/tooling/sobjects/(?P<name>\w+)/describe",
                    self.tooling_describe,
                ),
                ("GET", "tooling.query", v + "/tooling/query", self.tooling_query),
                (
                    "GET",
                    "tooling.more",
                    v + r"/tooling/query/(?P<locator>[\w-]+)",
                    self.tooling_more,
                ),
                ("POST", "bulk.create", v + "/jobs/query", self.bulk_create),
                ("GET", "bulk.list", v + "/jobs/query", self.bulk_list),
                ("GET", "bulk.poll", v + r"/jobs/query/(?P<job>\w+)", self.bulk_poll),
                ("PATCH", "bulk.abort", v + r"/jobs/query/(?P<job>\w+)", self.bulk_abort),
                ("DELETE", "bulk.delete", v + r"/jobs/query/(?P<job>\w+)", self.bulk_delete),
                ("GET", "bulk.results", v + r"/jobs/query/(?P<job>\w+)/results", self.bulk_results),
                ("GET", "bulk.pages", v + r"/jobs/query/(?P<job>\w+)/resultPages", self.bulk_pages),
            )
        ]

    # -- which endpoint -----------------------------------------------------------------

    def match(self, request: Request) -> tuple[str, Handler | None, dict[str, str]]:
        """Endpoint name, handler and path parts of a request."""
        path = request.path
        if path.rstrip("/") == "/services/data":
            return "versions", self.sign_in.versions, {}
        if path == "/services/oauth2/token":
            return "token", self.sign_in.token, {}
        if path == "/services/oauth2/authorize" and request.method == "GET":
            return "authorize", self.sign_in.authorize, {}
        if path == "/services/oauth2/revoke":
            return "revoke", self.sign_in.revoke, {}
        if path == "/services/oauth2/userinfo":
            return "userinfo", self.sign_in.userinfo, {}
        if path == f"/id/{self.org.organization_id}/{self.org.user_id}":
            return "userinfo", self.sign_in.userinfo, {}
        if request.soap and request.method == "POST":
            return metadata.endpoint_of(request.body), self.soap_metadata, {}
        for method, name, pattern, handler in self._table:
            found = pattern.fullmatch(path)
            if found and method == request.method:
                return name, handler, found.groupdict()
        return "unknown", None, {}

    def object_of(self, endpoint: str, request: Request, parts: dict[str, str]) -> str:
        """The object a request is about, for the fault selectors."""
        try:
            if endpoint in (
                "describe",
                "basic",
                "row",
                "blob",
                "image",
                "collection",
                "tooling.describe",
            ):
                return parts["name"]
            if endpoint in ("query", "queryall", "tooling.query"):
                return parse(request.params.get("q", "")).object
            if endpoint == "query.more":
                return self.org.cursors.object_of(parts["locator"])
            if endpoint == "bulk.create":
                return parse(request.json()["query"]).object
            if endpoint.startswith("bulk.") and "job" in parts:
                return self.org.jobs.get(parts["job"]).object
        except (ApiError, KeyError, TypeError, AttributeError):
            pass
        return ""

    ABOUT_ONE_OBJECT = frozenset(
        {"describe", "basic", "row", "blob", "image", "collection", "tooling.describe"}
    )
    OPEN = frozenset({"versions", "authorize", "token", "revoke", "photo.public"})

    def admit(self, endpoint: str, request: Request) -> None:
        """Session and quota (REST API guide, Status Codes)."""
        if endpoint in self.OPEN:
            return
        if request.soap:  # there the session is a part of the message
            token = metadata.session_of(request.body)
            if not self.org.token_valid(token):
                raise ApiError(
                    500,
                    "INVALID_SESSION_ID",
                    "Invalid Session ID found in SessionHeader: Illegal Session. Session not "
                    "found, missing session key: ",
                )
        else:
            scheme, _, token = request.headers.get("Authorization", "").partition(" ")
            if scheme.lower() not in ("bearer", "oauth"):
                token = ""
        if not self.org.token_valid(token.strip()):
            raise ApiError(401, "INVALID_SESSION_ID", "Session expired or invalid")
        request.token = token.strip()
        if self.org.locked:  # SOAP API guide, ExceptionCode; when REST says so is not documented
            raise ApiError(403, "ORG_LOCKED", "The organization has been locked.")
        if endpoint == "userinfo":
            return
        user = self.org.user_of(request.token)
        if not user.api_enabled:  # REST API guide, Status Codes; SOAP API guide, ExceptionCode
            raise ApiError(
                403, "API_DISABLED_FOR_ORG", "The REST API is not enabled for this user or org."
            )
        self._policies(endpoint, user)
        if self.org.used() >= self.org.api_daily_limit:
            raise ApiError(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
        if endpoint != "composite.batch":  # there each subrequest counts, not the whole
            self.org.count_call()

    def _policies(self, endpoint: str, user: SimulatedUser) -> None:
        """Transaction security: a blocking policy on an event (Object Reference,
        TransactionSecurityPolicy); the text is the policy's default message."""
        if user.exempt_from_policies:
            return
        asked = {
            "ApiEvent": ("query", "queryall", "query.more", "tooling.query"),
            "BulkApiResultEventStore": ("bulk.results", "bulk.pages"),
        }
        for event in self.org.blocking_policies:
            if endpoint in asked.get(event, ()):
                raise ApiError(
                    403,
                    "TXN_SECURITY_NO_ACCESS",
                    "The operation you requested was blocked due to a security policy your org "
                    "has enabled. Contact your administrator.",
                )

    def answer(
        self, endpoint: str, handler: Handler | None, request: Request, parts: dict[str, str]
    ) -> Answer:
        """Admit a request and answer it."""
        try:
            self.admit(endpoint, request)
        except ApiError as error:
            return error_answer(error, request.soap)
        with self.org.acting_as(self.org.user_of(request.token)):
            return self.handle(endpoint, handler, request, parts)

    def handle(
        self, endpoint: str, handler: Handler | None, request: Request, parts: dict[str, str]
    ) -> Answer:
        """Answer one admitted request; errors become their bodies."""
        try:
            version = parts.get("version") or _version_in(request.path)
            if version is not None:
                number = float(version)
                if number < OLDEST_VERSION:
                    raise ApiError(
                        410,
                        "UNSUPPORTED_API_VERSION",
                        f"API version {version} is not supported any more",
                    )
                newest = NEWEST_VERSION if self.org.doubts.version_68 else NEWEST_VERSION - 1
                if number > newest or number != int(number):
                    raise not_found()
            if handler is None:
                self._refuse_writes(request)
                raise not_found()
            return handler(request, **parts)
        except ApiError as error:
            if endpoint == "token":
                return json_answer(
                    {"error": error.code, "error_description": error.message}, error.status
                )
            return error_answer(error, request.soap)

    def _refuse_writes(self, request: Request) -> None:
        if request.method in ("GET", "HEAD"):
            return
        if re.search(r"/sobjects/|/composite/|/jobs/ingest", request.path):
            raise ApiError(
                403, "INSUFFICIENT_ACCESS", "This simulated org does not accept changes to records"
            )
        if request.path.startswith("/services/data/"):
            raise ApiError(
                405, "METHOD_NOT_ALLOWED", f"HTTP Method '{request.method}' not allowed."
            )

    # -- schema and limits --------------------------------------------------------------

    def resources(self, request: Request, version: str) -> Answer:
        """``GET /services/data/vXX.0/``."""
        base = f"/services/data/v{version}"
        names = ("sobjects", "query", "queryAll", "limits", "jobs", "composite", "tooling")
        return json_answer(
            {n: f"{base}/{n}" for n in names}
            | {"identity": f"{request.base_url}/id/{self.org.organization_id}/{self.org.user_id}"}
        )

    def describe_global(self, request: Request, version: str) -> Answer:
        """``GET /sobjects``."""
        view, language = self.org.acting(), self._language(request)
        objects = [o.summary(version, language) for n in view.objects if (o := view.sobject(n))]
        return json_answer({"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": objects})

    def describe(self, request: Request, version: str, name: str) -> Answer:
        """``GET /sobjects/X/describe``."""
        sobject = self.org.sobject(name)
        if sobject is None:
            raise not_found()
        shows = self.org.acting().shows
        children = [
            child_text(n, f.name, self.org.relationship(sobject.name, n, f))
            for n, f in self.org.children(sobject.name)
            if shows(n)
        ]
        types = [one.info(sobject.name, version) for one in of_object(self.org, sobject.name)]
        return Answer(200, sobject.describe_text(version, children, self._language(request), types))

    def photo(self, request: Request, version: str, row_id: str) -> Answer:
        """The photo resources of users and groups."""
        kind = "user" if "/connect/" in request.path else "group"
        return photos.resource(self.org, kind, row_id, request.base_url)

    def public_photo(self, request: Request, photo: str) -> Answer:
        """A photo's temporary address."""
        return photos.public(photo, dict(request.headers))

    def _language(self, request: Request) -> str:
        """The language of labels: asked for, or the user's own, or the org's."""
        own = self.org.acting().user.language
        if own == "en_US":
            own = self.org.strange.language
        return language_of(request.headers.get("Accept-Language", ""), own)

    def basic(self, request: Request, version: str, name: str) -> Answer:
        """``GET /sobjects/X``."""
        sobject = self.org.sobject(name)
        if sobject is None:
            raise not_found()
        return json_answer({"objectDescribe": sobject.summary(version), "recentItems": []})

    def row(self, request: Request, version: str, name: str, row: str) -> Answer:
        """``GET /sobjects/X/{id}``."""
        body = row_json(self.org, name, row, request.params.get("fields", ""), version)
        return Answer(200, body)

    def blob(self, request: Request, version: str, name: str, row: str, field: str) -> Answer:
        """``GET /sobjects/X/{id}/{field}``: the bytes of a base64 field."""
        return blobs.blob(self.org, request.headers, name, row, field)

    def image(
        self, request: Request, version: str, name: str, row: str, field: str, ref: str
    ) -> Answer:
        """``GET /sobjects/X/{id}/richTextImageFields/{field}/{ref}``."""
        return blobs.image(self.org, name, row, field, ref)

    def analytics_describe(self, request: Request, version: str, kind: str, row: str) -> Answer:
        if kind == "dashboards":
            return json_answer(analytics.dashboard_definition(self.org, row))
        return json_answer(analytics.report_definition(self.org, row))

    def analytics_run(self, request: Request, version: str, row: str) -> Answer:
        details = request.params.get("includeDetails", "").lower() == "true"
        return json_answer(analytics.report_result(self.org, row, details))

    def limits(self, request: Request, version: str) -> Answer:
        """``GET /limits``."""
        return json_answer(limits(self.org, self.org.acting()))

    def record_count(self, request: Request, version: str) -> Answer:
        """``GET /limits/recordCount``."""
        wanted = request.params.get("sObjects")
        return json_answer(record_counts(self.org, self.org.acting(), wanted))

    # -- query --------------------------------------------------------------------------

    def query(self, request: Request, version: str) -> Answer:
        """``GET /query?q=``."""
        return self._query(request, version, False)

    def query_all(self, request: Request, version: str) -> Answer:
        """``GET /queryAll?q=``."""
        return self._query(request, version, True)

    def _query(self, request: Request, version: str, everything: bool) -> Answer:
        text = request.params.get("q")
        if text is None:
            raise ApiError(400, "MALFORMED_QUERY", "A query string has to be specified")
        if request.params.get("columns") == "true":
            return Answer(200, as_text(column_list(self.org.acting(), text, version)))
        options = request.headers.get("Sforce-Query-Options", "")
        return Answer(200, self.org.cursors.first(text, everything, version, options))

    def query_more(self, request: Request, version: str, locator: str) -> Answer:
        """``GET /query/{locator}``, for queryAll too."""
        return Answer(200, self.org.cursors.next(locator, version))

    # -- composite ----------------------------------------------------------------------

    def _sender(self, request: Request, each_counts: bool = False) -> composite.Send:
        def send(method: str, url: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
            path, _, query = url.partition("?")
            merged = {**request.headers, **{k.lower(): v for k, v in headers.items()}}
            known = type(request.headers)(merged)  # type: ignore[call-arg]
            inner = Request(
                method, url, unquote(path), query, known, body, request.base_url, request.token
            )
            if each_counts:
                self.org.count_call()
            endpoint, handler, parts = self.match(inner)
            answer = self.handle(endpoint, handler, inner, parts)
            return answer.status, answer.text()

        return send

    def composite(self, request: Request, version: str) -> Answer:
        """``POST /composite``: counts as one call."""
        return Answer(200, composite.composite(request.json(), self._sender(request)))

    def composite_graph(self, request: Request, version: str) -> Answer:
        """``POST /composite/graph``: counts as one call."""
        return Answer(200, composite.graph(request.json(), self._sender(request)))

    def composite_batch(self, request: Request, version: str) -> Answer:
        """``POST /composite/batch``: each subrequest counts."""
        send = self._sender(request, each_counts=True)
        return Answer(200, composite.batch(request.json(), version, send))

    def collection(self, request: Request, version: str, name: str) -> Answer:
        """``GET`` and ``POST /composite/sobjects/X``."""
        body = request.json() if request.method == "POST" else None
        view = self.org.acting()
        text = composite.collection(view, name, version, request.method, request.params, body)
        return Answer(200, text)

    # -- changing rows ------------------------------------------------------------------

    def _writing(self, request: Request) -> None:
        if self.org.read_only:
            self._refuse_writes(request)

    def create(self, request: Request, version: str, name: str) -> Answer:
        """``POST /sobjects/X``."""
        return self.change(request, version, name, "")

    def change(self, request: Request, version: str, name: str, row: str) -> Answer:
        """``PATCH`` and ``DELETE /sobjects/X/{id}``."""
        self._writing(request)
        body = None if request.method == "DELETE" else request.json()
        status, told = saving.one(
            self.org.writes, self.org.acting(), request.method, name, row, body, request.headers
        )
        return Answer(204) if told is None else json_answer(told, status)

    def change_many(self, request: Request, version: str) -> Answer:
        """``POST``, ``PATCH`` and ``DELETE /composite/sobjects``."""
        self._writing(request)
        body = None if request.method == "DELETE" else request.json()
        return json_answer(
            saving.many(
                self.org.writes,
                self.org.acting(),
                request.method,
                request.params,
                body,
                request.headers,
            )
        )

    def deploy(self, request: Request, version: str) -> Answer:
        """``POST /metadata/deployRequest``."""
        self._writing(request)
        kind = request.headers.get("Content-Type", "")
        return json_answer(self.org.deploys.begin(kind, request.body), 201)

    def deploying(self, request: Request, version: str, deployment: str) -> Answer:
        """``GET /metadata/deployRequest/{id}``."""
        return json_answer(self.org.deploys.look(deployment))

    def ingest_create(self, request: Request, version: str) -> Answer:
        """``POST /jobs/ingest``."""
        self._writing(request)
        job = self.org.ingest.create(self.org.acting(), request.json(), version)
        return json_answer(self.org.ingest.info(job))

    def ingest_list(self, request: Request, version: str) -> Answer:
        """``GET /jobs/ingest``."""
        return json_answer(self.org.ingest.listed())

    def ingest_put(self, request: Request, version: str, job: str) -> Answer:
        """``PUT /jobs/ingest/{id}/batches``."""
        content_type = request.headers.get("Content-Type", "")
        self.org.ingest.upload(self.org.ingest.get(job), content_type, request.body)
        return Answer(201)

    def ingest_close(self, request: Request, version: str, job: str) -> Answer:
        """``PATCH /jobs/ingest/{id}``."""
        found = self.org.ingest.get(job)
        self.org.ingest.close(found, request.json())
        return json_answer(self.org.ingest.info(found))

    def ingest_poll(self, request: Request, version: str, job: str) -> Answer:
        """``GET /jobs/ingest/{id}``."""
        found = self.org.ingest.get(job)
        self.org.ingest.poll(found)
        return json_answer(self.org.ingest.info(found))

    def ingest_delete(self, request: Request, version: str, job: str) -> Answer:
        """``DELETE /jobs/ingest/{id}``."""
        self.org.ingest.delete(self.org.ingest.get(job))
        return Answer(204)

    def ingest_results(self, request: Request, version: str, job: str, which: str) -> Answer:
        """``GET /jobs/ingest/{id}/…``: what became of the rows."""
        body = self.org.ingest.results(self.org.ingest.get(job), which)
        return Answer(200, body, "text/csv; charset=UTF-8")

    # -- tooling ------------------------------------------------------------------------

    def tooling_global(self, request: Request, version: str) -> Answer:
        """``GET /tooling/sobjects``."""
        return json_answer(tooling.describe_global(self.org, version))

    def tooling_describe(self, request: Request, version: str, name: str) -> Answer:
        """``GET /tooling/sobjects/X/describe``."""
        return Answer(200, tooling.describe(self.org, name, version))

    def tooling_query(self, request: Request, version: str) -> Answer:
        """``GET /tooling/query?q=``."""
        text = request.params.get("q")
        if text is None:
            raise ApiError(400, "MALFORMED_QUERY", "A query string has to be specified")
        view = self.org.acting()
        options = request.headers.get("Sforce-Query-Options", "")
        return Answer(200, tooling.query(self.org, view, text, version, options))

    def tooling_more(self, request: Request, version: str, locator: str) -> Answer:
        """``GET /tooling/query/{locator}``."""
        return Answer(200, self.org.cursors.next(locator, version))

    # -- metadata -----------------------------------------------------------------------

    def soap_metadata(self, request: Request) -> Answer:
        """``POST /services/Soap/m/{version}``."""
        return Answer(200, self.org.metadata.answer(request.body), XML_TYPE)

    # -- bulk ---------------------------------------------------------------------------

    def bulk_create(self, request: Request, version: str) -> Answer:
        """``POST /jobs/query``."""
        if float(version) < 47:
            raise not_found()
        job = self.org.jobs.create(request.json(), version)
        answer = json_answer(self.org.jobs.created_json(job))
        answer.job = job
        return answer

    def bulk_list(self, request: Request, version: str) -> Answer:
        """``GET /jobs/query``."""
        return json_answer(self.org.jobs.list_json(version, request.params))

    def bulk_poll(self, request: Request, version: str, job: str) -> Answer:
        """``GET /jobs/query/{id}``."""
        found = self.org.jobs.get(job)
        self.org.jobs.poll(found)
        answer = json_answer(self.org.jobs.info_json(found))
        answer.job = found
        return answer

    def bulk_abort(self, request: Request, version: str, job: str) -> Answer:
        """``PATCH /jobs/query/{id}``."""
        found = self.org.jobs.get(job)
        if request.json() != {"state": "Aborted"}:
            raise ApiError(
                400, "INVALIDJOBSTATE", "The only state a query job can be set to is Aborted"
            )
        self.org.jobs.abort(found)
        return json_answer(self.org.jobs.created_json(found))

    def bulk_delete(self, request: Request, version: str, job: str) -> Answer:
        """``DELETE /jobs/query/{id}``."""
        self.org.jobs.delete(self.org.jobs.get(job))
        return Answer(204, b"")

    def bulk_results(self, request: Request, version: str, job: str) -> Answer:
        """``GET /jobs/query/{id}/results``."""
        found = self.org.jobs.get(job)
        page = self.org.jobs.page(found, version, request.params)
        headers = {"Sforce-Locator": page.locator, "Sforce-NumberOfRecords": str(page.count)}
        return Answer(200, page.body(), "text/csv; charset=UTF-8", headers, page, found)

    def bulk_pages(self, request: Request, version: str, job: str) -> Answer:
        """``GET /jobs/query/{id}/resultPages``."""
        found = self.org.jobs.get(job)
        return json_answer(self.org.jobs.pages_json(found, version, request.params))


def _version_in(path: str) -> str | None:
    found = re.match(r"/services/(?:data/v|Soap/m/)(\d+\.\d)", path)
    return found.group(1) if found else None
