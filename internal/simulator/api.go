package simulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// operation is one call of the Defender API: how it is reached, who may make it, how often, and what does it.
// Permissions and rates are those on the page of each operation (https://learn.microsoft.com/defender-endpoint/api/exposed-apis-list).
type operation struct {
	method string
	// path is the template of the path, after /api, with placeholders in braces.
	path        string
	application []string
	delegated   []string
	// perMinute and perHour are the calls allowed; 0 where no rate is documented.
	perMinute, perHour int
	handle             handler
}

// call is a request to an operation.
type call struct {
	path      string // of the request, as it came
	query     url.Values
	header    http.Header
	arguments map[string]string // by placeholder
	body      []byte
	app       application
	now       time.Time
}

// reply is an answer; without a value it has no body.
type reply struct {
	status int
	value  any
}

// The permissions that several operations share. Any one of a list is enough.
var (
	mayReadAlerts            = []string{"Alert.Read.All", "Alert.ReadWrite.All"}
	userReadsAlerts          = []string{"Alert.Read", "Alert.ReadWrite"}
	mayWriteAlerts           = []string{"Alert.ReadWrite.All"}
	userWritesAlerts         = []string{"Alert.ReadWrite"}
	mayReadMachines          = []string{"Machine.Read.All", "Machine.ReadWrite.All"}
	userReadsMachines        = []string{"Machine.Read", "Machine.ReadWrite"}
	mayWriteMachines         = []string{"Machine.ReadWrite.All"}
	userWritesMachines       = []string{"Machine.ReadWrite"}
	mayReadFiles             = []string{"File.Read.All"}
	mayReadURLs              = []string{"URL.Read.All"}
	mayReadIPs               = []string{"Ip.Read.All"}
	mayReadUsers             = []string{"User.Read.All"}
	mayIsolate               = []string{"Machine.Isolate"}
	mayRestrict              = []string{"Machine.RestrictExecution"}
	mayScan                  = []string{"Machine.Scan"}
	mayCollect               = []string{"Machine.CollectForensics"}
	mayOffboard              = []string{"Machine.Offboard"}
	mayRespond               = []string{"Machine.LiveResponse"}
	mayQuarantine            = []string{"Machine.StopAndQuarantine"}
	mayQuarantineOrRead      = []string{"Machine.StopAndQuarantine", "Machine.Read.All", "Machine.ReadWrite.All"}
	mayManageLibrary         = []string{"Library.Manage"}
	mayManageIndicators      = []string{"Ti.ReadWrite", "Ti.ReadWrite.All"}
	userManagesIndicators    = []string{"Ti.ReadWrite"}
	mayReadSoftware          = []string{"Software.Read.All"}
	userReadsSoftware        = []string{"Software.Read"}
	mayReadVulnerabilities   = []string{"Vulnerability.Read.All"}
	userReadsVulnerabilities = []string{"Vulnerability.Read"}
	mayReadRecommendations   = []string{"SecurityRecommendation.Read.All"}
	userReadsRecommendations = []string{"SecurityRecommendation.Read"}
	mayReadScores            = []string{"Score.Read.All"}
	userReadsScores          = []string{"Score.Read"}
	mayReadTasks             = []string{"RemediationTasks.Read.All"}
	userReadsTasks           = []string{"RemediationTask.Read"}
	mayHunt                  = []string{"ThreatHunting.Read.All"}
	mayReadIncidents         = []string{"SecurityIncident.Read.All", "SecurityIncident.ReadWrite.All"}
	mayWriteIncidents        = []string{"SecurityIncident.ReadWrite.All"}
	mayReadGraphAlerts       = []string{"SecurityAlert.Read.All", "SecurityAlert.ReadWrite.All"}
	mayWriteGraphAlerts      = []string{"SecurityAlert.ReadWrite.All"}
	mayManageSecurity        = []string{"SecurityData.Manage.All"}
	// mayActAnyhow are all permissions to start an action.
	mayActAnyhow = []string{
		"Machine.CollectForensics", "Machine.Isolate", "Machine.RestrictExecution", "Machine.Scan", "Machine.Offboard",
		"Machine.StopAndQuarantine", "Machine.LiveResponse",
	}
)

// operations is everything that the API can do. Where a literal path and a placeholder both fit, the literal one is
// meant, whatever the order.
var operations = []operation{
	{"GET", "/alerts", mayReadAlerts, userReadsAlerts, 100, 1500, plain((*company).listAlerts)},
	{"POST", "/alerts/batchUpdate", mayWriteAlerts, userWritesAlerts, 10, 500, withBody((*company).updateAlerts)},
	{"POST", "/alerts/CreateAlertByReference", mayWriteAlerts, userWritesAlerts, 15, 0, withBody((*company).createAlert)},
	{"GET", "/alerts/{id}", mayReadAlerts, userReadsAlerts, 100, 1500, onAlert((*company).getAlert)},
	{"PATCH", "/alerts/{id}", mayWriteAlerts, userWritesAlerts, 100, 1500, changeAlert((*company).updateAlert)},
	{"GET", "/alerts/{id}/domains", mayReadURLs, mayReadURLs, 100, 1500, onAlert((*company).listAlertDomains)},
	{"GET", "/alerts/{id}/files", mayReadFiles, mayReadFiles, 100, 1500, onAlert((*company).listAlertFiles)},
	{"GET", "/alerts/{id}/ips", mayReadIPs, mayReadIPs, 100, 1500, onAlert((*company).listAlertIPs)},
	{"GET", "/alerts/{id}/machine", mayReadMachines, userReadsMachines, 100, 1500, onAlert((*company).getAlertMachine)},
	{"GET", "/alerts/{id}/user", mayReadUsers, mayReadUsers, 100, 1500, onAlert((*company).getAlertUser)},

	{"GET", "/machines", mayReadMachines, userReadsMachines, 100, 1500, plain((*company).listMachines)},
	{"GET", "/machines/findbyip(ip='{ip}',timestamp={time})", mayReadMachines, userReadsMachines, 100, 1500, plain((*company).findMachinesByIP)},
	{"GET", "/machines/findbytag", mayReadMachines, userReadsMachines, 100, 1500, plain((*company).findMachinesByTag)},
	{"POST", "/machines/AddOrRemoveTagForMultipleMachines", mayWriteMachines, userWritesMachines, 100, 1500, withBody((*company).tagMachines)},
	{"GET", "/machines/{id}", mayReadMachines, userReadsMachines, 100, 1500, onMachine((*company).getMachine)},
	{"PATCH", "/machines/{id}", mayWriteMachines, userWritesMachines, 100, 1500, changeMachine((*company).updateMachine)},
	{"POST", "/machines/{id}/tags", mayWriteMachines, userWritesMachines, 100, 1500, changeMachine((*company).tagMachine)},
	{"POST", "/machines/{id}/setDeviceValue", mayWriteMachines, userWritesMachines, 100, 1500, changeMachine((*company).setDeviceValue)},
	{"GET", "/machines/{id}/logonusers", mayReadUsers, mayReadUsers, 100, 1500, onMachine((*company).listMachineUsers)},
	{"GET", "/machines/{id}/alerts", mayReadAlerts, userReadsAlerts, 100, 1500, onMachine((*company).listMachineAlerts)},
	{"GET", "/machines/{id}/alerts/$count", mayReadAlerts, userReadsAlerts, 0, 0, onMachine((*company).countMachineAlerts)},
	{"GET", "/machines/{id}/software", mayReadSoftware, userReadsSoftware, 0, 0, onMachine((*company).listMachineSoftware)},
	{"GET", "/machines/{id}/vulnerabilities", mayReadVulnerabilities, userReadsVulnerabilities, 50, 1500, onMachine((*company).listMachineVulnerabilities)},
	{"GET", "/machines/{id}/recommendations", mayReadRecommendations, userReadsRecommendations, 0, 0, onMachine((*company).listMachineRecommendations)},
	{"GET", "/machines/{id}/getmissingkbs", mayReadSoftware, nil, 0, 0, onMachine((*company).listMachineMissingKBs)},

	{"POST", "/machines/{id}/isolate", mayIsolate, mayIsolate, 100, 1500, starts("Isolate")},
	{"POST", "/machines/{id}/unisolate", mayIsolate, mayIsolate, 100, 1500, starts("Unisolate")},
	{"POST", "/machines/{id}/restrictCodeExecution", mayRestrict, mayRestrict, 100, 1500, starts("RestrictCodeExecution")},
	{"POST", "/machines/{id}/unrestrictCodeExecution", mayRestrict, mayRestrict, 100, 1500, starts("UnrestrictCodeExecution")},
	{"POST", "/machines/{id}/runAntiVirusScan", mayScan, mayScan, 100, 1500, starts("RunAntiVirusScan")},
	{"POST", "/machines/{id}/collectInvestigationPackage", mayCollect, mayCollect, 100, 1500, starts("CollectInvestigationPackage")},
	{"POST", "/machines/{id}/offboard", mayOffboard, mayOffboard, 100, 1500, starts("Offboard")},
	{"POST", "/machines/{id}/StopAndQuarantineFile", mayQuarantineOrRead, mayQuarantine, 100, 1500, starts("StopAndQuarantineFile")},
	{"POST", "/machines/{id}/runliveresponse", mayRespond, mayRespond, 10, 0, changeMachine((*company).runLiveResponse)},
	{"POST", "/machines/{id}/startInvestigation", mayWriteAlerts, userWritesAlerts, 0, 50, plain((*company).startInvestigation)},

	{"GET", "/machineactions", mayReadMachines, userReadsMachines, 100, 1500, plain((*company).listActions)},
	{"GET", "/machineactions/{id}", mayReadMachines, userReadsMachines, 100, 1500, onAction((*company).getAction)},
	{"POST", "/machineactions/{id}/cancel", mayActAnyhow, mayActAnyhow, 100, 1500, onAction((*company).cancelAction)},
	{"GET", "/machineactions/{id}/getPackageUri", mayReadMachines, mayCollect, 2, 120, onAction((*company).getPackageURI)},
	{"GET", "/machineactions/{id}/GetLiveResponseResultDownloadLink(index={index})", mayReadMachines, mayRespond, 100, 1500, onAction((*company).getLiveResponseResult)},

	{"GET", "/libraryfiles", mayManageLibrary, mayManageLibrary, 100, 1500, plain((*company).listLibraryFiles)},
	{"POST", "/libraryfiles", mayManageLibrary, mayManageLibrary, 100, 1500, plain((*company).uploadLibraryFile)},
	{"DELETE", "/libraryfiles/{name}", mayManageLibrary, mayManageLibrary, 100, 1500, plain((*company).deleteLibraryFile)},

	{"GET", "/indicators", mayManageIndicators, userManagesIndicators, 100, 1500, plain((*company).listIndicators)},
	{"POST", "/indicators", mayManageIndicators, userManagesIndicators, 100, 1500, withBody((*company).submitIndicator)},
	{"POST", "/indicators/import", mayManageIndicators, userManagesIndicators, 30, 0, withBody((*company).importIndicators)},
	{"POST", "/indicators/BatchDelete", mayManageIndicators, nil, 30, 1500, withBody((*company).deleteIndicators)},
	// Not documented, but the service answers it and existing clients use it.
	{"GET", "/indicators/{id}", mayManageIndicators, userManagesIndicators, 100, 1500, plain((*company).getIndicator)},
	{"DELETE", "/indicators/{id}", mayManageIndicators, nil, 100, 1500, plain((*company).deleteIndicator)},

	{"GET", "/files/{id}", mayReadFiles, mayReadFiles, 100, 1500, plain((*company).getFile)},
	{"GET", "/files/{id}/alerts", mayReadAlerts, userReadsAlerts, 100, 1500, plain((*company).listFileAlerts)},
	{"GET", "/files/{id}/machines", mayReadMachines, userReadsMachines, 100, 1500, plain((*company).listFileMachines)},
	{"GET", "/files/{id}/stats", mayReadFiles, mayReadFiles, 100, 1500, plain((*company).getFileStatistics)},
	{"GET", "/domains/{domain}/alerts", mayReadAlerts, userReadsAlerts, 100, 1500, plain((*company).listDomainAlerts)},
	{"GET", "/domains/{domain}/machines", mayReadMachines, userReadsMachines, 100, 1500, plain((*company).listDomainMachines)},
	{"GET", "/domains/{domain}/stats", mayReadURLs, mayReadURLs, 100, 1500, plain((*company).getDomainStatistics)},
	{"GET", "/ips/{ip}/alerts", mayReadAlerts, userReadsAlerts, 100, 1500, plain((*company).listIPAlerts)},
	{"GET", "/ips/{ip}/stats", mayReadIPs, mayReadIPs, 100, 1500, plain((*company).getIPStatistics)},
	{"GET", "/users/{id}/alerts", mayReadAlerts, userReadsAlerts, 100, 1500, plain((*company).listUserAlerts)},
	{"GET", "/users/{id}/machines", mayReadMachines, userReadsMachines, 100, 1500, plain((*company).listUserMachines)},

	{"GET", "/investigations", mayReadAlerts, userReadsAlerts, 100, 1500, plain((*company).listInvestigations)},
	{"GET", "/investigations/{id}", mayReadAlerts, userReadsAlerts, 100, 1500, plain((*company).getInvestigation)},

	{"POST", "/advancedqueries/run", []string{"AdvancedQuery.Read.All"}, []string{"AdvancedQuery.Read"}, 45, 1500, withBody((*company).runQuery)},

	{"GET", "/Software", mayReadSoftware, userReadsSoftware, 0, 0, plain((*company).listSoftware)},
	{"GET", "/Software/{id}", mayReadSoftware, userReadsSoftware, 0, 0, onProduct((*company).getSoftware)},
	{"GET", "/Software/{id}/distributions", mayReadSoftware, userReadsSoftware, 0, 0, onProduct((*company).listDistributions)},
	{"GET", "/Software/{id}/machineReferences", mayReadSoftware, userReadsSoftware, 0, 0, onProduct((*company).listSoftwareMachines)},
	{"GET", "/Software/{id}/vulnerabilities", mayReadVulnerabilities, userReadsVulnerabilities, 0, 0, onProduct((*company).listSoftwareVulnerabilities)},
	{"GET", "/Software/{id}/getmissingkbs", mayReadSoftware, userReadsSoftware, 0, 0, onProduct((*company).listSoftwareMissingKBs)},
	{"GET", "/vulnerabilities", mayReadVulnerabilities, userReadsVulnerabilities, 0, 0, plain((*company).listVulnerabilities)},
	{"GET", "/vulnerabilities/machinesVulnerabilities", mayReadVulnerabilities, userReadsVulnerabilities, 0, 0, plain((*company).listMachinesVulnerabilities)},
	{"GET", "/vulnerabilities/{id}", mayReadVulnerabilities, userReadsVulnerabilities, 0, 0, plain((*company).getVulnerability)},
	{"GET", "/vulnerabilities/{id}/machineReferences", mayReadVulnerabilities, userReadsVulnerabilities, 0, 0, plain((*company).listVulnerabilityMachines)},
	{"GET", "/recommendations", mayReadRecommendations, userReadsRecommendations, 0, 0, plain((*company).listRecommendations)},
	{"GET", "/recommendations/{id}", mayReadRecommendations, userReadsRecommendations, 0, 0, onRecommendation((*company).getRecommendation)},
	{"GET", "/recommendations/{id}/machineReferences", mayReadRecommendations, userReadsRecommendations, 0, 0, onRecommendation((*company).listRecommendationMachines)},
	{"GET", "/recommendations/{id}/vulnerabilities", mayReadVulnerabilities, userReadsVulnerabilities, 0, 0, onRecommendation((*company).listRecommendationVulnerabilities)},
	{"GET", "/recommendations/{id}/software", mayReadSoftware, userReadsRecommendations, 0, 0, onRecommendation((*company).getRecommendationSoftware)},

	{"GET", "/exposureScore", mayReadScores, userReadsScores, 0, 0, plain((*company).getExposureScore)},
	{"GET", "/exposureScore/ByMachineGroups", mayReadScores, userReadsScores, 0, 0, plain((*company).listExposureScores)},
	{"GET", "/configurationScore", mayReadScores, userReadsScores, 0, 0, plain((*company).getConfigurationScore)},
	{"GET", "/remediationTasks", mayReadTasks, userReadsTasks, 0, 0, plain((*company).listRemediationTasks)},
	{"GET", "/remediationTasks/{id}", mayReadTasks, userReadsTasks, 0, 0, plain((*company).getRemediationTask)},
	{"GET", "/remediationTasks/{id}/machineReferences", mayReadTasks, userReadsTasks, 0, 0, plain((*company).listRemediationTaskMachines)},

	{"GET", "/baselineProfiles", nil, nil, 0, 0, plain((*company).listBaselineProfiles)},
	{"GET", "/baselineConfigurations", nil, nil, 0, 0, plain((*company).listBaselineConfigurations)},
	{"GET", "/deviceavinfo", []string{"Machine.Read.All"}, []string{"Machine.Read"}, 30, 1000, plain((*company).listDeviceAVInfo)},
}

// graphOperations are the ones of Microsoft Graph, after /v1.0.
var graphOperations = []operation{
	{"POST", "/security/runHuntingQuery", mayHunt, mayHunt, 45, 0, withBody((*company).runGraphQuery)},
	{"GET", "/security/incidents", mayReadIncidents, mayReadIncidents, 0, 0, plain((*company).listIncidents)},
	{"POST", "/security/incidents/mergeIncidents", mayManageSecurity, mayManageSecurity, 0, 0, withBody((*company).mergeIncidents)},
	{"GET", "/security/incidents/{id}", mayReadIncidents, mayReadIncidents, 0, 0, onIncident((*company).getIncident)},
	{"PATCH", "/security/incidents/{id}", mayWriteIncidents, mayWriteIncidents, 0, 0, changeIncident((*company).updateIncident)},
	{"POST", "/security/incidents/{id}/comments", mayWriteIncidents, mayWriteIncidents, 0, 0, changeIncident((*company).commentIncident)},
	{"POST", "/security/alerts_v2/moveAlerts", mayManageSecurity, mayManageSecurity, 150, 0, withBody((*company).moveAlerts)},
	{"GET", "/security/alerts_v2/{id}", mayReadGraphAlerts, mayReadGraphAlerts, 150, 0, onAlert((*company).getGraphAlert)},
	{"PATCH", "/security/alerts_v2/{id}", mayWriteGraphAlerts, mayWriteGraphAlerts, 150, 0, changeAlert((*company).updateGraphAlert)},
}

// permissionsOf returns the permissions that an operation needs, any one of each list: of an application, and of a user who
// signed in to one. Both are empty for a path that is not an operation.
func permissionsOf(method, path string) (application, delegated []string) {
	op, _, _ := findOperation(method, path)
	return op.application, op.delegated
}

// rateOf returns how often an operation may be called; 0 means no limit.
func rateOf(method, path string) (perMinute, perHour int) {
	op, _, _ := findOperation(method, path)
	return op.perMinute, op.perHour
}

// serve answers a request to the Defender API, the path of which starts with /api/, or to Microsoft Graph, the path of which
// starts with /v1.0/. Paths match in any case, those of the Defender API with the version v1.0 or without one.
func (c *company) serve(w http.ResponseWriter, r *http.Request, body []byte, app application) {
	status, answer, failure := c.answer(r, body, app)
	if failure != nil {
		writeError(w, failure.Status, failure.Code, failure.Message)
		return
	}
	if answer == nil {
		w.WriteHeader(status)
		return
	}
	w.Header().Set("Content-Type", "application/json; odata.metadata=minimal; charset=utf-8")
	w.Header().Set("OData-Version", "4.0")
	w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
	w.WriteHeader(status)
	// A client that is gone needs no answer.
	_, _ = w.Write(answer)
}

// answer runs the operation and encodes what it answers, both under the lock: the resources are shared.
func (c *company) answer(r *http.Request, body []byte, app application) (int, []byte, *apiError) {
	op, arguments, failure := findOperation(r.Method, r.URL.EscapedPath())
	if failure != nil {
		return 0, nil, failure
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	c.populate()
	c.advance(now)
	if op.kept() {
		c.keep(stateLine{At: now, Do: "api", Method: r.Method, URI: r.URL.RequestURI(), Content: r.Header.Get("Content-Type"), Body: body, By: &app})
	}
	result, failure := op.handle.run(c, &call{
		path: r.URL.EscapedPath(), query: r.URL.Query(), header: r.Header, arguments: arguments,
		body: body, app: app, now: now,
	})
	if failure != nil || result.value == nil {
		return result.status, nil, failure
	}
	var encoded bytes.Buffer
	encoder := json.NewEncoder(&encoded)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(result.value); err != nil {
		return 0, nil, &apiError{http.StatusInternalServerError, "InternalServerError", err.Error()}
	}
	return result.status, encoded.Bytes(), nil
}

// findOperation finds the operation that a request means, and what means its placeholders: of those that fit, the
// one whose placeholders take the least.
func findOperation(method, path string) (operation, map[string]string, *apiError) {
	table, segments := split(path)
	var found operation
	var arguments map[string]string
	known, least := false, 0
	for _, op := range table {
		matched, ok := matchPath(op.path, segments)
		if !ok {
			continue
		}
		known = true
		taken := 0
		for _, text := range matched {
			taken += len(text)
		}
		if op.method == method && (arguments == nil || taken < least) {
			found, arguments, least = op, matched, taken
		}
	}
	switch {
	case arguments != nil:
		return found, arguments, nil
	case known:
		return operation{}, nil, &apiError{http.StatusMethodNotAllowed, "MethodNotAllowed", "The requested resource does not support " + method + "."}
	}
	return operation{}, nil, &apiError{http.StatusNotFound, "NotFound", "No resource was found that matches the request's path."}
}

// split takes a path apart: which operations it belongs to, and its segments after the prefix, unescaped.
func split(path string) ([]operation, []string) {
	segments := strings.Split(strings.Trim(path, "/"), "/")
	for i, s := range segments {
		if plain, err := url.PathUnescape(s); err == nil {
			segments[i] = plain
		}
	}
	switch {
	case strings.EqualFold(segments[0], "v1.0"):
		return graphOperations, segments[1:]
	case !strings.EqualFold(segments[0], "api"):
		return nil, nil
	case len(segments) > 1 && strings.EqualFold(segments[1], "v1.0"):
		return slices.Concat(operations, operationsElsewhere, exportOperations), segments[2:]
	}
	return slices.Concat(operations, operationsElsewhere, exportOperations), segments[1:]
}

// matchPath compares a path with a template, segment by segment.
func matchPath(template string, segments []string) (map[string]string, bool) {
	parts := strings.Split(strings.TrimPrefix(template, "/"), "/")
	if len(parts) != len(segments) {
		return nil, false
	}
	arguments := map[string]string{}
	for i, part := range parts {
		if !matchSegment(part, segments[i], arguments) {
			return nil, false
		}
	}
	return arguments, true
}

// matchSegment reports whether one segment matches its part of the template. A placeholder takes everything up to the literal
// text that follows it.
func matchSegment(part, segment string, arguments map[string]string) bool {
	for {
		text, rest, found := strings.Cut(part, "{")
		if len(segment) < len(text) || !strings.EqualFold(segment[:len(text)], text) {
			return false
		}
		segment = segment[len(text):]
		if !found {
			return segment == ""
		}
		name, after, _ := strings.Cut(rest, "}")
		next, _, _ := strings.Cut(after, "{")
		end := len(segment)
		if next != "" {
			end = strings.Index(strings.ToLower(segment), strings.ToLower(next))
		}
		if end <= 0 {
			return false
		}
		arguments[name], segment, part = segment[:end], segment[end:], after
	}
}

// fields is a JSON object of a request. The names in it are case-sensitive
// (https://learn.microsoft.com/defender-endpoint/api/common-errors), which encoding/json is not.
type fields map[string]json.RawMessage

func (c *call) fields() (fields, *apiError) {
	var f fields
	if err := json.Unmarshal(c.body, &f); err != nil || f == nil {
		return nil, invalidBody("The request's body is not a JSON object.")
	}
	return f, nil
}

// read decodes a property into the value, which stays as it is when the property is missing or null.
func (f fields) read(name string, into any) *apiError {
	raw, ok := f[name]
	if !ok || string(raw) == "null" {
		return nil
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return invalidBody("The value of %s has the wrong type.", name)
	}
	return nil
}

// text reads a text that must be there.
func (f fields) text(name string) (string, *apiError) {
	var s string
	if failure := f.read(name, &s); failure != nil {
		return "", failure
	}
	if strings.TrimSpace(s) == "" {
		return "", missing(name)
	}
	return s, nil
}

// choice reads a text that must be one of those given, or may be missing when there is a default.
func (f fields) choice(name, fallback string, allowed ...string) (string, *apiError) {
	value := fallback
	if failure := f.read(name, &value); failure != nil {
		return "", failure
	}
	if value == "" {
		return "", missing(name)
	}
	if !slices.Contains(allowed, value) {
		return "", invalid("The value %q of %s is not one of %s.", value, name, strings.Join(allowed, ", "))
	}
	return value, nil
}

func invalid(format string, args ...any) *apiError {
	return &apiError{http.StatusBadRequest, "InvalidInput", fmt.Sprintf(format, args...)}
}

func invalidBody(format string, args ...any) *apiError {
	return &apiError{http.StatusBadRequest, "InvalidRequestBody", fmt.Sprintf(format, args...)}
}

func missing(parameter string) *apiError {
	return &apiError{http.StatusBadRequest, "MissingRequiredParameter", "The parameter " + parameter + " is required."}
}

func badRequest(format string, args ...any) *apiError {
	return &apiError{http.StatusBadRequest, "BadRequest", fmt.Sprintf(format, args...)}
}

func notFound(what, id string) *apiError {
	return &apiError{http.StatusNotFound, "ResourceNotFound", fmt.Sprintf("%s %s was not found.", what, id)}
}

// requestor is who a change is recorded under: the user who signed in, else the application.
func (a application) requestor() string {
	if a.User != "" {
		return a.User
	}
	return a.ID
}

// holds reports whether the bearer has the permission.
func (a application) holds(permission string) bool {
	return slices.Contains(a.Roles, permission) || slices.Contains(a.Scopes, permission)
}
