package simulator

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" // the thumbprint that names a key is a SHA-1
	"crypto/x509"
	"crypto/x509/pkix"
	_ "embed"
	"encoding/base64"
	"math/big"
	"net/http"
	"sync"

	"github.com/golang-jwt/jwt/v5"
)

// fixedKey is the RSA key, in PKCS #8, that tenants without a source of randomness sign with: their secrets follow from the
// seed, so they are known anyway, and making a key takes a tenth of a second.
//
//go:embed signing_key.der
var fixedKey []byte

// signingKey is a key that the authority signs tokens with. As with Entra, its name is the thumbprint of a certificate
// about it.
//
// https://learn.microsoft.com/en-us/entra/identity-platform/signing-key-rollover
type signingKey struct {
	private     *rsa.PrivateKey
	certificate *x509.Certificate
	name        string // kid and x5t
}

// newPrivateKey returns a function that returns the tenant's RSA key. A key of its own is made in the background.
func newPrivateKey(own bool) func() *rsa.PrivateKey {
	key := sync.OnceValue(func() *rsa.PrivateKey {
		if own {
			return must(rsa.GenerateKey(rand.Reader, 2048))
		}
		return must(x509.ParsePKCS8PrivateKey(fixedKey)).(*rsa.PrivateKey)
	})
	if own {
		go key()
	}
	return key
}

// newSigningKey makes the tenant's nth signing key: the same RSA key under another certificate, and so another name. The
// certificate is issued by that of the HTTPS server, whose key signs in a fraction of the time that an RSA key takes.
func (t *Tenant) newSigningKey(n int64) *signingKey {
	private := t.privateKey()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(n),
		Subject:      pkix.Name{CommonName: "accounts." + domain},
		NotBefore:    validFrom(),
		NotAfter:     validUntil(),
	}
	certificate := must(issue(template, t.tls.leaf, private.Public(), t.tls.key))
	sum := sha1.Sum(certificate.Raw)
	return &signingKey{private, certificate, base64.RawURLEncoding.EncodeToString(sum[:])}
}

// signingKey returns the key in use. The lock is held.
func (t *Tenant) signingKey() *signingKey {
	if t.settings.signing == nil {
		t.settings.signing = t.newSigningKey(t.settings.keyNumber)
	}
	return t.settings.signing
}

// sign returns a token of the claims. They are strings and numbers, which always encode.
func (k *signingKey) sign(claims jwt.Claims) string {
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, claims)
	token.Header["kid"], token.Header["x5t"] = k.name, k.name
	return must(token.SignedString(k.private))
}

// verify checks the signature of a token of this key, and the times in it.
func (k *signingKey) verify(text string, claims jwt.Claims, options ...jwt.ParserOption) error {
	_, err := jwt.ParseWithClaims(text, claims, func(token *jwt.Token) (any, error) {
		if token.Header["kid"] != k.name {
			return nil, jwt.ErrTokenUnverifiable
		}
		return k.private.Public(), nil
	}, append(options, jwt.WithValidMethods([]string{jwt.SigningMethodRS256.Name}), jwt.WithExpirationRequired())...)
	return err
}

// serveKeys answers with the keys that tokens of the tenant are signed with, as a JSON Web Key Set (RFC 7517).
func (t *Tenant) serveKeys(w http.ResponseWriter, r *http.Request) {
	if name := r.PathValue("tenant"); !t.signsIn(name) {
		t.answerRefusal(w, r, unknownTenant(name))
		return
	}
	t.mu.Lock()
	key := t.signingKey()
	t.mu.Unlock()
	public := key.private.PublicKey
	w.Header().Set("Cache-Control", "max-age=86400, private")
	answerJSON(w, http.StatusOK, map[string]any{"keys": []any{map[string]any{
		"kty": "RSA", "use": "sig", "alg": "RS256", "kid": key.name, "x5t": key.name,
		"n":      base64.RawURLEncoding.EncodeToString(public.N.Bytes()),
		"e":      base64.RawURLEncoding.EncodeToString(big.NewInt(int64(public.E)).Bytes()),
		"x5c":    []string{base64.StdEncoding.EncodeToString(key.certificate.Raw)},
		"issuer": t.issuer("v2.0"),
	}}})
}

// issuer returns the issuer of the tenant's tokens, of a version of the endpoints ("v2.0") or, without one, of the older
// endpoints.
func (t *Tenant) issuer(version string) string {
	return t.base + "/" + t.registration.tenantID + "/" + version
}
