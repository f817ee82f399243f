package commands_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/tidwall/gjson"

	"xsoar-defender/commands"
	"xsoar-defender/commands/commandstest"
	"xsoar-defender/internal/simulator"
)

// trial is one run of a command against the simulated tenant. Its answers supply complete objects where the tenant's
// data has only some of their keys.
type trial struct {
	args map[string]any
	// answers holds bodies of the API by "METHOD path".
	answers map[string]string
	// prepare changes the tenant before the command runs.
	prepare func(i *commandstest.Instance)
	// requests is the number of API requests of the first run. A command makes no more than it needs.
	requests int
	// survives are the requests, as "METHOD path", whose failure the command reports in addition to what it has.
	survives []string
}

// Objects of the service with every key that a view may show.
const (
	fullMachine = `{"id":"m1","computerDnsName":"ws-001.contoso.example","firstSeen":"2026-01-11T08:00:07.5931413Z","lastSeen":"2026-11-20T18:10:20.0316331Z",
		"osPlatform":"Windows11","osVersion":null,"osProcessor":"x64","version":"23H2","lastIpAddress":"10.2.0.17","lastExternalIpAddress":"203.0.113.7",
		"agentVersion":"10.8760.26100.1","osBuild":22631,"healthStatus":"Active","rbacGroupId":140,"rbacGroupName":"Group A","riskScore":"Low","exposureLevel":"Low",
		"isAadJoined":true,"aadDeviceId":"80fe8ff8-2624-418e-9591-41f0491218f9","machineTags":["finance"],
		"ipAddresses":[{"ipAddress":"10.2.0.17","macAddress":"8C005AA1B2C3","type":"Ethernet","operationalStatus":"Up"}]}`
	fullAlert = `{"id":"da1","incidentId":7,"investigationId":8,"investigationState":"Running","assignedTo":"nora@contoso.example","severity":"High","status":"New",
		"classification":"TruePositive","determination":"Malware","detectionSource":"WindowsDefenderAtp","category":"Execution","threatFamilyName":"Emotet","title":"t",
		"description":"d","alertCreationTime":"2026-11-20T10:00:00.1234567Z","firstEventTime":"2026-11-20T09:59:00Z","lastEventTime":"2026-11-20T10:00:00Z",
		"lastUpdateTime":"2026-11-20T11:00:00Z","resolvedTime":"2026-11-20T12:00:00Z","machineId":"m1","computerDnsName":"ws-001.contoso.example","rbacGroupName":"Group A",
		"aadTenantId":"028924d0-178c-b331-f563-2e375d90fc04","threatName":"Emotet.A","detectorId":"17e10bbc","mitreTechniques":["T1059"],
		"relatedUser":{"userName":"nora","domainName":"CONTOSO"},"comments":[{"comment":"c","createdBy":"nora","createdTime":"2026-11-20T11:00:00Z"}],
		"evidence":[{"entityType":"File","fileName":"evil.exe"}]}`
	fullAction = `{"id":"a1","type":"Isolate","title":"t","scope":"Full","requestor":"nora","requestorComment":"c","status":"Succeeded","machineId":"m1",
		"computerDnsName":"ws-001.contoso.example","creationDateTimeUtc":"2026-11-20T10:00:00Z","lastUpdateDateTimeUtc":"2026-11-20T10:01:00Z",
		"cancellationRequestor":"nora","cancellationComment":"c","cancellationDateTimeUtc":"2026-11-20T10:01:00Z","errorHResult":0,"externalId":"e","requestSource":"PublicApi",
		"relatedFileInfo":{"fileIdentifier":"87662bc3d60e4200ceaf7aae249d1c343f4b83c9","fileIdentifierType":"Sha1"},"troubleshootInfo":"i",
		"commands":[{"index":0,"startTime":"2026-11-20T10:00:00Z","endTime":"2026-11-20T10:01:00Z","commandStatus":"Completed","errors":["e"],
			"command":{"type":"RunScript","params":[{"key":"ScriptName","value":"triage.ps1"}]}}]}`
	fullInvestigation = `{"id":"1","startTime":"2026-11-20T10:00:00Z","endTime":"2026-11-20T10:01:00Z","state":"Running","cancelledBy":"nora","statusDetails":"d",
		"machineId":"m1","computerDnsName":"ws-001.contoso.example","triggeringAlertId":"da1"}`
	fullUser = `{"id":"contoso\\nora","accountName":"nora","accountDomain":"CONTOSO","accountSid":"S-1-5-21-1","firstSeen":"2026-01-18T08:02:54Z",
		"lastSeen":"2026-11-20T08:01:48Z","mostPrevalentMachineId":"m1","leastPrevalentMachineId":"m2","logonTypes":"Interactive","logOnMachinesCount":2,
		"isDomainAdmin":false,"isOnlyNetworkUser":true}`
)

// Objects of Microsoft Graph.
const (
	fullGraphAlert = `{"id":"da1","providerAlertId":"da1","incidentId":"7","title":"t","severity":"high","status":"new","classification":"truePositive","determination":"malware",
		"serviceSource":"microsoftDefenderForEndpoint","detectionSource":"antivirus","productName":"p","category":"Execution","assignedTo":"nora",
		"alertWebUrl":"https://security.microsoft.com/alerts/da1","mitreTechniques":["T1059"],"createdDateTime":"2026-11-20T10:00:00Z",
		"lastUpdateDateTime":"2026-11-20T11:00:00Z","resolvedDateTime":"2026-11-20T11:00:00Z","firstActivityDateTime":"2026-11-20T09:59:00Z",
		"lastActivityDateTime":"2026-11-20T10:00:00Z","threatDisplayName":"t","threatFamilyName":"Emotet","actorDisplayName":"a","investigationState":"running",
		"recommendedActions":"r","evidence":[
		{"@odata.type":"#microsoft.graph.security.deviceEvidence","mdeDeviceId":"m1","deviceDnsName":"ws-001.contoso.example","riskScore":"high","healthStatus":"active","onboardingStatus":"onboarded","osPlatform":"Windows11","version":"23H2","lastIpAddress":"10.2.0.17","verdict":"suspicious"},
		{"@odata.type":"#microsoft.graph.security.userEvidence","userAccount":{"accountName":"nora","domainName":"CONTOSO","userSid":"S-1","userPrincipalName":"nora@contoso.example"}},
		{"@odata.type":"#microsoft.graph.security.fileEvidence","verdict":"malicious","fileDetails":{"fileName":"evil.exe","filePath":"C:\\x","sha1":"87662bc3d60e4200ceaf7aae249d1c343f4b83c9","sha256":"413c58c8267d2c8648d8f6384bacc2ae9c929b2b96578b6860b5087cd1bd6462"}},
		{"@odata.type":"#microsoft.graph.security.processEvidence","processCommandLine":"evil.exe /x","imageFile":{"fileName":"evil.exe"}},
		{"@odata.type":"#microsoft.graph.security.ipEvidence","ipAddress":"198.51.100.1"},{"@odata.type":"#microsoft.graph.security.urlEvidence","url":"https://bad.example/"},
		{"@odata.type":"#microsoft.graph.security.registryKeyEvidence","registryHive":"HKLM","registryKey":"Run"},
		{"@odata.type":"#microsoft.graph.security.mailboxEvidence","primaryAddress":"nora@contoso.example"}]}`
	fullIncident = `{"id":"7","displayName":"n","description":"d","summary":"s","severity":"high","status":"active","assignedTo":"nora","classification":"truePositive",
		"determination":"malware","customTags":["t"],"systemTags":["s"],"incidentWebUrl":"https://security.microsoft.com/incidents/7","redirectIncidentId":"7","tenantId":"t",
		"createdDateTime":"2026-11-20T10:00:00Z","lastUpdateDateTime":"2026-11-20T11:00:00Z","lastModifiedBy":"nora","resolvingComment":"r",
		"comments":[{"comment":"c","createdByDisplayName":"nora","createdDateTime":"2026-11-20T11:00:00Z"}],"alerts":[` + fullGraphAlert + `]}`
)

// More objects of the service.
const (
	fullFile = `{"sha1":"87662bc3d60e4200ceaf7aae249d1c343f4b83c9","sha256":"413c58c8267d2c8648d8f6384bacc2ae9c929b2b96578b6860b5087cd1bd6462","md5":"e05917b2b5c5b2b5c5b2b5c5b2b5c5b2",
		"globalPrevalence":180022,"globalFirstObserved":"2017-09-19T03:51:27Z","globalLastObserved":"2026-11-06T16:59:16Z","size":22139496,"fileType":"APP","isPeFile":true,
		"filePublisher":"p","fileProductName":"n","signer":"s","issuer":"i","signerHash":"h","isValidCertificate":true,"determinationType":"Malware","determinationValue":"v"}`
	fullStatistics = `{"sha1":"87662bc3d60e4200ceaf7aae249d1c343f4b83c9","host":"bad.example","ipAddress":"198.51.100.1","orgPrevalence":"4","organizationPrevalence":4,
		"orgFirstSeen":"2026-01-30T13:23:48Z","orgLastSeen":"2026-11-01T13:09:05Z","globalPrevalence":"5","globallyPrevalence":5,"globalFirstObserved":"2018-03-19T12:20:49Z",
		"globalLastObserved":"2026-11-05T20:42:35Z","topFileNames":["a.exe"]}`
	fullSoftware = `{"id":"s","name":"n","vendor":"v","weaknesses":1,"publicExploit":true,"activeAlert":false,"exposedMachines":2,"installedMachines":3,"impactScore":0.5,
		"isNormalized":true,"category":"c","distributions":["1"]}`
	fullReference     = `{"id":"m1","computerDnsName":"ws-001.contoso.example","osPlatform":"Windows11","rbacGroupName":"Group A","rbacGroupId":9}`
	fullVulnerability = `{"id":"CVE-2026-0001","name":"CVE-2026-0001","description":"d","severity":"High","cvssV3":8.1,"exposedMachines":2,"publishedOn":"2026-05-17T22:56:00Z",
		"updatedOn":"2026-06-17T22:56:00Z","publicExploit":false,"exploitVerified":false,"exploitInKit":false,"exploitTypes":["t"],"exploitUris":["https://example.com"],
		"cvssVector":"CVSS:3.1","epss":0.5,"firstDetected":"2026-05-18T00:00:00Z","status":"Active","tags":["test"],"cveSupportability":"Supported"}`
)

const fullLibraryFile = `{"fileName":"triage.ps1","sha256":"6e212a0db618507c44e4ec8ee7499dfef7e5767e5f8d31144df3b96fd1145caf","description":"d",
	"creationTime":"2026-10-24T10:54:23Z","lastUpdatedTime":"2026-10-25T10:54:23Z","createdBy":"nora","hasParameters":true,"parametersDescription":"p"}`

const fullChange = `{"id":"m1_firefox","deviceId":"m1","rbacGroupName":"Group A","deviceName":"ws-001","osPlatform":"Windows11","osVersion":"10.0","osArchitecture":"x64",
	"softwareVendor":"mozilla","softwareName":"firefox","softwareVersion":"83","cveId":"CVE-2026-0001","vulnerabilitySeverityLevel":"High","recommendedSecurityUpdate":"u",
	"recommendedSecurityUpdateId":"1","recommendedSecurityUpdateUrl":"https://example.com","diskPaths":["c"],"registryPaths":["h"],"lastSeenTimestamp":"2026-11-20 17:04:30",
	"firstSeenTimestamp":"2026-05-06 12:42:19","exploitabilityLevel":"NoExploit","recommendationReference":"va-_-mozilla-_-firefox","status":"New",
	"eventTimestamp":"2026-11-20 10:13:34.8476880"}`

// Objects of vulnerability management.
const (
	fullRecommendation = `{"id":"r","productName":"chrome","recommendationName":"Update Chrome","weaknesses":38,"vendor":"google","recommendedVersion":"1","recommendationCategory":"Application",
		"subCategory":"s","severityScore":5,"publicExploit":true,"activeAlert":false,"associatedThreats":["t"],"remediationType":"Update","status":"Active","configScoreImpact":1,
		"exposureImpact":3.9,"totalMachineCount":6,"exposedMachinesCount":5,"nonProductivityImpactedAssets":0,"relatedComponent":"Chrome","tags":["x"],"exposedCriticalDevices":1}`
	fullMissingKB = `{"id":"4540673","name":"u","productsNames":["windows_10"],"url":"https://example.com","machineMissedOn":1,"cveAddressed":97}`
	fullTask      = `{"id":"t1","title":"t","createdOn":"2026-10-10T13:20:36Z","requesterId":"r","requesterEmail":"e","status":"Active","statusLastModifiedOn":"2026-10-10T13:20:36Z",
		"description":"d","relatedComponent":"c","targetDevices":10,"rbacGroupNames":["g"],"fixedDevices":3,"requesterNotes":"n","dueOn":"2026-11-01T00:00:00Z","category":"Software",
		"productivityImpactRemediationType":"p","priority":"Medium","completionMethod":"m","completerId":"c","completerEmail":"e","scid":"s","type":"Update","productId":"p",
		"vendorId":"v","nameId":"n","recommendedVersion":"1","recommendedVendor":"v","recommendedProgram":"p"}`
	fullAntivirus = `{"id":"m1","machineId":"m1","computerDnsName":"ws-001.contoso.example","osKind":"windows","osPlatform":"Windows11","osVersion":"10.0","avMode":"0","avSignatureVersion":"1",
		"avEngineVersion":"1","avPlatformVersion":"4","lastSeenTime":"2026-11-20T10:00:00Z","quickScanResult":"Completed","quickScanError":"e","quickScanTime":"2026-11-20T10:00:00Z",
		"fullScanResult":"Completed","fullScanError":"e","fullScanTime":"2026-11-20T10:00:00Z","dataRefreshTimestamp":"2026-11-20T10:00:00Z","avEngineUpdateTime":"2026-11-20T10:00:00Z",
		"avSignatureUpdateTime":"2026-11-20T10:00:00Z","avPlatformUpdateTime":"2026-11-20T10:00:00Z","avIsSignatureUpToDate":"True","avIsEngineUpToDate":"True",
		"avIsPlatformUpToDate":"Unknown","avSignaturePublishTime":"2026-11-20T10:00:00Z","rbacGroupName":"g","rbacGroupId":9}`
)

// exportedFile scripts an export that answers with one file.
func exportedFile(i *commandstest.Instance) {
	i.Answer("GET", "/api/machines/SoftwareVulnerabilitiesExport", 200, `{"exportFiles":["`+i.Tenant.URL()+`/download/part?sig=1"],"generatedTime":"2026-11-20T06:00:00Z"}`)
	var packed bytes.Buffer
	writer := gzip.NewWriter(&packed)
	_, err := writer.Write([]byte(strings.ReplaceAll(fullChange, "\n", " ") + "\n"))
	if err := errors.Join(err, writer.Close()); err != nil {
		panic(err) // memory takes everything
	}
	i.Tenant.Script(simulator.Fault{Kind: simulator.KindDownload, Path: "/download/", Status: 200, ContentType: "application/gzip", Body: packed.String()})
}

// many are IDs, as a list in an argument.
func many(begin string, count int) string {
	ids := make([]string, count)
	for i := range ids {
		ids[i] = fmt.Sprint(begin, i+1)
	}
	return strings.Join(ids, ",")
}

// refuseSecond refuses one of two batch updates.
func refuseSecond(i *commandstest.Instance) {
	i.Answer("GET", "/api/alerts", 200, list(fullAlert))
	i.Tenant.Script(simulator.Fault{Kind: simulator.KindAPI, Method: "POST", Path: "/api/alerts/batchUpdate", Status: 400, Body: `{"error":{"code":"BadRequest","message":"m"}}`, Times: 1})
	i.Answer("POST", "/api/alerts/batchUpdate", 200, "{}")
}

// everyIndicator holds indicators of every type.
func everyIndicator() []string {
	var all []string
	for value, kind := range map[string]string{
		aSHA1: "FileSha1", "413c58c8267d2c8648d8f6384bacc2ae9c929b2b96578b6860b5087cd1bd6462": "FileSha256", "45309707b56e597de8c802214540cea4": "FileMd5",
		"198.51.100.1": "IpAddress", "2001:db8::1": "IpAddress", "bad.example": "DomainName", "https://bad.example/x": "Url",
	} {
		all = append(all, `{"id":"1","indicatorValue":"`+value+`","indicatorType":"`+kind+`","action":"Audit","application":"a","source":"s","sourceType":"AadApp","title":"t",
			"creationTimeDateTimeUtc":"2026-10-24T11:15:35Z","createdBy":"b","createdByDisplayName":"n","createdBySource":"s","expirationTime":"2026-12-12T00:00:00Z",
			"lastUpdateTime":"2026-10-24T10:54:23Z","lastUpdatedBy":"u","severity":"High","description":"d","recommendedActions":"r","rbacGroupNames":["g"],"rbacGroupIds":["1"],
			"mitreTechniques":["T1059"],"generateAlert":true,"historicalDetection":false,"notificationId":"n","externalId":"e","category":1}`)
	}
	slices.Sort(all)
	return all
}

// eachIndicator runs a command with an answer of every type of indicator, or of the types with the given prefix. The
// command makes as many requests as there are answers.
func eachIndicator(args map[string]any, kinds string, methodPaths ...string) []trial {
	var all []trial
	for _, body := range everyIndicator() {
		kind := gjson.Get(body, "indicatorType").String()
		if !slices.ContainsFunc(strings.Split(kinds, ","), func(begin string) bool { return strings.HasPrefix(kind, begin) }) {
			continue
		}
		answers := map[string]string{}
		for _, methodPath := range methodPaths {
			answers[methodPath] = body
		}
		all = append(all, trial{args: args, answers: answers, requests: len(methodPaths)})
	}
	return all
}

func newIndicator() map[string]any {
	return map[string]any{"indicator_value": "198.51.100.1", "indicator_type": "IpAddress", "action": "Audit", "indicator_description": "d", "indicator_title": "t"}
}

func list(objects ...string) string { return `{"value":[` + strings.Join(objects, ",") + `]}` }

// onAnswers returns a trial against one scripted answer.
func onAnswers(args map[string]any, requests int, methodPathBody ...string) trial {
	answers := map[string]string{}
	for i := 0; i < len(methodPathBody); i += 2 {
		answers[methodPathBody[i]] = methodPathBody[i+1]
	}
	return trial{args: args, answers: answers, requests: requests}
}

// surviving is the trial of a command that reports the failure of these requests in addition to what it has.
func (try trial) surviving(requests ...string) trial {
	try.survives = requests
	return try
}

func action(path string, args map[string]any) trial {
	return onAnswers(args, 1, "POST "+path, fullAction)
}

const (
	aMachine = "m1"
	aScript  = "triage.ps1" // in the tenant's library
	aSHA1    = "87662bc3d60e4200ceaf7aae249d1c343f4b83c9"
)

func on(machine string, more ...string) map[string]any {
	args := map[string]any{"machine_id": machine, "comment": "c"}
	for i := 0; i < len(more); i += 2 {
		args[more[i]] = more[i+1]
	}
	return args
}

// linkOfA1 is the request for the link to the result of an action that endedWithFile has scripted.
const linkOfA1 = "GET /api/machineactions/a1/GetLiveResponseResultDownloadLink(index=0)"

// endedWithFile scripts an action that has ended and whose result is a script's.
func endedWithFile(i *commandstest.Instance) {
	link := `{"value":"` + i.Tenant.URL() + `/download/result?sig=1"}`
	i.Answer("GET", "/api/machineactions/a1", 200, fullAction)
	i.Answer("GET", "/api/machineactions/a1/GetLiveResponseResultDownloadLink(index=0)", 200, link)
	i.Answer("GET", "/api/machineactions/a1/getPackageUri", 200, link)
	i.Tenant.Script(simulator.Fault{
		Kind: simulator.KindDownload, Path: "/download/", Status: 200, ContentType: "application/octet-stream",
		Body: `{"script_name":"triage.ps1","exit_code":0,"script_output":"o","script_errors":"e"}`,
	})
}

// trials holds the trials of every command. A command without one fails the test.
func trials() map[string][]trial {
	return map[string][]trial{
		"test-module":                         {{requests: 1}},
		"microsoft-atp-test":                  {{requests: 1}},
		"microsoft-atp-generate-login-url":    {{prepare: func(i *commandstest.Instance) { i.Params = i.Tenant.Instance("authorization-code") }}},
		"microsoft-atp-auth-reset":            {{}},
		"microsoft-atp-list-auth-permissions": {{}},
		"fetch-incidents":                     {{requests: 1}},

		"microsoft-atp-get-machines":           {onAnswers(map[string]any{"risk_score": "High"}, 1, "GET /api/machines", list(fullMachine))},
		"microsoft-atp-get-machine-details":    {onAnswers(map[string]any{"machine_id": "m1"}, 1, "GET /api/machines/m1", fullMachine)},
		"endpoint":                             {onAnswers(map[string]any{"hostname": "ws-001.contoso.example"}, 1, "GET /api/machines", list(fullMachine))},
		"microsoft-atp-get-machine-by-ip":      {onAnswers(map[string]any{"ip": "10.2.0.17", "timestamp": "2 hours"}, 1, "GET /api/machines/*", list(fullMachine))},
		"microsoft-atp-get-machine-users":      {onAnswers(map[string]any{"machine_id": "m1"}, 1, "GET /api/machines/m1/logonusers", list(fullUser))},
		"microsoft-atp-get-machine-alerts":     {onAnswers(map[string]any{"machine_id": "m1"}, 1, "GET /api/machines/m1/alerts", list(fullAlert))},
		"microsoft-atp-add-remove-machine-tag": {onAnswers(map[string]any{"machine_id": "m1", "action": "add", "tag": "t"}, 1, "POST /api/machines/m1/tags", fullMachine)},

		"microsoft-atp-isolate-machine":                   {action("/api/machines/m1/isolate", on(aMachine, "isolation_type", "Full"))},
		"microsoft-atp-unisolate-machine":                 {action("/api/machines/m1/unisolate", on(aMachine))},
		"microsoft-atp-run-antivirus-scan":                {action("/api/machines/m1/runAntiVirusScan", on(aMachine, "scan_type", "Quick"))},
		"microsoft-atp-restrict-app-execution":            {action("/api/machines/m1/restrictCodeExecution", on(aMachine))},
		"microsoft-atp-remove-app-restriction":            {action("/api/machines/m1/unrestrictCodeExecution", on(aMachine))},
		"microsoft-atp-stop-and-quarantine-file":          {action("/api/machines/m1/StopAndQuarantineFile", on(aMachine, "file_hash", aSHA1))},
		"microsoft-atp-collect-investigation-package":     {action("/api/machines/m1/collectInvestigationPackage", on(aMachine))},
		"microsoft-atp-offboard-machine":                  {action("/api/machines/m1/offboard", on(aMachine))},
		"microsoft-atp-list-machine-actions-details":      {onAnswers(map[string]any{"limit": 2}, 1, "GET /api/machineactions", list(fullAction))},
		"microsoft-atp-get-investigation-package-sas-uri": {onAnswers(map[string]any{"action_id": "a1"}, 1, "GET /api/machineactions/a1/getPackageUri", `{"value":"https://blob.example/p?sig=1"}`)},
		"microsoft-atp-request-and-download-investigation-package": {
			{args: on("FIRST"), requests: 1},
			{args: on(aMachine, "machine_action_id", "a1"), prepare: endedWithFile, requests: 3},
		},

		"microsoft-atp-live-response-run-script": {{args: on("FIRST", "scriptName", aScript), requests: 1}},
		"microsoft-atp-live-response-get-file": {
			{args: on("FIRST", "path", `C:\Users\nora\evil.exe`), requests: 1},
			{args: on(aMachine, "path", `C:\x`, "machine_action_id", "a1"), prepare: endedWithFile, requests: 3},
		},
		"microsoft-atp-live-response-put-file": {
			{args: on("FIRST", "file_name", aScript), requests: 1},
			onAnswers(on(aMachine, "file_name", "tool.exe", "machine_action_id", "a1"), 1, "GET /api/machineactions/a1", fullAction),
		},
		"microsoft-atp-live-response-result":        {{args: map[string]any{"machine_action_id": "a1", "command_index": "0"}, prepare: endedWithFile, requests: 2}},
		"microsoft-atp-live-response-cancel-action": {onAnswers(map[string]any{"machine_action_id": "a1", "comment": "c"}, 1, "POST /api/machineactions/a1/cancel", fullAction)},

		"microsoft-atp-live-response-library-list": {onAnswers(map[string]any{"file_name": "tri*.ps1"}, 1, "GET /api/libraryfiles", list(fullLibraryFile))},
		"microsoft-atp-live-response-library-upload": {
			onAnswers(map[string]any{"content": "Get-Process\n", "file_name": "new.ps1", "override": true, "only_if_changed": false}, 2, "GET /api/libraryfiles", list(fullLibraryFile),
				"POST /api/libraryfiles", strings.Replace(fullLibraryFile, "6e212a0db618507c44e4ec8ee7499dfef7e5767e5f8d31144df3b96fd1145caf", "", 1)),
		},
		"microsoft-atp-live-response-library-delete": {{args: map[string]any{"file_name": "none.ps1"}, requests: 1}},
		"microsoft-atp-live-response-run": {
			{args: on("FIRST", "commands", "put tool.exe\nrun triage.ps1 -Days 3\nget C:\\x"), requests: 1},
			trial{args: on(aMachine, "commands", "run triage.ps1", "machine_action_id", "a1"), prepare: endedWithFile, requests: 3}.surviving(linkOfA1, "GET /download/result"),
			trial{args: on(aMachine, "commands", "run triage.ps1", "machine_action_id", "a1", "results", "links"), prepare: endedWithFile, requests: 2}.surviving(linkOfA1),
		},

		"microsoft-atp-batch-update-alerts": {
			onAnswers(map[string]any{"alert_id": "da1", "status": "Resolved"}, 2, "POST /api/alerts/batchUpdate", "{}", "GET /api/alerts", list(fullAlert)).surviving("GET /api/alerts"),
			trial{args: map[string]any{"alert_id": many("da", 101), "comment": "c"}, prepare: refuseSecond, requests: 3}.surviving("GET /api/alerts", "POST /api/alerts/batchUpdate"),
		},
		"microsoft-atp-bulk-machine-tag":     {onAnswers(map[string]any{"machine_id": "m1", "action": "Add", "tag": "t"}, 1, "POST /api/machines/AddOrRemoveTagForMultipleMachines", list(fullMachine))},
		"microsoft-atp-find-machines-by-tag": {onAnswers(map[string]any{"tag": "finance"}, 1, "GET /api/machines/findbytag", list(fullMachine))},
		"microsoft-atp-set-device-value":     {onAnswers(map[string]any{"machine_id": "m1", "device_value": "High"}, 1, "POST /api/machines/m1/setDeviceValue", fullMachine)},
		"microsoft-atp-indicator-batch-delete": {
			onAnswers(map[string]any{"indicator_id": "1"}, 1, "POST /api/indicators/BatchDelete", "{}"),
			onAnswers(map[string]any{"indicator_value": "203.0.113.99,198.51.100.1"}, 2, "GET /api/indicators", list(everyIndicator()[0]), "POST /api/indicators/BatchDelete", "{}"),
		},
		"microsoft-atp-cancel-machine-action": {onAnswers(map[string]any{"machine_action_id": "a1", "comment": "c"}, 1, "POST /api/machineactions/a1/cancel", fullAction)},

		"microsoft-atp-export": {
			onAnswers(map[string]any{"kind": "software_vulnerabilities"}, 1, "GET /api/machines/SoftwareVulnerabilitiesByMachine", list(fullChange)),
			{args: map[string]any{"kind": "software_vulnerabilities", "via": "files"}, prepare: exportedFile, requests: 2},
		},
		"microsoft-atp-list-vulnerability-changes": {onAnswers(map[string]any{"since": "2 days"}, 1, "GET /api/machines/SoftwareVulnerabilityChangesByMachine", list(fullChange))},

		"microsoft-atp-get-machine-exposure": {onAnswers(map[string]any{"machine_id": "m1", "include": "software,vulnerabilities,recommendations,missing_kbs"}, 4,
			"GET /api/machines/m1/software", list(fullSoftware), "GET /api/machines/m1/vulnerabilities", list(fullVulnerability),
			"GET /api/machines/m1/recommendations", list(fullRecommendation), "GET /api/machines/m1/getmissingkbs", list(fullMissingKB)).surviving(
			"GET /api/machines/m1/software", "GET /api/machines/m1/vulnerabilities", "GET /api/machines/m1/recommendations", "GET /api/machines/m1/getmissingkbs")},
		"microsoft-atp-list-recommendations": {
			onAnswers(map[string]any{"status": "Active"}, 1, "GET /api/recommendations", list(fullRecommendation)),
			onAnswers(map[string]any{"recommendation_id": "r"}, 1, "GET /api/recommendations/r", fullRecommendation),
		},
		"microsoft-atp-get-recommendation-details": {onAnswers(map[string]any{"recommendation_id": "r", "include": "machines,vulnerabilities,software"}, 4,
			"GET /api/recommendations/r", fullRecommendation, "GET /api/recommendations/r/machineReferences", list(fullReference),
			"GET /api/recommendations/r/vulnerabilities", list(fullVulnerability), "GET /api/recommendations/r/software", fullSoftware).surviving(
			"GET /api/recommendations/r", "GET /api/recommendations/r/machineReferences", "GET /api/recommendations/r/vulnerabilities", "GET /api/recommendations/r/software")},
		"microsoft-atp-get-scores": {onAnswers(nil, 3, "GET /api/exposureScore", `{"time":"2026-11-20T07:23:53Z","score":33.5}`,
			"GET /api/exposureScore/ByMachineGroups", list(`{"time":"2026-11-20T07:23:53Z","score":30,"rbacGroupName":"Group A","rbacGroupId":9}`),
			"GET /api/configurationScore", `{"time":"2026-11-20T07:23:53Z","score":340}`).surviving(
			"GET /api/exposureScore", "GET /api/exposureScore/ByMachineGroups", "GET /api/configurationScore")},
		"microsoft-atp-list-remediation-tasks": {
			onAnswers(map[string]any{"status": "Active", "include_machines": "true"}, 2, "GET /api/remediationTasks", list(fullTask),
				"GET /api/remediationTasks/t1/machineReferences", list(fullReference)),
			onAnswers(map[string]any{"task_id": "t1"}, 1, "GET /api/remediationTasks/t1", fullTask),
		},
		"cve":                                 {onAnswers(map[string]any{"cve": "CVE-2026-0001"}, 1, "GET /api/vulnerabilities/CVE-2026-0001", fullVulnerability)},
		"microsoft-atp-list-device-av-health": {onAnswers(map[string]any{"outdated": "signature"}, 1, "GET /api/deviceavinfo", list(fullAntivirus))},

		"microsoft-atp-list-investigations": {onAnswers(nil, 1, "GET /api/investigations", list(fullInvestigation))},
		"microsoft-atp-start-investigation": {onAnswers(on(aMachine), 1, "POST /api/machines/m1/startInvestigation", fullInvestigation)},

		"microsoft-atp-incident-list": {
			onAnswers(map[string]any{"include_alerts": true}, 1, "GET /v1.0/security/incidents", list(fullIncident)),
			{args: map[string]any{"machine_id": "m1"}, answers: map[string]string{"GET /v1.0/security/incidents": list(fullIncident)}, requests: 1},
		},
		"microsoft-atp-incident-get": {onAnswers(map[string]any{"incident_id": "7"}, 1, "GET /v1.0/security/incidents/7", fullIncident)},
		"microsoft-atp-incident-update": {onAnswers(map[string]any{
			"incident_id": "7", "status": "resolved", "classification": "truePositive", "determination": "malware", "assigned_to": "nora", "tags": "t", "resolving_comment": "c",
		}, 1, "PATCH /v1.0/security/incidents/7", fullIncident)},
		"microsoft-atp-incident-comment-add": {onAnswers(map[string]any{"incident_id": "7", "comment": "c"}, 1, "POST /v1.0/security/incidents/7/comments",
			list(`{"comment":"c","createdByDisplayName":"nora","createdDateTime":"2026-11-20T11:00:00Z"}`))},
		"microsoft-atp-incident-alerts-move": {onAnswers(map[string]any{"alert_id": "da1", "incident_id": "7", "comment": "c"}, 1, "POST /v1.0/security/alerts_v2/moveAlerts", `{"targetIncidentId":"7"}`)},
		"microsoft-atp-incident-merge":       {onAnswers(map[string]any{"incident_id": "7,8", "comment": "c"}, 1, "POST /v1.0/security/incidents/mergeIncidents", `{"targetIncidentId":"7"}`)},
		"microsoft-atp-alert-evidence":       {onAnswers(map[string]any{"alert_id": "da1"}, 1, "GET /v1.0/security/alerts_v2/da1", fullGraphAlert)},

		"get-mapping-fields":       {{}},
		"get-modified-remote-data": {{args: map[string]any{"lastUpdate": "2026-11-20T10:00:00Z"}, requests: 1}},
		"get-remote-data": {
			onAnswers(map[string]any{"id": "da1", "lastUpdate": "2026-11-20T10:00:00Z"}, 1, "GET /api/alerts/da1", fullAlert),
			onAnswers(map[string]any{"id": "7", "lastUpdate": "2026-11-20T10:00:00Z"}, 1, "GET /v1.0/security/incidents/7", fullIncident),
		},
		"update-remote-system": {{
			args:     map[string]any{"remoteId": "da1", "delta": map[string]any{"status": "InProgress"}, "data": map[string]any{}, "entries": []any{}, "incidentChanged": true, "status": 1},
			answers:  map[string]string{"GET /api/alerts/da1": fullAlert, "PATCH /api/alerts/da1": fullAlert},
			requests: 2,
			// The platform gets the ID of the alert whatever happens, with a warning.
			survives: []string{"GET /api/alerts/da1", "PATCH /api/alerts/da1"},
		}},

		"microsoft-atp-list-alerts":     {onAnswers(map[string]any{"severity": "High"}, 1, "GET /api/alerts", list(fullAlert))},
		"microsoft-atp-get-alert-by-id": {onAnswers(map[string]any{"alert_ids": "da1"}, 1, "GET /api/alerts/da1", fullAlert)},
		"microsoft-atp-update-alert": {onAnswers(map[string]any{
			"alert_id": "da1", "status": "Resolved", "assigned_to": "nora", "classification": "TruePositive",
			"determination": "Malware", "comment": "c",
		}, 1, "PATCH /api/alerts/da1", fullAlert)},
		"microsoft-atp-create-alert": {onAnswers(map[string]any{
			"machine_id": "m1", "severity": "Low", "title": "t", "description": "d", "recommended_action": "r",
			"event_time": "2026-11-20T10:00:00.0000", "report_id": "1", "category": "General",
		}, 1, "POST /api/alerts/CreateAlertByReference", fullAlert)},
		"microsoft-atp-get-alert-related-user":    {onAnswers(map[string]any{"id": "da1"}, 1, "GET /api/alerts/da1/user", fullUser)},
		"microsoft-atp-get-alert-related-files":   {onAnswers(map[string]any{"id": "da1"}, 1, "GET /api/alerts/da1/files", list(fullFile))},
		"microsoft-atp-get-alert-related-ips":     {onAnswers(map[string]any{"id": "da1"}, 1, "GET /api/alerts/da1/ips", list(`{"id":"198.51.100.1"}`))},
		"microsoft-atp-get-alert-related-domains": {onAnswers(map[string]any{"id": "da1"}, 1, "GET /api/alerts/da1/domains", list(`{"host":"bad.example"}`))},

		"file": {
			onAnswers(map[string]any{"file": aSHA1}, 1, "GET /api/files/"+aSHA1, fullFile).surviving("GET /api/files/" + aSHA1),
		},
		"microsoft-atp-get-file-info":             {onAnswers(map[string]any{"hash": aSHA1}, 1, "GET /api/files/"+aSHA1, fullFile)},
		"microsoft-atp-get-file-statistics":       {onAnswers(map[string]any{"file_hash": aSHA1}, 1, "GET /api/files/"+aSHA1+"/stats", fullStatistics)},
		"microsoft-atp-get-file-alerts":           {onAnswers(map[string]any{"file_hash": aSHA1}, 1, "GET /api/files/"+aSHA1+"/alerts", list(fullAlert))},
		"microsoft-atp-get-file-related-machines": {onAnswers(map[string]any{"file_hash": aSHA1}, 1, "GET /api/files/"+aSHA1+"/machines", list(fullMachine))},
		"microsoft-atp-get-domain-statistics":     {onAnswers(map[string]any{"domain": "bad.example"}, 1, "GET /api/domains/bad.example/stats", fullStatistics)},
		"microsoft-atp-get-domain-alerts":         {onAnswers(map[string]any{"domain": "bad.example"}, 1, "GET /api/domains/bad.example/alerts", list(fullAlert))},
		"microsoft-atp-get-domain-machines":       {onAnswers(map[string]any{"domain": "bad.example"}, 1, "GET /api/domains/bad.example/machines", list(fullMachine))},
		"microsoft-atp-get-ip-statistics":         {onAnswers(map[string]any{"ip": "198.51.100.1"}, 1, "GET /api/ips/198.51.100.1/stats", fullStatistics)},
		"microsoft-atp-get-ip-alerts":             {onAnswers(map[string]any{"ip": "198.51.100.1"}, 1, "GET /api/ips/198.51.100.1/alerts", list(fullAlert))},
		"microsoft-atp-get-user-alerts":           {onAnswers(map[string]any{"username": "nora"}, 1, "GET /api/users/nora/alerts", list(fullAlert))},
		"microsoft-atp-get-user-machines":         {onAnswers(map[string]any{"username": "nora"}, 1, "GET /api/users/nora/machines", list(fullMachine))},

		"microsoft-atp-sc-indicator-list":      {onAnswers(nil, 1, "GET /api/indicators", list(everyIndicator()...))},
		"microsoft-atp-sc-indicator-get-by-id": eachIndicator(map[string]any{"indicator_id": "1"}, "", "GET /api/indicators/1"),
		"microsoft-atp-sc-indicator-create":    eachIndicator(newIndicator(), "", "POST /api/indicators"),
		"microsoft-atp-sc-indicator-update":    eachIndicator(newIndicator(), "", "POST /api/indicators"),
		"microsoft-atp-sc-indicator-delete":    {onAnswers(map[string]any{"indicator_id": "1"}, 1, "DELETE /api/indicators/1", "{}")},
		"microsoft-atp-indicator-batch-update": {onAnswers(map[string]any{"indicator_batch": `[{"indicatorValue":"198.51.100.1","indicatorType":"IpAddress","action":"Audit","title":"t","description":"d"}]`}, 1,
			"POST /api/indicators/import", list(`{"id":"1","indicator":"198.51.100.1","isFailed":true,"failureReason":"f"}`))},
		"microsoft-atp-indicator-list":      {onAnswers(nil, 1, "GET /api/indicators", list(everyIndicator()...))},
		"microsoft-atp-indicator-get-by-id": eachIndicator(map[string]any{"indicator_id": "1"}, "", "GET /api/indicators/1"),
		"microsoft-atp-indicator-create-file": eachIndicator(map[string]any{
			"action": "block", "description": "d", "expiration_time": "7 days", "target_product": "Microsoft Defender ATP",
			"threat_type": "Malware", "file_hash_type": "sha1", "file_hash_value": aSHA1,
		}, "File", "POST /api/indicators"),
		"microsoft-atp-indicator-create-network": eachIndicator(map[string]any{
			"action": "block", "description": "d", "expiration_time": "7 days", "target_product": "Microsoft Defender ATP",
			"threat_type": "Malware", "network_ipv4": "198.51.100.1",
		}, "Ip,Domain,Url", "POST /api/indicators"),
		"microsoft-atp-indicator-update": eachIndicator(map[string]any{"indicator_id": "1", "expiration_time": "7 days", "description": "d"}, "",
			"GET /api/indicators/1", "POST /api/indicators"),
		"microsoft-atp-indicator-delete": {onAnswers(map[string]any{"indicator_id": "1"}, 1, "DELETE /api/indicators/1", "{}")},

		"microsoft-atp-get-machine-software": {onAnswers(map[string]any{"machine_id": "m1"}, 1, "GET /api/machines/m1/software", list(fullSoftware))},
		"microsoft-atp-get-machine-missing-kbs": {onAnswers(map[string]any{"machine_id": "m1"}, 1, "GET /api/machines/m1/getmissingkbs",
			list(`{"id":"4540673","name":"n","osBuild":"19045.4291","productsNames":["edge"],"url":"https://catalog.example/","machineMissedOn":1,"cveAddressed":97}`))},
		"microsoft-atp-get-machine-vulnerabilities":        {onAnswers(map[string]any{"machine_id": "m1"}, 1, "GET /api/machines/m1/vulnerabilities", list(fullVulnerability))},
		"microsoft-atp-list-software":                      {onAnswers(nil, 1, "GET /api/Software", list(fullSoftware))},
		"microsoft-atp-list-software-version-distribution": {onAnswers(map[string]any{"id": "s"}, 1, "GET /api/Software/s/distributions", list(`{"version":"1","installations":2,"vulnerabilities":3}`))},
		"microsoft-atp-list-machines-by-software":          {onAnswers(map[string]any{"id": "s"}, 1, "GET /api/Software/s/machineReferences", list(fullReference))},
		"microsoft-atp-list-missing-kb-by-software": {onAnswers(map[string]any{"id": "s"}, 1, "GET /api/Software/s/getmissingkbs",
			list(`{"id":"1","name":"KB1","osBuild":22631,"productsNames":["windows"],"url":"https://example.com","machineMissedOn":1,"cveAddressed":2}`))},
		"microsoft-atp-list-vulnerabilities":             {onAnswers(nil, 1, "GET /api/vulnerabilities", list(fullVulnerability))},
		"microsoft-atp-list-vulnerabilities-by-software": {onAnswers(map[string]any{"id": "s"}, 1, "GET /api/Software/s/vulnerabilities", list(fullVulnerability))},
		"microsoft-atp-list-vulnerabilities-by-machine": {onAnswers(nil, 1, "GET /api/vulnerabilities/machinesVulnerabilities",
			list(`{"id":"1","cveId":"CVE-2026-0001","machineId":"m1","fixingKbId":"5","productName":"vpn","productVendor":"contoso","productVersion":"7","severity":"High"}`))},
		"microsoft-atp-list-machines-by-vulnerability": {onAnswers(map[string]any{"cve_id": "CVE-2026-0001"}, 1, "GET /api/vulnerabilities/CVE-2026-0001/machineReferences", list(fullReference))},

		"microsoft-atp-advanced-hunting": {{args: map[string]any{"query": "DeviceInfo | take 2"}, requests: 1}},
	}
}

// trialsOf returns the trials of one command.
func trialsOf(command commands.Command) []trial {
	if strings.HasPrefix(command.Name, "microsoft-atp-advanced-hunting-") {
		return hunts(command)
	}
	return allTrials()[command.Name]
}

// triedCommands returns the commands that have a trial. Of the others TestEveryCommandDoesWhatItDeclares says what to do,
// and no other test fails as well.
func triedCommands() []commands.Command {
	return slices.DeleteFunc(commands.NewRegistry().All(), func(command commands.Command) bool { return len(trialsOf(command)) == 0 })
}

// allTrials returns the trials of every command. They are made once, and nobody changes them.
var allTrials = sync.OnceValue(trials)

// hunts returns the trials of the commands that answer a question with a hunting query.
func hunts(command commands.Command) []trial {
	purposes := []string{""}
	for _, argument := range command.Arguments() {
		if argument.Name == "query_purpose" {
			purposes = argument.Values
		}
	}
	all := make([]trial, len(purposes))
	for i, purpose := range purposes {
		args := map[string]any{"device_name": "ws-001", "file_name": "evil.exe", "process_cmd": "reg add", "username": "nora", "query_purpose": purpose}
		all[i] = onAnswers(args, 1, "POST /api/advancedqueries/run", `{"Schema":[],"Results":[{"DeviceName":"ws-001"}]}`)
	}
	return all
}

// TestEveryCommandDoesWhatItDeclares runs every command: it works, makes the requests that it needs and no more,
// puts nothing in the context that it does not declare, and fills all that it declares.
func TestEveryCommandDoesWhatItDeclares(t *testing.T) {
	for _, command := range commands.NewRegistry().All() {
		tries := trialsOf(command)
		t.Run(command.Name, func(t *testing.T) {
			t.Parallel()
			if len(tries) == 0 {
				t.Fatal("the command has no trial: add one to trials")
			}
			produced := map[string]bool{}
			for _, try := range tries {
				tryCommand(t, command.Name, try, produced)
			}
			declared := map[string]bool{}
			for _, output := range command.Outputs {
				for _, path := range output.Declared() {
					declared[path.Path] = declared[path.Path] || !path.Gone
				}
			}
			compare(t, declared, produced)
		})
	}
}

func tryCommand(t *testing.T, name string, try trial, produced map[string]bool) {
	t.Helper()
	i := commandstest.New(t)
	try.script(i)
	result := i.Run(name, resolve(i, try.args))
	if got := len(result.Requests); got != try.requests {
		t.Errorf("got %d requests, want %d: %q", got, try.requests, result.Asked())
	}
	for runs := 0; ; runs++ {
		var next *commandstest.Entry
		for _, entry := range result.All() {
			for _, one := range entry.Context {
				leaves(strings.SplitN(one.Path, "(", 2)[0], entry.At(one.Path), produced)
			}
			if entry.Poll != nil {
				next = &entry
			}
		}
		if next == nil {
			return
		}
		if runs == 50 {
			t.Fatal("the command does not stop running again")
		}
		result = i.Again(*next)
	}
}

// script prepares the tenant for a trial.
func (try trial) script(i *commandstest.Instance) {
	for methodPath, body := range try.answers {
		method, path, _ := strings.Cut(methodPath, " ")
		i.Answer(method, path, 200, body)
	}
	if try.prepare != nil {
		try.prepare(i)
	}
}

// resolve replaces names in capitals by ids of the tenant.
func resolve(i *commandstest.Instance, args map[string]any) map[string]any {
	resolved := maps.Clone(args)
	for name, value := range resolved {
		if value == "FIRST" {
			resolved[name] = i.Tenant.MachineIDs()[0]
		}
	}
	return resolved
}

// leaves collects the paths of the values in a context, without the positions in lists.
func leaves(path string, value gjson.Result, into map[string]bool) {
	if !value.IsObject() && !value.IsArray() {
		into[path] = true
		return
	}
	value.ForEach(func(key, item gjson.Result) bool {
		if value.IsArray() {
			leaves(path, item, into)
		} else {
			leaves(path+"."+key.String(), item, into)
		}
		return true
	})
}

// compare checks that the declared and the filled paths match. A declared path covers all paths below it; a path that
// is declared false need not be filled.
func compare(t *testing.T, declared, produced map[string]bool) {
	t.Helper()
	covers := func(path, below string) bool { return path == below || strings.HasPrefix(below, path+".") }
	for _, path := range slices.Sorted(maps.Keys(produced)) {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(declared)), func(one string) bool { return covers(one, path) }) {
			t.Errorf("%s is produced but not declared", path)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(declared)) {
		if declared[path] && !slices.ContainsFunc(slices.Collect(maps.Keys(produced)), func(one string) bool { return covers(path, one) }) {
			t.Errorf("%s is declared but no trial produces it", path)
		}
	}
}
