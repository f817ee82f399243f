// Package diagnosis examines the connection of an instance: its configuration, the network route to its hosts, its
// sign-in, the API and the permissions. It asks the service for no more than the Test button does.
package diagnosis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"xsoar-defender/auth"
	"xsoar-defender/defender"
	"xsoar-defender/internal/rawjson"
	"xsoar-defender/params"
)

// Result is the result of a check.
type Result string

// The results of checks.
const (
	Passed     Result = "ok"
	Warning    Result = "warning" // works, but may stop working
	Failed     Result = "failed"
	NotApplied Result = "not checked" // Found has the reason
)

// Check is one row of a diagnosis.
type Check struct {
	// Check names what was checked. The names do not depend on the findings, except that an unusable configuration has
	// a row for each invalid field and then one row for all hosts.
	Check  string
	Result Result
	// Found describes the finding, without a full stop.
	Found string
	// Remedy is a sentence about what to do, or empty if nothing needs to be done.
	Remedy string `json:",omitempty"`
}

func passed(check, format string, values ...any) Check {
	return Check{Check: check, Result: Passed, Found: fmt.Sprintf(format, values...)}
}

func notApplied(check, format string, values ...any) Check {
	return passed(check, format, values...).but(NotApplied, "")
}

// but returns the check with a different result and what to do about it.
func (c Check) but(result Result, remedy string) Check {
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

	// Verdict is a sentence about the connection as a whole.
	Verdict string
	// Held lists the permissions of the token, and Known reports whether they could be read.
	Held  []string
	Known bool
	// Unreadable reports whether there is a token whose contents cannot be read.
	Unreadable bool

	// err is why the instance cannot be used, or nil if it can.
	err error
}

// OfConfiguration returns the diagnosis of an instance whose configuration is not usable. It contacts no service.
func OfConfiguration(found *params.Problems) *Diagnosis {
	d := &Diagnosis{Verdict: "The configuration of the instance is not usable.", err: found}
	for _, problem := range found.List {
		d.Checks = append(d.Checks, passed(checkConfiguration, "%s must be changed", problem.Field).but(Failed, upperFirst(problem.Fix)))
	}
	for _, check := range []string{"DNS", "Proxy", "TLS", "Sign-in service", checkToken, checkAudience, checkTenant, checkAPI, checkPermissions, checkClock, checkTokenTimes, checkRate, checkFiles} {
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
	return slices.ContainsFunc(d.Checks, func(c Check) bool { return c.Result == Failed })
}

// JSON returns the diagnosis as one object.
func (d *Diagnosis) JSON() rawjson.Value {
	return rawjson.Make(struct {
		Checks []Check
		Gaps   []Gap
	}{d.Checks, append([]Gap{}, d.Gaps...)})
}

// Error reports why an instance cannot be used, with the findings of the diagnosis that may be the reason.
type Error struct {
	Err error
	// Findings holds sentences.
	Findings []string
}

func (e *Error) Error() string {
	return strings.Join(append([]string{e.Err.Error()}, e.Findings...), " ")
}

func (e *Error) Unwrap() error { return e.Err }

// Err returns the error of an instance that cannot be used, with the failed checks that its text does not mention:
// those of the clock, the tenant and the token. It is nil if the instance can be used.
func (d *Diagnosis) Err() error {
	var findings []string
	for _, check := range d.Checks {
		told := !slices.Contains([]string{checkClock, checkTokenTimes, checkTenant, checkAudience}, check.Check)
		if check.Result == Failed && !told {
			findings = append(findings, fmt.Sprintf("%s: %s. %s", check.Check, check.Found, check.Remedy))
		}
	}
	if d.err == nil || findings == nil {
		return d.err
	}
	return &Error{d.err, findings}
}

// SignIn is the sign-in of an instance.
type SignIn interface {
	// Forget makes the next request sign in again.
	Forget()
	// Claims reads the access token; ok is false if it is not readable.
	Claims(ctx context.Context) (claims auth.Claims, ok bool, err error)
}

// Network examines the network route to the hosts of an instance.
type Network interface {
	// Resolve returns the addresses of a host, in order.
	Resolve(ctx context.Context, host string) ([]netip.Addr, error)
	// Route returns the route on which the instance contacts a target.
	Route(target *url.URL) (Route, error)
	// SignIn returns what the token requests of this execution have shown so far, and API what the API requests have.
	SignIn() Contact
	API() Contact
}

// Subject is an instance to diagnose.
type Subject struct {
	Instance params.Instance
	API      *defender.Client
	SignIn   SignIn
	Network  Network
	Now      func() time.Time
	// Gaps returns the commands that a token with these claims does not permit.
	Gaps func(claims auth.Claims) []Gap
	// Files tries to save a file for the War Room.
	Files func() error
}

// Try signs in again, so that a stored token does not hide that its secret is no longer valid, and reads one of what the
// instance fetches: an alert, or a Defender XDR incident with its alerts, for which Microsoft Graph has permissions of its own.
func Try(ctx context.Context, signIn interface{ Forget() }, api *defender.Client, fetched params.FetchType) error {
	signIn.Forget()
	if fetched != params.FetchXDRIncidents {
		_, err := api.Alerts(ctx, defender.Query{Limit: 1})
		return err
	}
	list, err := api.Incidents(ctx, defender.Query{Limit: 1})
	if err != nil || len(list.Items) == 0 {
		return err
	}
	_, err = api.Incident(ctx, list.Items[0].Text("id"))
	if defender.StatusOf(err) == http.StatusForbidden {
		return &HiddenAlertsError{err}
	}
	return err
}

// HiddenAlertsError reports that Defender XDR incidents can be listed, but not read with their alerts.
type HiddenAlertsError struct{ Err error }

func (e *HiddenAlertsError) Error() string {
	return "The Defender XDR incidents can be listed, but not read with their alerts: besides SecurityIncident.Read.All, grant SecurityAlert.Read.All of Microsoft Graph and admin consent. " +
		e.Err.Error()
}

func (e *HiddenAlertsError) Unwrap() error { return e.Err }

// readsGraph reports whether the request of the diagnosis goes to Microsoft Graph.
func (s Subject) readsGraph() bool {
	return s.Instance.Fetch.Type == params.FetchXDRIncidents && s.Instance.Cloud.Graph != nil
}

// examination holds what a diagnosis is made from: the result of an attempt to use the instance.
type examination struct {
	Subject
	// tried is the error of the request to the API, and noToken why there is no token for it.
	tried, noToken error
	claims         auth.Claims
	// readable reports whether the claims could be read.
	readable bool
	// authority issues the tokens, and service is the API.
	authority, service peer
}

// Diagnose signs in again, makes one request to the API and checks what that has shown. A failed check does not stop
// the others.
func Diagnose(ctx context.Context, s Subject) *Diagnosis {
	e := &examination{Subject: s, tried: Try(ctx, s.SignIn, s.API, s.Instance.Fetch.Type)}
	e.claims, e.readable, e.noToken = s.SignIn.Claims(ctx)
	e.authority, e.service = signInPeer(s), apiPeer(s)
	d := &Diagnosis{Verdict: "The sign-in works and the API answers."}
	switch {
	case e.noToken != nil:
		d.err, d.Verdict = e.noToken, e.noToken.Error()
	case e.tried != nil && (!e.readable || defender.StatusOf(e.tried) != http.StatusForbidden):
		d.err, d.Verdict = e.tried, e.tried.Error()
	case e.tried != nil:
		d.Verdict = "The sign-in works. " + e.tried.Error()
	}
	d.Unreadable, d.Known = e.noToken == nil && !e.readable, e.noToken == nil && e.readable
	if d.Known {
		d.Held = slices.Sorted(slices.Values(slices.Concat(e.claims.Roles, e.claims.Scopes)))
		d.Gaps = s.Gaps(e.claims)
	}
	d.Checks = slices.Concat(
		[]Check{e.configuration()}, fieldChecks(s.Instance), e.names(ctx), e.proxies(), []Check{
			e.tls(e.authority), e.tls(e.service),
			e.signInAnswers(), e.token(), e.audience(), e.tenant(), e.apiAnswers(), e.permissions(d.Gaps),
			e.clock(), e.tokenTimes(), e.rate(), e.files(),
		},
	)
	d.Verdict = s.Instance.Redact(d.Verdict)
	for i, check := range d.Checks {
		d.Checks[i].Found, d.Checks[i].Remedy = s.Instance.Redact(check.Found), s.Instance.Redact(check.Remedy)
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
	checkFiles         = "Files"
)

func (e *examination) configuration() Check {
	check := passed(checkConfiguration, "signs in with %s; cloud %s; %s %s; API %s",
		e.Instance.Mode, e.Instance.Cloud.Name, e.authority.role, e.authority.host(), e.Instance.Cloud.API.Hostname())
	if e.readsGraph() {
		check.Found += "; fetches Defender XDR incidents from " + e.service.host()
	}
	return judgeProof(check, e.Instance.Certificate, e.Now())
}

// fieldChecks are about the fields of an instance that stop a part of it, or that work but should change.
func fieldChecks(instance params.Instance) []Check {
	var checks []Check
	if instance.Fetch.Problems != nil {
		for _, problem := range instance.Fetch.Problems.List {
			checks = append(checks, passed(problem.Field, "no alerts are fetched, because the field needs a change").but(Failed, upperFirst(problem.Fix)))
		}
	}
	for _, warning := range instance.Warnings {
		checks = append(checks, passed(warning.Field, "works, but should be changed").but(Warning, upperFirst(warning.Fix)))
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
		return check.but(Failed, remedy)
	case left <= endsSoon:
		return check.but(Warning, remedy)
	}
	return check
}

// files is about the folder that commands save files in.
func (e *examination) files() Check {
	err := e.Files()
	if err == nil {
		return passed(checkFiles, "files for the War Room can be saved")
	}
	found, remedy, _ := strings.Cut(err.Error(), ". ")
	return passed(checkFiles, "%s", found).but(Failed, remedy)
}

func (e *examination) token() Check {
	if e.noToken != nil {
		return noToken(e.noToken)
	}
	how := "signed in again"
	if e.authority.contact.Target == nil {
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
		return check.but(Warning, "Add permissions of WindowsDefenderATP to the application, and grant admin consent.")
	}
	return check
}

// noToken returns the check of a sign-in that failed.
func noToken(err error) Check {
	if failed, ok := errors.AsType[*auth.Error](err); ok {
		return passed(checkToken, "%s (%s)", failed.Message, failed.Code).but(Failed, upperFirst(failed.Remedy)+".")
	}
	return passed(checkToken, "%s", strings.TrimSuffix(err.Error(), ".")).but(Failed, "Check the address of the API in the instance.")
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
	return judgeAudience(e.claims.Audience, e.Instance.Cloud, e.tried == nil && !e.readsGraph())
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
			but(Warning, "If commands fail with HTTP 403 although the permissions are granted, leave Token Scope of the instance empty.")
	case fit == params.Doubtful:
		return passed(checkAudience, "%s, which the API may or may not accept", audience).but(Warning, remedyAudience)
	case taken:
		return passed(checkAudience, "%s, which belongs to another API or another cloud, but was accepted", audience).but(Warning, remedyAudience)
	}
	return passed(checkAudience, "%s, which belongs to another API or another cloud", audience).but(Failed, remedyAudience)
}

func (e *examination) tenant() Check {
	if why := e.why(); why != "" {
		return notApplied(checkTenant, "%s", why)
	}
	check := judgeTenant(e.claims.Tenant, e.Instance.TenantID)
	if check.Result == Failed && e.Instance.Mode == params.AuthorizationCode {
		// The login was redeemed in the user's own tenant.
		check.Result = Warning
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
		return passed(checkTenant, "%s; the instance lets users of any organization log in", signedIn).but(Warning, "Put this ID in Token of the instance.")
	case strings.EqualFold(signedIn, wanted):
		return passed(checkTenant, "%s, the tenant of the instance", signedIn)
	}
	return passed(checkTenant, "%s, but the instance names %s", signedIn, wanted).but(Failed, "Check Token of the instance.")
}

func (e *examination) apiAnswers() Check {
	var throttled *defender.ThrottledError
	switch {
	case e.noToken != nil:
		return notApplied(checkAPI, "there is no token")
	case e.tried == nil:
		return passed(checkAPI, "%s answers", e.service.host())
	case errors.As(e.tried, &throttled):
		return passed(checkAPI, "%s answers, but does not accept requests at the moment", e.service.host()).
			but(Warning, "Try again in "+defender.Seconds(throttled.After)+".")
	}
	problem, remedy := defender.Explain(e.tried)
	if failed, ok := errors.AsType[*auth.Error](e.tried); ok { // the token for Microsoft Graph is another one
		problem, remedy = fmt.Sprintf("there is no token for %s: %s (%s)", e.service.host(), failed.Message, failed.Code), upperFirst(failed.Remedy)+"."
	}
	if defender.StatusOf(e.tried) == http.StatusUnauthorized {
		remedy = remedyAudience // the remedy of the error is to run this diagnosis
	}
	return passed(checkAPI, "%s", problem).but(Failed, remedy)
}

func (e *examination) permissions(gaps []Gap) Check {
	if why := e.why(); why != "" {
		return notApplied(checkPermissions, "%s", why)
	}
	if len(gaps) > 0 {
		return passed(checkPermissions, "do not cover %d commands", len(gaps)).
			but(Warning, "Grant the permissions that these commands lack, with admin consent, if the commands are needed.")
	}
	return passed(checkPermissions, "cover every command")
}

// rate shows how many requests are left. The API reports its limits only when it refuses a request: Microsoft does not
// document a header for the remaining ones. If there is one, it is shown.
func (e *examination) rate() Check {
	if e.service.contact.Target != nil && e.readsGraph() {
		return notApplied(checkRate, "Microsoft states no limit for reading incidents")
	}
	left, stated := e.API.Headroom(defender.ListAlerts)
	if e.service.contact.Target == nil || !stated {
		return notApplied(checkRate, "the API was not contacted")
	}
	parts := []string{fmt.Sprintf("by its own count this run may %s %d more times within the minute, out of %d", defender.ListAlerts.Purpose, left, defender.ListAlerts.PerMinute)}
	for _, name := range limitHeaders(e.service.contact.Header) {
		parts = append(parts, fmt.Sprintf("the API says %s %s", name, clipped(e.service.contact.Header.Get(name))))
	}
	found := strings.Join(parts, "; ")
	refused := 0
	e.API.Metrics().Each(func(outcome defender.Outcome, requests int) {
		if outcome == defender.QuotaError {
			refused = requests
		}
	})
	if refused > 0 {
		return passed(checkRate, "the API refused %d requests of this run because the application exceeded its quota; %s", refused, found).
			but(Warning, "Reduce the requests of whatever else uses the same application, or give it an application of its own.")
	}
	return passed(checkRate, "%s; other users of the application count as well", found)
}
