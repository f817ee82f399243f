package params_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"maps"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"xsoar-defender/params"
)

const (
	clientID = "8b7e1f4e-0000-4000-8000-000000000001"
	tenantID = "8b7e1f4e-0000-4000-8000-0000000000aa"
)

// fields is a params object; the tests merge changes into a working one.
type fields map[string]any

func (f fields) with(changes fields) fields {
	merged := maps.Clone(f)
	for name, value := range changes {
		if value == nil {
			delete(merged, name)
			continue
		}
		merged[name] = value
	}
	return merged
}

func password(text string) fields { return fields{"identifier": "", "password": text} }

// ownApplication signs in with a client secret of an own application.
func ownApplication() fields {
	return fields{
		"auth_type": "Client Credentials", "self_deployed": true,
		"_auth_id": clientID, "_tenant_id": tenantID, "credentials": password("s3cret~value"),
	}
}

// cortexApplication signs in through the token proxy.
func cortexApplication() fields {
	return fields{"_auth_id": "registration", "_tenant_id": "t0ken-text", "credentials": password("MDEyMzQ1Njc4OWFiY2RlZg==")}
}

// userLogin signs in as a user.
func userLogin() fields {
	return ownApplication().with(fields{"auth_type": "Authorization Code", "redirect_uri": "https://localhost/myapp"})
}

func noEnvironment(string) string { return "" }

func decodeWith(t testing.TB, config any, env func(string) string) (params.Instance, []params.Problem) {
	t.Helper()
	raw, err := json.Marshal(config)
	if err != nil {
		t.Fatalf("the test's configuration: %v", err)
	}
	return decodeRaw(t, raw, env)
}

// decodeRaw returns the problems of a configuration, those of the fetch alone included.
func decodeRaw(t testing.TB, raw []byte, env func(string) string) (params.Instance, []params.Problem) {
	t.Helper()
	instance, err := params.Decode(raw, env)
	if err == nil && instance.Fetch.Problems != nil {
		return instance, instance.Fetch.Problems.List
	}
	if err == nil {
		return instance, nil
	}
	var problems *params.Problems
	if !errors.As(err, &problems) || len(problems.List) == 0 {
		t.Fatalf("want a *Problems that lists something, got %T: %v", err, err)
	}
	return instance, problems.List
}

// decode fails the test unless the configuration has no problems.
func decode(t testing.TB, config any) params.Instance {
	t.Helper()
	instance, problems := decodeWith(t, config, noEnvironment)
	if len(problems) > 0 {
		t.Fatalf("want no problems, got %v", problems)
	}
	return instance
}

// fieldsOf returns the labels of the refused fields, joined.
func fieldsOf(problems []params.Problem) string {
	names := make([]string, len(problems))
	for i, problem := range problems {
		names[i] = problem.Field
	}
	return strings.Join(names, "|")
}

// keyPair holds what the certificate tests paste, made when they run, so that no key is in the repository.
type keyPair struct {
	key                *rsa.PrivateKey
	pkcs1, pkcs8       string
	certificate, other string // PEM of a certificate of the key, and of an authority with another key
	renewed            string // PEM of another certificate of the key
	thumbprint         string
	renewedThumbprint  string
	ecKey, ecSEC1      string
	encrypted          string
	shortKey           string
}

var testKeys = sync.OnceValue(func() keyPair {
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(err)
	elliptical, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	certificate := func(serial int64, signer any, public any) []byte {
		template := &x509.Certificate{
			SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "test"},
			NotBefore: time.Unix(1_700_000_000, 0), NotAfter: time.Unix(2_700_000_000, 0),
		}
		der, err := x509.CreateCertificate(rand.Reader, template, template, public, signer)
		must(err)
		return der
	}
	armour := func(label string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der}))
	}
	thumbprint := func(der []byte) string {
		digest := sha1.Sum(der)
		return strings.ToUpper(hex.EncodeToString(digest[:]))
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	must(err)
	ecPKCS8, err := x509.MarshalPKCS8PrivateKey(elliptical)
	must(err)
	sec1, err := x509.MarshalECPrivateKey(elliptical)
	must(err)
	leaf, renewed := certificate(1, key, &key.PublicKey), certificate(2, key, &key.PublicKey)
	short := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: big.NewInt(3233), E: 17}, D: big.NewInt(413), Primes: []*big.Int{big.NewInt(61), big.NewInt(53)}}
	return keyPair{
		key:   key,
		pkcs1: armour("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key)), pkcs8: armour("PRIVATE KEY", pkcs8),
		certificate: armour("CERTIFICATE", leaf), renewed: armour("CERTIFICATE", renewed),
		other:      armour("CERTIFICATE", certificate(3, elliptical, &elliptical.PublicKey)),
		thumbprint: thumbprint(leaf), renewedThumbprint: thumbprint(renewed),
		ecKey: armour("PRIVATE KEY", ecPKCS8), ecSEC1: armour("EC PRIVATE KEY", sec1),
		encrypted: string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-256-CBC,00"}, Bytes: []byte("cipher")})),
		shortKey:  armour("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(short)),
	}
})

func thumbprintOf(t testing.TB, text string) []byte {
	t.Helper()
	thumbprint, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return thumbprint
}

// holdsAny reports whether a text shows one of the secrets, and which.
func holdsAny(text []byte, secrets ...string) (string, bool) {
	for _, secret := range secrets {
		if bytes.Contains(text, []byte(secret)) {
			return secret, true
		}
	}
	return "", false
}
