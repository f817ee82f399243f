package simulator

import (
	"crypto/x509"
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// assertionType says that a client assertion is a JWT (RFC 7523).
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// clockSkew is how far the clock of a client may be from that of the authority, in either direction. A client also rounds
// the moment at which it signs to a second, which may be the next one.
const clockSkew = 5 * time.Minute

// assertionProblem returns the AADSTS code for what is wrong with an assertion.
type assertionProblem struct {
	problem error
	code    int
	message string
}

// certificateProblems are those of an assertion that the application made itself. The first that fits counts; what fits
// none of them is a matter of the signature.
func certificateProblems() []assertionProblem {
	return []assertionProblem{
		{jwt.ErrTokenExpired, 700024, "The client assertion has expired."},
		{jwt.ErrTokenNotValidYet, 700024, "The client assertion is not valid yet."},
		{jwt.ErrTokenInvalidAudience, 700023, "The client assertion was made for another audience than this endpoint."},
		{jwt.ErrTokenInvalidSubject, 700021, "The client assertion was made for another application."},
	}
}

// federatedProblems are those of a workload's token, in the same way.
func federatedProblems() []assertionProblem {
	return []assertionProblem{
		{jwt.ErrTokenExpired, 700024, "The federated token has expired."},
		{jwt.ErrTokenNotValidYet, 700024, "The federated token is not valid yet."},
		{jwt.ErrTokenInvalidIssuer, 700211, "No federated identity of the application has this issuer."},
		{jwt.ErrTokenInvalidAudience, 700212, "No federated identity of the application has this audience."},
		{jwt.ErrTokenInvalidSubject, 700213, "No federated identity of the application has this subject."},
	}
}

// checkAssertion checks a client assertion: one that the application made itself is signed with its certificate,
// any other must be a token of the workload that the application trusts.
func (t *Tenant) checkAssertion(q tokenRequest) *refusal {
	text, clientID := q.form.Get("client_assertion"), q.form.Get("client_id")
	if q.form.Get("client_assertion_type") != assertionType {
		return refuse(50027, "The client assertion's type is not %s.", assertionType)
	}
	var claims jwt.RegisteredClaims
	if _, _, err := jwt.NewParser().ParseUnverified(text, &claims); err != nil {
		return refuse(50027, "The client assertion is no JWT.")
	}
	if claims.Issuer == clientID {
		return t.checkCertificateAssertion(text, clientID, q.endpoint)
	}
	_, err := jwt.Parse(text, func(*jwt.Token) (any, error) { return t.fixed.workloadKey, nil },
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Name}), jwt.WithTimeFunc(t.settings.assertionClock),
		jwt.WithLeeway(clockSkew), jwt.WithExpirationRequired(), jwt.WithIssuer(workloadIssuer), jwt.WithAudience(workloadAudience),
		jwt.WithSubject(workloadSubject))
	return assertionRefusal(err, federatedProblems())
}

// checkCertificateAssertion checks signature, thumbprint, audience, times and that the assertion is used once.
func (t *Tenant) checkCertificateAssertion(text, clientID, endpoint string) *refusal {
	certificate, err := t.application()
	if err != nil {
		return refuse(700027, "The application has no certificate: %s.", err)
	}
	var claims jwt.RegisteredClaims
	_, err = jwt.ParseWithClaims(text, &claims, func(token *jwt.Token) (any, error) {
		for _, registered := range t.registered(certificate) {
			if named(token.Header, registered) {
				return registered.PublicKey, nil
			}
		}
		return nil, errors.New("the header names no certificate of the application")
	}, jwt.WithValidMethods([]string{jwt.SigningMethodRS256.Name, jwt.SigningMethodPS256.Name}),
		jwt.WithTimeFunc(t.settings.assertionClock), jwt.WithLeeway(clockSkew), jwt.WithExpirationRequired(), jwt.WithNotBeforeRequired(),
		jwt.WithAudience(t.assertionAudiences(endpoint)...), jwt.WithSubject(clientID))
	if no := assertionRefusal(err, certificateProblems()); no != nil {
		return no
	}
	return t.useAssertion(claims)
}

// registered are the certificates that the application may sign in with. The lock is held.
func (t *Tenant) registered(made *applicationCertificate) []*x509.Certificate {
	var certificates []*x509.Certificate
	if t.settings.firstCertificate {
		certificates = append(certificates, made.first)
	}
	if t.settings.renewedCertificate {
		certificates = append(certificates, made.renewal)
	}
	return certificates
}

// assertionAudiences are the audiences that an assertion may have: the endpoint it is sent to, whichever name
// of the tenant and version of the endpoint it uses.
func (t *Tenant) assertionAudiences(endpoint string) []string {
	tenant := t.base + "/" + t.registration.tenantID
	return []string{endpoint, tenant + "/oauth2/v2.0/token", tenant + "/oauth2/token", tenant + "/v2.0"}
}

// useAssertion refuses an assertion without identifier or with one that was seen before.
func (t *Tenant) useAssertion(claims jwt.RegisteredClaims) *refusal {
	now := t.settings.assertionClock()
	for id, end := range t.grants.assertions {
		if !end.Add(clockSkew).After(now) {
			delete(t.grants.assertions, id)
		}
	}
	if _, seen := t.grants.assertions[claims.ID]; seen || claims.ID == "" {
		return refuse(700027, "The client assertion has no identifier of its own (jti), or was used before.")
	}
	t.grants.assertions[claims.ID] = claims.ExpiresAt.Time
	return nil
}

// named reports whether the header of an assertion names a certificate, by either thumbprint
// (https://learn.microsoft.com/entra/identity-platform/certificate-credentials). It is taken in both base64
// alphabets, with and without padding.
func named(header map[string]any, certificate *x509.Certificate) bool {
	for _, name := range []string{"x5t", "x5t#S256"} {
		text, _ := header[name].(string)
		text = strings.NewReplacer("+", "-", "/", "_", "=", "").Replace(text)
		if text != "" && text == base64.RawURLEncoding.EncodeToString(certificateDigest(certificate, name)) {
			return true
		}
	}
	return false
}

// assertionRefusal turns what is wrong with an assertion into an answer.
func assertionRefusal(err error, problems []assertionProblem) *refusal {
	if err == nil {
		return nil
	}
	for _, p := range problems {
		if errors.Is(err, p.problem) {
			return refuse(p.code, "%s", p.message)
		}
	}
	return refuse(700027, "The client assertion's signature or thumbprint fits no certificate of the application.")
}
