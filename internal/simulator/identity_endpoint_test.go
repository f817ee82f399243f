package simulator_test

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

// identityRequest is a request to a managed identity endpoint that has all it needs.
type identityRequest struct {
	path, version, header, value string
}

func (s tenant) identityRequests() []identityRequest {
	return []identityRequest{
		{"/msi/token", "2019-08-01", "X-IDENTITY-HEADER", s.IdentityHeader()},
		{"/metadata/identity/oauth2/token", "2018-02-01", "Metadata", "true"},
	}
}

// send asks for a token; changes are further names and values of the query.
func (q identityRequest) send(s tenant, changes ...string) answer {
	s.t.Helper()
	query := url.Values{"api-version": {q.version}, "resource": {"https://api.securitycenter.microsoft.com"}}
	for i := 0; i < len(changes); i += 2 {
		query.Set(changes[i], changes[i+1])
	}
	base, _ := strings.CutSuffix(s.IdentityURL(), "/msi/token")
	return s.get(base+q.path+"?"+query.Encode(), q.header, q.value)
}

func TestManagedIdentities(t *testing.T) {
	s := start(t, 11)
	user := s.Instance("managed-identity-user")["managed_identities_client_id"].(map[string]any)["password"].(string)
	for _, q := range s.identityRequests() {
		for _, changes := range [][]string{nil, {"client_id", user}} {
			got := q.send(s, changes...)
			if got.status != 200 || got.json["expires_on"] != strconv.FormatInt(s.Now().Add(3599*time.Second).Unix(), 10) {
				t.Errorf("%s %v: got %d %s", q.path, changes, got.status, got.text)
				continue
			}
			for name, value := range got.json {
				if _, text := value.(string); !text {
					t.Errorf("%s: %s is %v, want a string", q.path, name, value)
				}
			}
			if used := s.call(http.MethodGet, "/api/machines", got.json["access_token"].(string)); used.status != 200 {
				t.Errorf("%s: the token at the API: got %d %s", q.path, used.status, used.text)
			}
		}
	}
}

func TestWhatTheIdentityEndpointRefuses(t *testing.T) {
	s := start(t, 11)
	for _, q := range s.identityRequests() {
		unproven := map[string]int{"Metadata": 400, "X-IDENTITY-HEADER": 401}[q.header]
		without, wrong := q, q
		without.header, wrong.value = "X-Other", "wrong"
		for _, c := range []struct {
			name    string
			q       identityRequest
			changes []string
			status  int
		}{
			{"without its header", without, nil, unproven},
			{"with a wrong header", wrong, nil, unproven},
			{"another version", q, []string{"api-version", "2000-01-01"}, 400},
			{"no resource", q, []string{"resource", ""}, 400},
			{"an unknown resource", q, []string{"resource", "https://elsewhere.example"}, 400},
			{"an unknown identity", q, []string{"client_id", s.ClientID()}, 400},
			{"an identity by object", q, []string{"object_id", s.ClientID()}, 400},
		} {
			if got := c.q.send(s, c.changes...); got.status != c.status || got.json["access_token"] != nil {
				t.Errorf("%s, %s: got %d %s, want %d", q.path, c.name, got.status, got.text, c.status)
			}
		}
	}
	if got := s.get(strings.Replace(s.IdentityURL(), "/msi/token", "/elsewhere", 1)); got.status != 404 {
		t.Errorf("another path: got %d %s", got.status, got.text)
	}
}

// ledTo is a client whose every connection goes to one address.
func ledTo(address string) *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	}}
}

func TestTheMetadataServiceIsReachedByItsOwnAddress(t *testing.T) {
	s := start(t, 11)
	endpoint, err := url.Parse(s.IdentityURL())
	if err != nil {
		t.Fatal(err)
	}
	s.client = ledTo(endpoint.Host)
	t.Cleanup(s.client.CloseIdleConnections)
	got := s.get("http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource="+
		url.QueryEscape("https://api.securitycenter.microsoft.com"), "Metadata", "true")
	if got.status != 200 {
		t.Errorf("got %d %s", got.status, got.text)
	}
}
