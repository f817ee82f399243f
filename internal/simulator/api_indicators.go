package simulator

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

var indicatorCollection = collection{
	name: "Indicators",
	filterable: []string{
		"application", "createdByDisplayName", "expirationTime", "generateAlert", "title", "rbacGroupNames",
		"rbacGroupIds", "indicatorValue", "indicatorType", "creationTimeDateTimeUtc", "createdBy", "action", "severity",
	},
}

// maxIndicators is how many active indicators a tenant may have (https://learn.microsoft.com/defender-endpoint/api/post-ti-indicator).
const maxIndicators = 15_000

// indicatorKind holds the rules for indicators of one type. The actions Alert and AlertAndBlock are not among them:
// they ended in January 2022 (https://learn.microsoft.com/defender-endpoint/api/ti-indicator).
type indicatorKind struct {
	actions []string
	fits    func(value string) bool
}

var (
	fileActions    = []string{"Allowed", "Audit", "Warn", "Block", "BlockAndRemediate"}
	networkActions = []string{"Allowed", "Audit", "Warn", "Block"}
)

func indicatorKinds() map[string]indicatorKind {
	return map[string]indicatorKind{
		"FileMd5":               {fileActions, isHash(md5Length)},
		"FileSha1":              {fileActions, isHash(sha1Length)},
		"FileSha256":            {fileActions, isHash(sha256Length)},
		"CertificateThumbprint": {[]string{"Allowed", "BlockAndRemediate"}, isHash(sha1Length)},
		"IpAddress":             {networkActions, isIP},
		"DomainName":            {networkActions, isDomain},
		"Url":                   {networkActions, isURL},
	}
}

func isIP(value string) bool {
	_, err := netip.ParseAddr(value)
	return err == nil
}

func isURL(value string) bool {
	u, err := url.Parse(value)
	return err == nil && u.Scheme != "" && u.Host != ""
}

// visible are the active indicators that the bearer may see: an application that only holds Ti.ReadWrite sees those
// that it made.
func (c *company) visible(call *call) []*indicator {
	own := call.app.User == "" && !call.app.holds("Ti.ReadWrite.All")
	return where(c.indicators, func(i *indicator) bool {
		active := i.ExpirationTime.IsZero() || i.ExpirationTime.After(call.now)
		return active && (!own || i.CreatedBy == call.app.ID)
	})
}

func (c *company) listIndicators(call *call) (reply, *apiError) {
	return list(c, call, c.visible(call), indicatorCollection)
}

func (c *company) indicatorWith(call *call, id string) (*indicator, *apiError) {
	for _, i := range c.visible(call) {
		if i.ID == id {
			return i, nil
		}
	}
	return nil, notFound("Indicator", id)
}

func (c *company) getIndicator(call *call) (reply, *apiError) {
	i, failure := c.indicatorWith(call, call.arguments["id"])
	if failure != nil {
		return reply{}, failure
	}
	return reply{http.StatusOK, c.single("Indicators", i)}, nil
}

// indicatorRequest is an indicator as it is submitted.
type indicatorRequest struct {
	value, kind, action, title, description               string
	severity, application, recommendedActions, educateURL string
	expiration                                            time.Time
	groups                                                []string
	generateAlert                                         bool
}

func readIndicator(body fields, now time.Time) (indicatorRequest, *apiError) {
	r := indicatorRequest{severity: "Informational", groups: []string{}}
	for _, p := range []struct {
		name string
		into *string
	}{{"indicatorValue", &r.value}, {"indicatorType", &r.kind}, {"action", &r.action}, {"title", &r.title}, {"description", &r.description}} {
		text, failure := body.text(p.name)
		if failure != nil {
			return r, failure
		}
		*p.into = text
	}
	for _, p := range []struct {
		name string
		into any
	}{
		{"severity", &r.severity},
		{"application", &r.application},
		{"recommendedActions", &r.recommendedActions},
		{"educateUrl", &r.educateURL},
		{"expirationTime", &r.expiration},
		{"rbacGroupNames", &r.groups},
		{"generateAlert", &r.generateAlert},
	} {
		if failure := body.read(p.name, p.into); failure != nil {
			return r, failure
		}
	}
	return r, r.check(now)
}

func (r indicatorRequest) check(now time.Time) *apiError {
	kind, ok := indicatorKinds()[r.kind]
	switch {
	case !ok:
		return invalid("The indicatorType %q is not known.", r.kind)
	case !kind.fits(r.value):
		return r.invalidValue()
	case !slices.Contains(kind.actions, r.action):
		return invalid("The action %q is not supported for %s; it is one of %s.", r.action, r.kind, strings.Join(kind.actions, ", "))
	case r.action == "Audit" && !r.generateAlert:
		return invalid("The action Audit needs generateAlert.")
	case !slices.Contains([]string{"Informational", "Low", "Medium", "High"}, r.severity):
		return invalid("The severity %q is not known.", r.severity)
	case !r.expiration.IsZero() && !r.expiration.After(now):
		return invalid("The expirationTime has passed already.")
	}
	return nil
}

// invalidValue is the error for a value that is not of its type.
func (r indicatorRequest) invalidValue() *apiError {
	code := "InvalidHashValue"
	switch r.kind {
	case "IpAddress":
		code = "InvalidIpAddress"
	case "DomainName":
		code = "InvalidDomainName"
	case "Url":
		code = "InvalidUrl"
	}
	return &apiError{http.StatusBadRequest, code, "The value " + strconv.Quote(r.value) + " is not valid for the indicatorType " + r.kind + "."}
}

// submit creates the indicator, or changes the one with the same type and value.
func (c *company) submit(call *call, r indicatorRequest) (*indicator, *apiError) {
	by := call.app.requestor()
	position := slices.IndexFunc(c.indicators, func(i *indicator) bool {
		return i.IndicatorType == r.kind && strings.EqualFold(i.IndicatorValue, r.value)
	})
	if position < 0 {
		if len(c.indicators) >= maxIndicators {
			return nil, badRequest("The tenant has %d indicators already.", maxIndicators)
		}
		kind := "AadApp"
		if call.app.User != "" {
			kind = "User"
		}
		position = len(c.indicators)
		c.indicators = append(c.indicators, &indicator{
			ID: strconv.Itoa(c.nextIndicator), IndicatorValue: r.value, IndicatorType: r.kind,
			Application: optional(r.application), Source: by, SourceType: kind, CreatedBy: by, CreatedBySource: kind,
			CreationTimeDateTimeUTC: at(call.now), RBACGroupIDs: []string{}, MITRETechniques: []string{}, Category: 1,
		})
		c.nextIndicator++
	} else {
		c.indicators[position].LastUpdatedBy = optional(by)
	}
	i := c.indicators[position]
	i.Action, i.Title, i.Description, i.Severity = r.action, r.title, r.description, r.severity
	i.RecommendedActions, i.EducateURL = optional(r.recommendedActions), optional(r.educateURL)
	i.RBACGroupNames, i.GenerateAlert = r.groups, r.generateAlert
	i.ExpirationTime, i.LastUpdateTime = at(r.expiration), at(call.now)
	return i, nil
}

func (c *company) submitIndicator(call *call, body fields) (reply, *apiError) {
	r, failure := readIndicator(body, call.now)
	if failure != nil {
		return reply{}, failure
	}
	i, failure := c.submit(call, r)
	if failure != nil {
		return reply{}, failure
	}
	return reply{http.StatusOK, c.single("Indicators", i)}, nil
}

// importIndicators submits many; each one fails for itself.
func (c *company) importIndicators(call *call, body fields) (reply, *apiError) {
	var items []map[string]json.RawMessage
	if failure := body.read("Indicators", &items); failure != nil {
		return reply{}, failure
	}
	if failure := checkBatch("Indicators", len(items)); failure != nil {
		return reply{}, failure
	}
	results := make([]any, len(items))
	for n, item := range items {
		r, failure := readIndicator(fields(item), call.now)
		result := importResult{Indicator: r.value}
		var i *indicator
		if failure == nil {
			i, failure = c.submit(call, r)
		}
		if failure != nil {
			result.IsFailed, result.FailureReason = true, optional(failure.Message)
		} else {
			result.ID = optional(i.ID)
		}
		results[n] = result
	}
	return reply{http.StatusOK, page{Context: c.context("Collection(microsoft.windowsDefenderATP.api.ImportIndicatorResult)"), Value: results}}, nil
}

func (c *company) deleteIndicator(call *call) (reply, *apiError) {
	return c.delete(call, []string{call.arguments["id"]})
}

// deleteIndicators deletes all of the indicators, or none if one is not known.
func (c *company) deleteIndicators(call *call, body fields) (reply, *apiError) {
	ids, failure := body.batch("IndicatorIds")
	if failure != nil {
		return reply{}, failure
	}
	for _, id := range ids {
		if _, err := strconv.Atoi(id); err != nil {
			return reply{}, invalid("The value %q is not the id of an indicator.", id)
		}
	}
	return c.delete(call, ids)
}

func (c *company) delete(call *call, ids []string) (reply, *apiError) {
	for _, id := range ids {
		if _, failure := c.indicatorWith(call, id); failure != nil {
			return reply{}, failure
		}
	}
	c.indicators = where(c.indicators, func(i *indicator) bool { return !slices.Contains(ids, i.ID) })
	return reply{status: http.StatusNoContent}, nil
}
