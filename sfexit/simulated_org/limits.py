"""``/limits`` and ``/limits/recordCount`` (REST API guide, Limits and Record Count)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import ApiError

if TYPE_CHECKING:
    from .org import SimulatedOrg
    from .visibility import View

#: What every org lists, with amounts of a middle-sized production org.
_PAIRS = """
AnalyticsExternalDataSizeMB 40960
CdpAiInferenceApiMonthlyLimit 500000000
ConcurrentAsyncGetReportInstances 200
ConcurrentEinsteinDataInsightsStoryCreation 5
ConcurrentEinsteinDiscoveryStoryCreation 2
ConcurrentSyncReportRuns 20
ContentDistBandwidthLimitMB 51200
ContentDistViewLimit 50000
ContentPublicationLimit 36000
DailyAnalyticsDataflowJobExecutions 60
DailyAnalyticsUploadedFilesSizeMB 51200
DailyApexCursorLimit 10000
DailyApexCursorRowsLimit 100000000
DailyApexPCursorLimit 200000
DailyAsyncApexExecutions 250000
DailyAsyncApexTests 500
DailyBulkApiBatches 15000
DailyBulkV2QueryFileStorageMB 976562
DailyDeliveredPlatformEvents 50000
DailyDurableGenericStreamingApiEvents 100000
DailyDurableStreamingApiEvents 100000
DailyEinsteinDataInsightsStoryCreation 1000
DailyEinsteinDiscoveryOptimizationJobRuns 25
DailyEinsteinDiscoveryPredictAPICalls 50000
DailyEinsteinDiscoveryPredictionsByCDC 500000
DailyEinsteinDiscoveryStoryCreation 100
DailyFunctionsApiCallLimit 235000
DailyGenericStreamingApiEvents 10000
DailyMetadataRetrievesWithDependencies 25
DailyServiceEmailAgentforceCalls 5000
DailyStandardVolumePlatformEvents 25000
DailyStreamingApiEvents 100000
DailyWorkflowEmails 100000
DurableStreamingApiConcurrentClients 1000
ExternalServicesActiveObjects 3000
ExternalServicesActiveOperations 3000
ExternalServicesObjectProperties 400000
ExternalServicesObjects 10000
ExternalServicesOperations 10000
ExternalServicesRegistrations 700
HourlyAsyncReportRuns 1200
HourlyDashboardRefreshes 200
HourlyDashboardResults 5000
HourlyDashboardStatuses 999999999
HourlyElevateAsyncReportRuns 1200
HourlyElevateSyncReportRuns 500
HourlyLongTermIdMapping 100000
HourlyManagedContentPublicRequests 50000
HourlyODataCallout 20000
HourlyPublishedPlatformEvents 250000
HourlyPublishedStandardVolumePlatformEvents 100000
HourlyShortTermIdMapping 100000
HourlySyncReportRuns 500
HourlyTimeBasedWorkflow 1000
MassEmail 5000
MaxContentDocumentsLimit 30000000
MonthlyEinsteinDiscoveryStoryCreation 500
Package2VersionCreates 6
Package2VersionCreatesWithoutValidation 500
PlatformEventTriggersWithParallelProcessing 5
PrivateConnectOutboundCalloutHourlyLimitMB 0
PublishCallbackUsageInApex 5242880
ScheduledFlowRunLimit 250000
ScheduledPathRunLimit 250000
SingleEmail 5000
StreamingApiConcurrentClients 2000
"""


def limits(org: SimulatedOrg, view: View) -> dict[str, Any]:
    """The map of allowances; storage only for those who manage users."""
    out: dict[str, Any] = {}
    for line in _PAIRS.split("\n"):
        if line:
            name, most = line.split()
            out[name] = {"Max": int(most), "Remaining": int(most)}
    left = max(0, org.api_daily_limit - org.used())
    out["DailyApiRequests"] = {"Max": org.api_daily_limit, "Remaining": left}
    jobs = org.bulk_jobs_per_day
    out["DailyBulkV2QueryJobs"] = {"Max": jobs, "Remaining": jobs - org.jobs.made_today()}
    out["PermissionSets"] = {
        "Max": 1500,
        "Remaining": 1488,
        "CreateCustom": {"Max": 1000, "Remaining": 988},
    }
    if view.user.manage_users:
        kilobytes = 2 * sum(t.rows for t in org.tables.tables.values())
        data, files = max(20_480, kilobytes // 512), 40_960
        out["DataStorageMB"] = {"Max": data, "Remaining": data - kilobytes // 1024}
        documents = org.tables.tables.get("ContentVersion")
        used = documents.rows if documents is not None else 0  # about a megabyte each
        out["FileStorageMB"] = {"Max": files, "Remaining": max(0, files - used)}
    return dict(sorted(out.items()))


def record_counts(org: SimulatedOrg, view: View, wanted: str | None) -> dict[str, Any]:
    """Cached counts, without deleted, archived and companion rows; unknown names are dropped."""
    if not view.user.view_setup:
        raise ApiError(
            403,
            "INSUFFICIENT_ACCESS",
            "insufficient access rights on cross-reference id",
        )
    names = [n.strip() for n in wanted.split(",")] if wanted else view.objects
    kind = org.strange.record_counts
    out = []
    for n, name in enumerate(names):
        sobject = view.sobject(name)
        if sobject is None or not sobject.queryable or sobject.associate or sobject.big:
            continue
        if sobject.refusal is not None and sobject.refusal.reified:
            continue
        if kind == "partial" and n % 7 == 3:
            continue
        table = org.tables.tables[sobject.name]
        count = table.visible_before(table.first_changes, table.rows)
        if kind == "stale":
            count = count * 9 // 10
        out.append({"name": sobject.name, "count": count})
    return {"sObjects": out}
