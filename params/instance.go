// Package params decodes the configuration of an integration instance, once per execution, and reports everything wrong
// with it before any request is made.
package params

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"slices"
	"time"
)

// Mode is the way in which an instance signs in to Microsoft.
type Mode int

// The sign-in modes. The mode of an instance follows from auth_type, self_deployed and use_managed_identities. Only between
// the two kinds of client credentials does the proof decide that is filled in.
const (
	CortexApplication Mode = iota // the Cortex XSOAR application, through its token proxy
	ClientSecret
	ClientCertificate
	AuthorizationCode
	ManagedIdentity
	WorkloadIdentity
)

// String returns the words that users know the mode by.
func (m Mode) String() string {
	switch m {
	case CortexApplication:
		return "Cortex XSOAR application"
	case ClientSecret:
		return "client secret"
	case ClientCertificate:
		return "client certificate"
	case AuthorizationCode:
		return "authorization code"
	case ManagedIdentity:
		return "managed identity"
	case WorkloadIdentity:
		return "workload identity"
	default:
		return "unknown sign-in mode"
	}
}

// HuntingAPI is where hunting queries run.
type HuntingAPI string

// The options of hunting_api.
const (
	HuntingAuto     HuntingAPI = "Auto"
	HuntingDefender HuntingAPI = "Defender"
	HuntingGraph    HuntingAPI = "Graph"
)

// Instance is the configuration of an instance, decoded and checked. Fields that its mode does not use are empty.
type Instance struct {
	Mode  Mode
	Cloud Cloud

	// ClientID and TenantID name the application and its tenant; both are empty for CortexApplication. For
	// ManagedIdentity the tenant is empty and the client ID is that of a user-assigned identity. For WorkloadIdentity
	// either can be empty: then the environment of the workload holds it. For AuthorizationCode the tenant can be
	// AnyOrganization or common.
	ClientID, TenantID string

	ClientSecret            Secret       // of ClientSecret, and of AuthorizationCode without a certificate
	Certificate             *Certificate // of ClientCertificate, and of AuthorizationCode with a certificate; else nil
	Proxy                   TokenProxy   // of CortexApplication
	RedirectURI             string       // of AuthorizationCode, exactly as the user gave it
	Grant                   Grant        // of AuthorizationCode, as pasted after the login
	ManagedIdentityClientID string       // of ManagedIdentity; empty for the system-assigned identity

	// Warnings are about values that work but should change, in the order of the parameters.
	Warnings []Problem

	HuntingAPI  HuntingAPI
	Reliability string // full text of the grade, for example "B - Usually reliable"
	Fetch       Fetch
	Mirror      Mirror
	Insecure    bool // accept any TLS certificate
	UseProxy    bool // use HTTP_PROXY, HTTPS_PROXY and NO_PROXY

	// LargestAnswer is how many bytes of answers may be held in memory; 0 if the instance leaves it to the program.
	LargestAnswer int64
}

// Certificate is the proof of an application that has no client secret. At least one of Thumbprint and Chain is known, and
// they agree if both are.
type Certificate struct {
	Key        *rsa.PrivateKey
	Thumbprint []byte              // the 20 bytes of the SHA-1 thumbprint in the instance; nil if it has none
	Chain      []*x509.Certificate // the certificates next to the key, its own one first; nil if there are none
}

// MarshalJSON returns "[redacted]", since the encoding of the key would show it.
func (c Certificate) MarshalJSON() ([]byte, error) { return redactedJSON(), nil }

// TokenProxy is the registration of a tenant with the Cortex XSOAR application, whose token proxy issues tokens.
type TokenProxy struct {
	ID       string
	URL      string
	Token    Secret
	Key      Secret      // base64 text, as in the instance
	KeyBytes SecretBytes // the 16, 24 or 32 bytes of Key: an AES key
}

// Grant is the code or refresh token that the user pasted after logging in. It is empty before the first login.
type Grant struct {
	Code         Secret
	State        string // that came back with the code; empty if only the code was pasted
	RefreshToken Secret
}

// Fetch describes the alerts that become incidents.
type Fetch struct {
	Enabled bool // whether the instance fetches incidents
	Type    FetchType

	// Statuses, Severities and DetectionSources hold values of the API; an empty one means no restriction.
	Statuses, Severities, DetectionSources []string

	Evidence bool          // ask for the evidence of each alert
	Max      int           // alerts per fetch, 1 to 200
	First    time.Duration // how far the first fetch reaches back
	LookBack time.Duration // how far every other fetch goes back before the newest alert it knows

	Incidents IncidentFilter // which XDR incidents are fetched

	// Problems is everything wrong with the fields above and those of Mirror, or nil. It stops fetching, mirroring and the
	// test of the instance; every other command runs.
	Problems *Problems
}

// largestAnswerLimit is the most that the parameter takes, in megabytes.
const largestAnswerLimit = 2048

func (f *form) largestAnswer() int64 {
	if f.text(fieldLargestAnswer) == "" {
		return 0
	}
	return int64(f.wholeNumber(fieldLargestAnswer, 1, largestAnswerLimit)) << 20
}

// Decode reads the params object of an execution. A missing or null object counts as an empty one. env looks up an
// environment variable, of which only AZURE_AUTHORITY_HOST is asked for, as the authority of a Custom cloud that names
// none. The error is a *Problems that lists everything that must be changed. Problems of the fetch alone are not errors:
// see Fetch.Problems.
func Decode(raw json.RawMessage, env func(string) string) (Instance, error) {
	f, err := newForm(raw)
	if err != nil {
		return Instance{}, err
	}
	instance := Instance{
		Cloud:       f.cloud(env),
		HuntingAPI:  HuntingAPI(f.oneOf(fieldHuntingAPI)),
		Reliability: f.oneOf(fieldReliability),
		Fetch:       f.fetch(),
		Mirror:      f.mirror(),
		Insecure:    f.checkbox(fieldInsecure),
		UseProxy:    f.checkbox(fieldProxy),

		LargestAnswer: f.largestAnswer(),
	}
	f.signIn(&instance)
	found := f.problems()
	if found != nil && slices.ContainsFunc(f.findings, finding.stopsEverything) {
		return Instance{}, found
	}
	instance.Fetch.Problems = found
	return instance, nil
}
