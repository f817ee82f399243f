package simulator_test

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"xsoar-defender/internal/simulator"
)

func TestEveryModeHasAnInstance(t *testing.T) {
	s := start(t, 1)
	for _, mode := range simulator.Modes() {
		params := s.Instance(mode)
		if params["endpoint_type"] != "Custom" || params["url"] != s.URL() || params["azure_ad_endpoint"] != s.URL() || params["insecure"] != true {
			t.Errorf("%s: got %v", mode, params)
		}
	}
	if params := s.Instance("password"); params != nil {
		t.Errorf("an unknown mode: got %v", params)
	}
	if variables := s.Environment("client-secret"); len(variables) != 0 {
		t.Errorf("a client secret needs the variables %v", variables)
	}
}

// The rest of this file signs in with the Azure identity library, which takes the time from the system.

// options make azidentity use the tenant as authority.
func (s tenant) options() azcore.ClientOptions {
	s.SetAssertionClock(time.Now)
	return azcore.ClientOptions{
		Cloud:     cloud.Configuration{ActiveDirectoryAuthorityHost: s.URL()},
		Transport: s.client,
		Retry:     policy.RetryOptions{MaxRetries: -1},
	}
}

// signsIn checks that a credential gets a token that the API accepts.
func (s tenant) signsIn(credential azcore.TokenCredential, err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatalf("making the credential: %v", err)
	}
	token, err := credential.GetToken(s.t.Context(), policy.TokenRequestOptions{Scopes: []string{defenderScope}})
	if err != nil {
		s.t.Fatalf("getting a token: %v", err)
	}
	if got := s.call(http.MethodGet, "/api/machines", token.Token); got.status != 200 {
		s.t.Errorf("the token at the API: got %d %s", got.status, got.text)
	}
}

func TestAzureIdentityWithAClientSecret(t *testing.T) {
	s := start(t, 21)
	options := &azidentity.ClientSecretCredentialOptions{ClientOptions: s.options(), DisableInstanceDiscovery: true}
	s.signsIn(azidentity.NewClientSecretCredential(s.TenantID(), s.ClientID(), s.Secret(), options))

	s.signsIn(azidentity.NewClientSecretCredential(s.Domain(), s.ClientID(), s.Secret(), options))

	credential, err := azidentity.NewClientSecretCredential(s.TenantID(), s.ClientID(), "wrong", options)
	if err != nil {
		t.Fatal(err)
	}
	_, err = credential.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{defenderScope}})
	if failed, ok := errors.AsType[*azidentity.AuthenticationFailedError](err); !ok || failed.RawResponse.StatusCode != http.StatusUnauthorized {
		t.Errorf("a wrong secret: got %v", err)
	}
}

func TestAzureIdentityWithACertificate(t *testing.T) {
	s := start(t, 23)
	params := s.Instance("certificate-with-chain")["creds_certificate"].(map[string]any)
	certificates, key, err := azidentity.ParseCertificates([]byte(params["password"].(string)), nil)
	if err != nil {
		t.Fatalf("the certificate: %v", err)
	}
	for _, chain := range []bool{false, true} {
		s.signsIn(azidentity.NewClientCertificateCredential(s.TenantID(), s.ClientID(), certificates, key,
			&azidentity.ClientCertificateCredentialOptions{
				ClientOptions: s.options(), DisableInstanceDiscovery: true, SendCertificateChain: chain,
			}))
	}
}

func TestTheCertificateInstanceHasAKeyAlone(t *testing.T) {
	s := start(t, 1)
	params := s.Instance("certificate")["creds_certificate"].(map[string]any)
	block, rest := pem.Decode([]byte(params["password"].(string)))
	if _, err := x509.ParsePKCS8PrivateKey(block.Bytes); err != nil || len(rest) != 0 {
		t.Errorf("the key: %v, followed by %q", err, rest)
	}
}

func TestAzureIdentityAsAWorkload(t *testing.T) {
	s := start(t, 24)
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(s.WorkloadToken()), 0o600); err != nil {
		t.Fatal(err)
	}
	options := s.options()
	s.SetAssertionClock(s.Now)
	for name, value := range s.Environment("workload-identity") {
		t.Setenv(name, value)
	}
	t.Setenv("AZURE_FEDERATED_TOKEN_FILE", file)
	s.signsIn(azidentity.NewWorkloadIdentityCredential(&azidentity.WorkloadIdentityCredentialOptions{
		ClientOptions: options, DisableInstanceDiscovery: true,
	}))
}

func TestAzureIdentityWithAManagedIdentity(t *testing.T) {
	s := start(t, 25)
	for name, value := range s.Environment("managed-identity") {
		t.Setenv(name, value)
	}
	s.signsIn(azidentity.NewManagedIdentityCredential(&azidentity.ManagedIdentityCredentialOptions{ClientOptions: s.options()}))

	user := s.Instance("managed-identity-user")["managed_identities_client_id"].(map[string]any)["password"].(string)
	s.signsIn(azidentity.NewManagedIdentityCredential(&azidentity.ManagedIdentityCredentialOptions{
		ClientOptions: s.options(), ID: azidentity.ClientID(user),
	}))
}
