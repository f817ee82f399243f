package simulator_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"xsoar-defender/internal/simulator"
)

func TestFaultsAnswerInPlaceOfTheTenant(t *testing.T) {
	s := start(t, 1)
	token := s.token(defenderScope)
	for _, c := range []struct {
		name   string
		fault  simulator.Fault
		status int
		code   any
		text   string // within the body
	}{
		{"a status", simulator.Fault{Status: 503}, 503, "ServiceUnavailable", `"target":"`},
		{"a code", simulator.Fault{Code: "ActiveRequestAlreadyExists", Message: "busy"}, 400, "ActiveRequestAlreadyExists", "busy"},
		{"a status with code", simulator.Fault{Status: 403, Code: "DisabledFeature"}, 403, "DisabledFeature", ""},
		{"a page for JSON", simulator.Fault{Body: "<html>", ContentType: "text/html"}, 200, nil, "<html>"},
		{"wrong types", simulator.Fault{Body: `{"value":7}`}, 200, nil, `{"value":7}`},
		{"an empty body", simulator.Fault{Empty: true}, 200, nil, ""},
		{"an empty error", simulator.Fault{Status: 500, Empty: true}, 500, nil, ""},
		{"no content", simulator.Fault{Status: 204}, 204, nil, ""},
	} {
		s.ClearFaults()
		s.Script(c.fault)
		got := s.call(http.MethodGet, "/api/machines", token)
		if got.status != c.status || got.code() != c.code || !strings.Contains(got.text, c.text) {
			t.Errorf("%s: got %d %s, want %d %v %q", c.name, got.status, got.text, c.status, c.code, c.text)
		}
		if c.fault.Empty && got.text != "" {
			t.Errorf("%s: the body is %q", c.name, got.text)
		}
	}
}

func TestFaultsSetHeaders(t *testing.T) {
	s := start(t, 1)
	s.Script(simulator.Fault{
		Location: "https://elsewhere.example/", RetryAfter: 1500 * time.Millisecond, Header: http.Header{"X-Other": {"1"}},
	})
	got := s.call(http.MethodGet, "/api/machines", "")
	if got.status != 302 || got.header.Get("Location") != "https://elsewhere.example/" ||
		got.header.Get("Retry-After") != "2" || got.header.Get("X-Other") != "1" {
		t.Errorf("got %d %v", got.status, got.header)
	}
}

func TestFaultsInTheFormOfEveryPart(t *testing.T) {
	s := start(t, 1)
	s.Script(
		simulator.Fault{Kind: simulator.KindAuthority, Code: "AADSTS50076", Message: "more proof"},
		simulator.Fault{Kind: simulator.KindProxy, Status: 500, Message: "why"},
		simulator.Fault{Kind: simulator.KindIdentity, Status: 429, Message: "slow down"},
	)
	refused(t, "the authority", s.post(s.tokenPath(), s.withSecret()), 400, "invalid_grant", 50076)
	if got := s.cortex().ask(nil); got.status != 500 || got.json["title"] != "InternalServerError" || got.json["detail"] != "why" {
		t.Errorf("the token proxy: got %d %s", got.status, got.text)
	}
	if got := s.get(s.IdentityURL()); got.status != 429 || got.json["error_description"] != "slow down" {
		t.Errorf("the managed identity: got %d %s", got.status, got.text)
	}
	s.ClearFaults()
	s.Script(simulator.Fault{Path: "/*/oauth2/v2.0/token", Status: 503})
	refused(t, "the authority by path", s.post(s.tokenPath(), s.withSecret()), 503, "temporarily_unavailable", 90033)
}

func TestFaultsChooseRequests(t *testing.T) {
	s := start(t, 1)
	token := s.token(defenderScope)
	statuses := func(fault simulator.Fault, n int) []int {
		s.ClearFaults()
		s.Script(fault)
		var list []int
		for range n {
			list = append(list, s.call(http.MethodGet, "/api/machines", token).status)
		}
		return list
	}
	for _, c := range []struct {
		name  string
		fault simulator.Fault
		want  [3]int
	}{
		{"always", simulator.Fault{}, [3]int{418, 418, 418}},
		{"twice", simulator.Fault{Times: 2}, [3]int{418, 418, 200}},
		{"once after one", simulator.Fault{After: 1, Times: 1}, [3]int{200, 418, 200}},
		{"a path", simulator.Fault{Path: "/api/machines"}, [3]int{418, 418, 418}},
		{"a pattern", simulator.Fault{Path: "/api/m*"}, [3]int{418, 418, 418}},
		{"a prefix", simulator.Fault{Path: "/api/"}, [3]int{418, 418, 418}},
		{"another path", simulator.Fault{Path: "/api/machine"}, [3]int{200, 200, 200}},
		{"another method", simulator.Fault{Method: "POST"}, [3]int{200, 200, 200}},
		{"another part", simulator.Fault{Kind: simulator.KindGraph}, [3]int{200, 200, 200}},
	} {
		c.fault.Status = http.StatusTeapot
		if got := statuses(c.fault, 3); [3]int(got) != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
	s.ClearFaults()
	s.Script(simulator.Fault{Status: 500, Times: 1}, simulator.Fault{Status: 502})
	if a, b := s.call("GET", "/api/machines", token), s.call("GET", "/api/machines", token); a.status != 500 || b.status != 502 {
		t.Errorf("one fault after the other: got %d and %d, want 500 and 502", a.status, b.status)
	}
}

func TestABadPatternPanics(t *testing.T) {
	s := start(t, 1)
	defer func() {
		if recover() == nil {
			t.Error("a path that is not a pattern was taken")
		}
	}()
	s.Script(simulator.Fault{Path: "["})
}

func TestADelayPassesBeforeTheAnswer(t *testing.T) {
	s := start(t, 1)
	token := s.token(defenderScope)
	before := s.Now()
	s.Script(simulator.Fault{Delay: time.Minute})
	got := s.call(http.MethodGet, "/api/machines", token)
	if passed := s.Now().Sub(before); got.status != 200 || passed != time.Minute {
		t.Errorf("got %d after %s, want 200 after a minute", got.status, passed)
	}
}

func TestBrokenAnswers(t *testing.T) {
	s := start(t, 1)
	token := s.token(defenderScope)
	whole := s.call(http.MethodGet, "/api/machines", token).text

	s.Script(simulator.Fault{Truncate: true, Times: 1})
	if got := s.call(http.MethodGet, "/api/machines", token); got.text != whole[:len(whole)/2] {
		t.Errorf("truncated: got %d %.100q", got.status, got.text)
	}
	for _, cut := range []simulator.Cut{simulator.CutBefore, simulator.CutMiddle, simulator.CutTrickle} {
		s.ResetRequests()
		s.Script(simulator.Fault{Cut: cut, Times: 1, Method: http.MethodPost})
		// A POST, which a client does not send again of itself.
		got, err := s.try(s.request(http.MethodPost, "/api/machines", "{}", "Authorization", "Bearer "+token))
		if err == nil {
			t.Errorf("cut %s: got %d %.100q and no error", cut, got.status, got.text)
		}
		if got := s.Requests(); len(got) != 1 || (got[0].Status == 0) != (cut == simulator.CutBefore) {
			t.Errorf("cut %s: remembered %+v", cut, got)
		}
	}
	if got := s.call(http.MethodGet, "/api/machines", s.token(defenderScope)); got.text != whole {
		t.Errorf("afterwards: got %d %.100q", got.status, got.text)
	}
}

func TestAFaultKeepsTheRequestFromTheTenantUnlessItActs(t *testing.T) {
	s := start(t, 1)
	for _, c := range []struct {
		name  string
		fault simulator.Fault
		acted bool
	}{
		{"a status", simulator.Fault{Status: 503}, false},
		{"a cut before", simulator.Fault{Cut: simulator.CutBefore}, false},
		{"a cut in the middle", simulator.Fault{Cut: simulator.CutMiddle}, true},
		{"a truncated body", simulator.Fault{Truncate: true}, true},
		{"a delay", simulator.Fault{Delay: time.Second}, true},
		{"a status that acts", simulator.Fault{Status: 503, Act: true}, true},
		{"a cut before that acts", simulator.Fault{Cut: simulator.CutBefore, Act: true}, true},
	} {
		code := s.code()
		form := s.withSecret()
		form.Set("grant_type", "authorization_code")
		form.Set("code", code)
		form.Set("redirect_uri", s.redirectURI())
		form.Set("code_verifier", verifier)
		form.Del("scope")
		c.fault.Times = 1
		s.Script(c.fault)
		// A cut connection is an error, as it should be: whether the code is used up tells what was done.
		_, _ = s.try(s.request(http.MethodPost, s.tokenPath(), form.Encode(), "Content-Type", "application/x-www-form-urlencoded"))
		if acted := s.redeem(code).code() == 54005; acted != c.acted {
			t.Errorf("%s: whether the tenant acted is %t, want %t", c.name, acted, c.acted)
		}
	}
}
