package simulator_test

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"
	"github.com/golang-jwt/jwt/v5"

	"xsoar-defender/internal/simulator"
	"xsoar-defender/internal/testclock"
)

// startToday runs a tenant by the system's clock, which Microsoft's library goes by.
func startToday(t *testing.T) tenant {
	t.Helper()
	return running(t, testclock.New(time.Now()), simulator.Options{Seed: 1})
}

// msal returns Microsoft's library for Go, set up for the tenant's application. Discovery of the instance is off, since
// the library would ask Microsoft about a host that it does not know.
func (s tenant) msal(credential confidential.Credential) confidential.Client {
	s.t.Helper()
	client, err := confidential.New(s.URL()+"/"+s.TenantID(), s.ClientID(), credential,
		confidential.WithHTTPClient(s.client), confidential.WithInstanceDiscovery(false))
	if err != nil {
		s.t.Fatal(err)
	}
	return client
}

// credentials are the ways in which the application signs in, by name.
func (s tenant) credentials() map[string]confidential.Credential {
	s.t.Helper()
	secret, err := confidential.NewCredFromSecret(s.Secret())
	if err != nil {
		s.t.Fatal(err)
	}
	params := s.Instance("certificate")["creds_certificate"].(map[string]any)
	block, rest := pem.Decode([]byte(params["password"].(string)))
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		s.t.Fatal(err)
	}
	if block, _ = pem.Decode(rest); block == nil {
		block, _ = pem.Decode([]byte(s.Instance("certificate-with-chain")["creds_certificate"].(map[string]any)["password"].(string)[len(params["password"].(string)):]))
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		s.t.Fatal(err)
	}
	certificate, err := confidential.NewCredFromCert([]*x509.Certificate{leaf}, key)
	if err != nil {
		s.t.Fatal(err)
	}
	workload := confidential.NewCredFromAssertionCallback(func(context.Context, confidential.AssertionRequestOptions) (string, error) {
		return s.WorkloadToken(), nil
	})
	return map[string]confidential.Credential{"secret": secret, "certificate": certificate, "workload identity": workload}
}

// verified checks the signature of a token as a service does, by the keys that discovery leads to, and returns its
// claims.
func (s tenant) verified(token string) jwt.MapClaims {
	s.t.Helper()
	configuration := s.get("/" + s.TenantID() + "/v2.0/.well-known/openid-configuration")
	keys := s.get(strings.TrimPrefix(configuration.json["jwks_uri"].(string), s.URL()))
	var claims jwt.MapClaims
	_, err := jwt.ParseWithClaims(token, &claims, func(token *jwt.Token) (any, error) {
		for _, one := range keys.json["keys"].([]any) {
			key := one.(map[string]any)
			if key["kid"] != token.Header["kid"] || key["use"] != "sig" || key["kty"] != "RSA" {
				continue
			}
			der, err := base64.StdEncoding.DecodeString(key["x5c"].([]any)[0].(string))
			if err != nil {
				return nil, err
			}
			certificate, err := x509.ParseCertificate(der)
			if err != nil {
				return nil, err
			}
			return certificate.PublicKey, nil
		}
		return nil, errors.New("no key of the set has the name in the token")
	}, jwt.WithValidMethods([]string{"RS256"}), jwt.WithExpirationRequired())
	if err != nil {
		s.t.Errorf("a token cannot be verified: %v", err)
	}
	return claims
}

func TestMicrosoftsLibrarySignsTheApplicationIn(t *testing.T) {
	s := startToday(t)
	for name, credential := range s.credentials() {
		for _, scope := range []string{defenderScope, graphScope} {
			got, err := s.msal(credential).AcquireTokenByCredential(t.Context(), []string{scope})
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			claims := s.verified(got.AccessToken)
			if claims["aud"] != strings.TrimSuffix(scope, "/.default") || claims["appid"] != s.ClientID() || claims["idp"] != s.URL()+"/"+s.TenantID()+"/" {
				t.Errorf("%s: the token for %s says %v", name, scope, claims)
			}
		}
	}
}

func TestMicrosoftsLibraryRenewsAUsersTokens(t *testing.T) {
	s := startToday(t)
	s.SetTokenLifetime(time.Minute) // which the library takes for expired
	client := s.msal(s.credentials()["secret"])
	address, err := client.AuthCodeURL(t.Context(), s.ClientID(), s.redirectURI(), []string{defenderScope})
	if err != nil {
		t.Fatal(err)
	}
	redirect, err := s.SignIn(address + "&nonce=n1")
	if err != nil {
		t.Fatal(err)
	}
	target, err := url.Parse(redirect)
	if err != nil {
		t.Fatal(err)
	}
	first, err := client.AcquireTokenByAuthCode(t.Context(), target.Query().Get("code"), s.redirectURI(), []string{defenderScope})
	if err != nil {
		t.Fatal(err)
	}
	if first.Account.PreferredUsername != s.User() || first.Account.HomeAccountID == "" || first.IDToken.Name == "" {
		t.Errorf("the account is %+v, want that of %s", first.Account, s.User())
	}
	if claims := s.verified(first.IDToken.RawToken); claims["aud"] != s.ClientID() || claims["iss"] != s.URL()+"/"+s.TenantID()+"/v2.0" || claims["nonce"] != "n1" {
		t.Errorf("the ID token says %v", claims)
	}
	if !slices.Contains(first.GrantedScopes, defenderScope) || len(first.DeclinedScopes) > 0 {
		t.Errorf("got the scopes %v, declined %v, want %s among them", first.GrantedScopes, first.DeclinedScopes, defenderScope)
	}
	again, err := client.AcquireTokenSilent(t.Context(), []string{defenderScope}, confidential.WithSilentAccount(first.Account))
	if err != nil {
		t.Fatal(err)
	}
	if again.AccessToken == first.AccessToken {
		t.Error("got the token of the sign-in again, want a renewed one")
	}
	s.verified(again.AccessToken)
	s.SetTokenLifetime(time.Hour)
	for range 2 { // the second time from the library's cache
		if again, err = client.AcquireTokenSilent(t.Context(), []string{graphScope}, confidential.WithSilentAccount(first.Account)); err != nil {
			t.Fatalf("a token for another resource: %v", err)
		}
	}
	if claims := s.verified(again.AccessToken); claims["scp"] != strings.Join(permissionsOfGraph(), " ") || claims["upn"] != s.User() {
		t.Errorf("the token for Microsoft Graph says %v", claims)
	}
	asked := len(s.Requests())
	if _, err = client.AcquireTokenSilent(t.Context(), []string{graphScope}, confidential.WithSilentAccount(first.Account)); err != nil || len(s.Requests()) != asked {
		t.Errorf("a token that is still good was asked for again (%v)", err)
	}
	s.RevokeRefreshTokens()
	if _, err = client.AcquireTokenSilent(t.Context(), []string{defenderScope + "x"}, confidential.WithSilentAccount(first.Account)); err == nil || !strings.Contains(err.Error(), "AADSTS50173") {
		t.Errorf("after the sign-in was revoked: got %v, want AADSTS50173", err)
	}
}

func TestAnsweringOnlyWhoTheUserIs(t *testing.T) {
	s := start(t, 1)
	got := s.redeem(s.code("scope", "openid profile email"), "client_info", "1")
	if got.status != 200 || got.json["scope"] != "openid profile email" || got.json["id_token"] == nil {
		t.Fatalf("got %d %s", got.status, got.text)
	}
	raw, err := base64.RawURLEncoding.DecodeString(got.json["client_info"].(string))
	if err != nil {
		t.Fatal(err)
	}
	var info map[string]string
	if err := json.Unmarshal(raw, &info); err != nil || info["utid"] != s.TenantID() || info["uid"] == "" {
		t.Errorf("client_info is %s (%v)", raw, err)
	}
	if got := s.redeem(s.code()); got.json["id_token"] != nil || got.json["client_info"] != nil {
		t.Errorf("an ID token came without openid: %s", got.text)
	}
}

func TestTokensOfAnEarlierKey(t *testing.T) {
	s := startToday(t)
	sign := func() string { return s.post(s.tokenPath(), s.withSecret()).json["access_token"].(string) }
	before := sign()
	s.verified(before)
	s.ExpireTokens()
	if got := s.call("GET", "/api/machines", before); got.status != 401 {
		t.Errorf("a token of the key before: got %d, want 401", got.status)
	}
	after := sign()
	s.verified(after)
	if got := s.call("GET", "/api/machines?$top=1", after); got.status != 200 {
		t.Errorf("a token of the new key: got %d, want 200", got.status)
	}
}

func TestHeadersOfTheTokenEndpoint(t *testing.T) {
	s := start(t, 1)
	for _, secret := range []string{s.Secret(), "wrong"} {
		form := s.withSecret()
		form.Set("client_secret", secret)
		got := s.do(s.request("POST", s.tokenPath(), form.Encode(), "Content-Type", "application/x-www-form-urlencoded",
			"client-request-id", "the-id", "return-client-request-id", "true", "x-client-SKU", "MSAL.Go"))
		for name, want := range map[string]string{
			"Cache-Control": "no-store, no-cache", "Pragma": "no-cache", "client-request-id": "the-id", "x-ms-clitelem": "1,0,0,,",
			"X-Content-Type-Options": "nosniff",
		} {
			if got.header.Get(name) != want {
				t.Errorf("%s: got %q, want %q", name, got.header.Get(name), want)
			}
		}
		if got.header.Get("x-ms-request-id") == "" {
			t.Error("the answer has no x-ms-request-id")
		}
	}
}
