package commands

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"xsoar-defender/auth"
	"xsoar-defender/defender"
	"xsoar-defender/internal/rawjson"
	"xsoar-defender/params"
	"xsoar-defender/warroom"
)

// CheckResult is the result of a check.
type CheckResult string

// The results of checks.
const (
	CheckPassed     CheckResult = "ok"
	CheckWarning    CheckResult = "warning" // works, but may stop working
	CheckFailed     CheckResult = "failed"
	CheckNotApplied CheckResult = "not checked" // Found has the reason
)

// Check is one row of a diagnosis.
type Check struct {
	// Check names what was checked. The names do not depend on the findings, except that an unusable configuration has
	// a row for each invalid field and then one row for all hosts.
	Check  string
	Result CheckResult
	// Found is what was found, without a full stop.
	Found string
	// Remedy is a sentence about what to do, or empty if nothing needs to be done.
	Remedy string `json:",omitempty"`
}

func passed(check, format string, values ...any) Check {
	return Check{Check: check, Result: CheckPassed, Found: fmt.Sprintf(format, values...)}
}

func notApplied(check, format string, values ...any) Check {
	return passed(check, format, values...).but(CheckNotApplied, "")
}

// but returns the check with a different result and what to do about it.
func (c Check) but(result CheckResult, remedy string) Check {
	c.Result, c.Remedy = result, remedy
	return c
}

// Gap is a command for which a token lacks permissions.
type Gap struct {
	Command string
	// Missing lists the permissions: one of each set is needed.
	Missing string
}

// Diagnosis is the state of an instance's connection, the same in the War Room and in a terminal. It contains no
// secret and no part of a token.
type Diagnosis struct {
	Checks []Check
	// Gaps lists the commands that the permissions of the token do not cover.
	Gaps []Gap

	verdict string
	// held lists the permissions of the token, and known reports whether they could be read.
	held  []string
	known bool
	// unreadable reports whether there is a token whose contents cannot be read.
	unreadable bool
	// err is why the instance cannot be used, or nil if it can.
	err error
}

// DiagnoseConfiguration returns the diagnosis of an instance whose configuration is not usable. It contacts no service.
func DiagnoseConfiguration(found *params.Problems) *Diagnosis {
	d := &Diagnosis{verdict: "The configuration of the instance is not usable.", err: found}
	for _, problem := range found.List {
		d.Checks = append(d.Checks, passed(checkConfiguration, "%s must be changed", problem.Field).but(CheckFailed, upperFirst(problem.Fix)))
	}
	for _, check := range []string{"DNS", "Proxy", "TLS", "Sign-in service", checkToken, checkAudience, checkTenant, checkAPI, checkPermissions, checkClock, checkTokenTimes, checkRate} {
		d.Checks = append(d.Checks, notApplied(check, "the configuration must be corrected first"))
	}
	return d
}

func upperFirst(sentence string) string {
	if sentence == "" {
		return ""
	}
	return strings.ToUpper(sentence[:1]) + sentence[1:]
}

// Failed reports whether any check failed.
func (d *Diagnosis) Failed() bool {
	return slices.ContainsFunc(d.Checks, func(c Check) bool { return c.Result == CheckFailed })
}

// JSON returns the diagnosis as one object.
func (d *Diagnosis) JSON() rawjson.Value {
	return rawjson.Make(struct {
		Checks []Check
		Gaps   []Gap
	}{d.Checks, append([]Gap{}, d.Gaps...)})
}

// Entry shows the diagnosis, and puts its checks in the context.
func (d *Diagnosis) Entry() warroom.Entry {
	out := diagnosisOutput()
	rows := make([]rawjson.Value, len(d.Checks))
	for i, check := range d.Checks {
		rows[i] = rawjson.Make(check)
	}
	entry := out.rowsEntry(rows, d.JSON())
	entry.Blocks = append([]warroom.Block{warroom.Heading("Connection"), warroom.Paragraph(d.verdict)}, entry.Blocks...)
	if d.Failed() {
		entry.Kind = warroom.Warning
	}
	if d.unreadable {
		entry.Blocks = append(entry.Blocks, warroom.Paragraph("The access token cannot be read, so its permissions are not known."))
	}
	if d.known {
		entry.Blocks = append(entry.Blocks, permissionBlocks(d.held, d.Gaps)...)
	}
	return entry
}

// diagnosisOutput returns the table and the context path of the checks.
func diagnosisOutput() Output {
	return Output{
		Path: "MicrosoftATP.Diagnosis", Key: "val.Check === obj.Check", Title: "Checks",
		View: warroom.NewView(
			warroom.Field{Name: "Check", From: "Check", Type: warroom.String, Help: "What was checked."},
			warroom.Field{Name: "Result", From: "Result", Type: warroom.String, Help: "ok, warning, failed or not checked."},
			warroom.Field{Name: "Found", From: "Found", Type: warroom.String, Help: "What was found, or why it was not checked."},
			warroom.Field{Name: "Remedy", From: "Remedy", Type: warroom.String, Help: "What to do about it, if anything."},
		),
	}
}

// DiagnosedError reports why an instance cannot be used, with the findings of the diagnosis that may be the reason.
type DiagnosedError struct {
	Err error
	// Findings holds sentences.
	Findings []string
}

func (e *DiagnosedError) Error() string {
	return strings.Join(append([]string{e.Err.Error()}, e.Findings...), " ")
}

func (e *DiagnosedError) Unwrap() error { return e.Err }

// failure returns the error of an instance that cannot be used, with the failed checks that its text does not mention:
// those of the clock, the tenant and the token.
func (d *Diagnosis) failure() error {
	var findings []string
	for _, check := range d.Checks {
		told := !slices.Contains([]string{checkClock, checkTokenTimes, checkTenant, checkAudience}, check.Check)
		if check.Result == CheckFailed && !told {
			findings = append(findings, fmt.Sprintf("%s: %s. %s", check.Check, check.Found, check.Remedy))
		}
	}
	if d.err == nil || findings == nil {
		return d.err
	}
	return &DiagnosedError{d.err, findings}
}

// examination holds what a diagnosis is made from: the result of an attempt to use the instance.
type examination struct {
	run *Run
	// tried is the error of the request to the API, and noToken why there is no token for it.
	tried, noToken error
	claims         auth.Claims
	// readable reports whether the claims could be read.
	readable    bool
	signIn, api peer
}

// diagnose signs in again, makes one request to the API and checks what that has shown. A failed check does not stop
// the others.
func diagnose(ctx context.Context, run *Run) *Diagnosis {
	e := &examination{run: run, tried: tryConnection(ctx, run)}
	e.claims, e.readable, e.noToken = run.SignIn.Claims(ctx)
	e.signIn, e.api = signInPeer(run), apiPeer(run)
	d := &Diagnosis{verdict: "The sign-in works and the API answers."}
	switch {
	case e.noToken != nil:
		d.err, d.verdict = e.noToken, e.noToken.Error()
	case e.tried != nil && (!e.readable || !isForbidden(e.tried)):
		d.err, d.verdict = e.tried, e.tried.Error()
	case e.tried != nil:
		d.verdict = "The sign-in works. " + e.tried.Error()
	}
	d.unreadable, d.known = e.noToken == nil && !e.readable, e.noToken == nil && e.readable
	if d.known {
		d.held = slices.Sorted(slices.Values(slices.Concat(e.claims.Roles, e.claims.Scopes)))
		d.Gaps = gaps(run.All(), e.claims)
	}
	d.Checks = slices.Concat(
		[]Check{e.configuration()}, fieldChecks(run.Instance), e.names(ctx), e.proxies(), []Check{
			e.tls(e.signIn), e.tls(e.api),
			e.signInAnswers(), e.token(), e.audience(), e.tenant(), e.apiAnswers(), e.permissions(d.Gaps),
			e.clock(), e.tokenTimes(), e.rate(),
		},
	)
	d.verdict = run.Instance.Redact(d.verdict)
	for i, check := range d.Checks {
		d.Checks[i].Found, d.Checks[i].Remedy = run.Instance.Redact(check.Found), run.Instance.Redact(check.Remedy)
	}
	return d
}

// The names of checks. Those of the route to a host end with the host's role.
const (
	checkConfiguration = "Configuration"
	checkToken         = "Token"
	checkAudience      = "Audience"
	checkTenant        = "Tenant"
	checkAPI           = "API"
	checkPermissions   = "Permissions"
	checkClock         = "Clock"
	checkTokenTimes    = "Token times"
	checkRate          = "Rate"
)

func (e *examination) configuration() Check {
	check := passed(checkConfiguration, "signs in with %s; cloud %s; %s %s; API %s",
		e.run.Instance.Mode, e.run.Instance.Cloud.Name, e.signIn.role, e.signIn.host(), e.api.host())
	return judgeProof(check, e.run.Instance.Certificate, e.run.Now())
}

// fieldChecks are about the fields of an instance that stop a part of it, or that work but should change.
func fieldChecks(instance params.Instance) []Check {
	var checks []Check
	if instance.Fetch.Problems != nil {
		for _, problem := range instance.Fetch.Problems.List {
			checks = append(checks, passed(problem.Field, "no alerts are fetched, because the field needs a change").but(CheckFailed, upperFirst(problem.Fix)))
		}
	}
	for _, warning := range instance.Warnings {
		checks = append(checks, passed(warning.Field, "works, but should be changed").but(CheckWarning, upperFirst(warning.Fix)))
	}
	return checks
}

// judgeProof adds the validity of the application's certificate. Nothing is known about a certificate that is given only
// by its thumbprint.
func judgeProof(check Check, proof *params.Certificate, now time.Time) Check {
	const remedy = "Create a new certificate, upload it to the application, and enter its Certificate Thumbprint and Private Key in the instance."
	if proof == nil || len(proof.Chain) == 0 {
		return check
	}
	ends := proof.Chain[0].NotAfter
	check.Found += "; the application's certificate is valid until " + day(ends)
	switch left := ends.Sub(now); {
	case left <= 0:
		return check.but(CheckFailed, remedy)
	case left <= endsSoon:
		return check.but(CheckWarning, remedy)
	}
	return check
}

func (e *examination) token() Check {
	if e.noToken != nil {
		return noToken(e.noToken)
	}
	how := "signed in again"
	if e.signIn.contact.Target == nil {
		how = "stored by an earlier run"
	}
	if !e.readable {
		return passed(checkToken, "%s; the contents of the token cannot be read", how)
	}
	held := fmt.Sprintf("%d application permissions", len(e.claims.Roles))
	if len(e.claims.Roles) == 0 && len(e.claims.Scopes) > 0 {
		held = fmt.Sprintf("%d delegated permissions", len(e.claims.Scopes))
	}
	check := passed(checkToken, "%s; application %s, %s", how, cmp.Or(clipped(e.claims.AppID), "unknown"), held)
	if len(e.claims.Roles)+len(e.claims.Scopes) == 0 {
		return check.but(CheckWarning, "Add permissions of WindowsDefenderATP to the application, and grant admin consent.")
	}
	return check
}

// noToken returns the check of a sign-in that failed.
func noToken(err error) Check {
	if failed, ok := errors.AsType[*auth.Error](err); ok {
		return passed(checkToken, "%s (%s)", failed.Message, failed.Code).but(CheckFailed, upperFirst(failed.Remedy)+".")
	}
	return passed(checkToken, "%s", strings.TrimSuffix(err.Error(), ".")).but(CheckFailed, "Check the address of the API in the instance.")
}

// why returns the reason why the claims of a token cannot be checked, or "" if they can.
func (e *examination) why() string {
	switch {
	case e.noToken != nil:
		return "there is no token"
	case !e.readable:
		return "the contents of the token cannot be read"
	}
	return ""
}

func (e *examination) audience() Check {
	if why := e.why(); why != "" {
		return notApplied(checkAudience, "%s", why)
	}
	return judgeAudience(e.claims.Audience, e.run.Instance.Cloud, e.tried == nil)
}

const remedyAudience = "Check Endpoint Type and Token Scope of the instance."

// judgeAudience checks whether a token is for the API of a cloud. That the API accepted it is evidence that it is.
func judgeAudience(audience string, cloud params.Cloud, taken bool) Check {
	fit := cloud.Fit(audience)
	audience = clipped(audience)
	switch {
	case audience == "":
		return notApplied(checkAudience, "the token does not name one")
	case fit == params.Fitting:
		return passed(checkAudience, "%s, which matches the cloud", audience)
	case fit == params.Doubtful && taken:
		return passed(checkAudience, "%s, which the API accepts, but parts of it may not", audience).
			but(CheckWarning, "If commands fail with HTTP 403 although the permissions are granted, leave Token Scope of the instance empty.")
	case fit == params.Doubtful:
		return passed(checkAudience, "%s, which the API may or may not accept", audience).but(CheckWarning, remedyAudience)
	case taken:
		return passed(checkAudience, "%s, which belongs to another API or another cloud, but was accepted", audience).but(CheckWarning, remedyAudience)
	}
	return passed(checkAudience, "%s, which belongs to another API or another cloud", audience).but(CheckFailed, remedyAudience)
}

func (e *examination) tenant() Check {
	if why := e.why(); why != "" {
		return notApplied(checkTenant, "%s", why)
	}
	check := judgeTenant(e.claims.Tenant, e.run.Instance.TenantID)
	if check.Result == CheckFailed && e.run.Instance.Mode == params.AuthorizationCode {
		// The login was redeemed in the user's own tenant.
		check.Result = CheckWarning
	}
	return check
}

// judgeTenant compares the tenant of a token with that of the instance, which may be a domain or empty.
func judgeTenant(signedIn, wanted string) Check {
	signedIn = clipped(signedIn)
	switch {
	case signedIn == "":
		return notApplied(checkTenant, "the token does not name one")
	case wanted == "":
		return passed(checkTenant, "%s; the instance does not name one", signedIn)
	case strings.Contains(wanted, "."):
		return passed(checkTenant, "%s, for %s", signedIn, wanted)
	case wanted == params.AnyOrganization || wanted == "common":
		return passed(checkTenant, "%s; the instance lets users of any organization log in", signedIn).but(CheckWarning, "Put this ID in Token of the instance.")
	case strings.EqualFold(signedIn, wanted):
		return passed(checkTenant, "%s, the tenant of the instance", signedIn)
	}
	return passed(checkTenant, "%s, but the instance names %s", signedIn, wanted).but(CheckFailed, "Check Token of the instance.")
}

func (e *examination) apiAnswers() Check {
	var throttled *defender.ThrottledError
	switch {
	case e.noToken != nil:
		return notApplied(checkAPI, "there is no token")
	case e.tried == nil:
		return passed(checkAPI, "%s answers", e.api.host())
	case errors.As(e.tried, &throttled):
		return passed(checkAPI, "%s answers, but does not accept requests at the moment", e.api.host()).
			but(CheckWarning, fmt.Sprintf("Try again in %d seconds.", int(math.Ceil(throttled.After.Seconds()))))
	}
	problem, remedy := defender.Explain(e.tried)
	if defender.StatusOf(e.tried) == http.StatusUnauthorized {
		remedy = remedyAudience // the remedy of the error is to run this diagnosis
	}
	return passed(checkAPI, "%s", problem).but(CheckFailed, remedy)
}

func (e *examination) permissions(gaps []Gap) Check {
	if why := e.why(); why != "" {
		return notApplied(checkPermissions, "%s", why)
	}
	if len(gaps) > 0 {
		return passed(checkPermissions, "do not cover %d commands", len(gaps)).
			but(CheckWarning, "Grant the permissions that these commands lack, with admin consent, if the commands are needed.")
	}
	return passed(checkPermissions, "cover every command")
}

// rate shows how many requests are left. The API reports its limits only when it refuses a request: Microsoft does not
// document a header for the remaining ones. If there is one, it is shown.
func (e *examination) rate() Check {
	left, stated := e.run.API.Headroom(defender.ListAlerts)
	if e.api.contact.Target == nil || !stated {
		return notApplied(checkRate, "the API was not contacted")
	}
	parts := []string{fmt.Sprintf("by its own count this run may %s %d more times within the minute, out of %d", defender.ListAlerts.Purpose, left, defender.ListAlerts.PerMinute)}
	for _, name := range limitHeaders(e.api.contact.Header) {
		parts = append(parts, fmt.Sprintf("the API says %s %s", name, clipped(e.api.contact.Header.Get(name))))
	}
	found := strings.Join(parts, "; ")
	refused := 0
	e.run.API.Metrics().Each(func(outcome defender.Outcome, requests int) {
		if outcome == defender.QuotaError {
			refused = requests
		}
	})
	if refused > 0 {
		return passed(checkRate, "the API refused %d requests of this run because the application exceeded its quota; %s", refused, found).
			but(CheckWarning, "Reduce the requests of whatever else uses the same application, or give it an application of its own.")
	}
	return passed(checkRate, "%s; other users of the application count as well", found)
}
