package params_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"xsoar-defender/params"
)

// TestInstancesOfTheDeployedIntegration reads an instance of each kind that the deployed integration saves, as it is saved:
// all of its fields, those that are hidden or empty among them. Secrets are made up.
func TestInstancesOfTheDeployedIntegration(t *testing.T) {
	key, err := json.Marshal(testKeys().pkcs8)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]func(params.Instance) bool{
		"cortex-application": func(i params.Instance) bool {
			return i.Mode == params.CortexApplication && i.Proxy.ID == "registration" && i.Proxy.Token == "the token" && len(i.Proxy.KeyBytes) == 16
		},
		"cortex-application-oldest": func(i params.Instance) bool {
			return i.Mode == params.CortexApplication && i.Proxy.ID == "registration" && i.Cloud.Name == "US GCC"
		},
		"client-secret": func(i params.Instance) bool {
			return i.Mode == params.ClientSecret && i.ClientID == clientID && i.TenantID == tenantID && i.ClientSecret == "s3cret" &&
				len(i.Fetch.DetectionSources) == 2 && i.Fetch.DetectionSources[0] == "CustomDetection" && i.Fetch.Enabled
		},
		"client-secret-hidden-ids": func(i params.Instance) bool {
			return i.Mode == params.ClientSecret && i.ClientID == clientID && i.TenantID == tenantID
		},
		"certificate": func(i params.Instance) bool {
			return i.Mode == params.ClientCertificate && i.Certificate != nil && i.Certificate.Key != nil && len(i.Certificate.Thumbprint) == 20
		},
		"certificate-old-fields": func(i params.Instance) bool {
			return i.Mode == params.ClientCertificate && i.Certificate != nil && i.Certificate.Key != nil
		},
		"authorization-code": func(i params.Instance) bool {
			return i.Mode == params.AuthorizationCode && i.Grant.Code == "0.AXcode" && i.RedirectURI == "https://localhost/myapp" && i.TenantID == tenantID
		},
		"authorization-code-organizations": func(i params.Instance) bool {
			return i.Mode == params.AuthorizationCode && i.TenantID == params.AnyOrganization && len(i.Warnings) == 1
		},
		"managed-identity": func(i params.Instance) bool {
			return i.Mode == params.ManagedIdentity && i.ManagedIdentityClientID == clientID
		},
		"gcc-high": func(i params.Instance) bool {
			return i.Mode == params.ClientSecret && i.Cloud.Name == "US GCC-High" && strings.Contains(strings.Join(i.Cloud.OtherScopes, " "), "securitycenter.onmicrosoft.us/windowsatpservice")
		},
		"custom": func(i params.Instance) bool {
			return i.Mode == params.ClientSecret && i.Cloud.API.Host == "gateway.contoso.example" && i.Cloud.Authority == "https://login.contoso.example"
		},
	}
	files, err := filepath.Glob(filepath.Join("testdata", "deployed", "*.json"))
	if err != nil || len(files) != len(want) {
		t.Fatalf("got %d files and %v, want %d", len(files), err, len(want))
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			text := strings.ReplaceAll(string(raw), `"PRIVATE KEY"`, string(key))
			instance, problems := decodeRaw(t, []byte(strings.ReplaceAll(text, "THUMBPRINT", testKeys().thumbprint)), noEnvironment)
			if len(problems) > 0 || want[name] == nil || !want[name](instance) {
				t.Errorf("got %+v with the problems %v, want it to work as before", instance, problems)
			}
		})
	}
}
