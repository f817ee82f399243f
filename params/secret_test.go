package params_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"xsoar-defender/params"
)

const hidden = "hunter2-S3cret"

// ways prints a value in every way that a log, an error or a file might.
func ways(t *testing.T, value any) map[string]string {
	t.Helper()
	printed := map[string]string{}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%#x", "%d", "%t", "%T|%v", "%10.3s", "%-5v", "%U", "%b", "%c", "%o", "%e"} {
		if strings.HasPrefix(verb, "%T") {
			printed[verb] = fmt.Sprintf(verb, value, value)
			continue
		}
		printed[verb] = fmt.Sprintf(verb, value)
	}
	printed["Print"] = fmt.Sprint(value)
	printed["error"] = fmt.Errorf("wrapped: %w", errors.New(fmt.Sprint(value))).Error()
	encoded, err := json.Marshal(value)
	if err != nil {
		t.Fatalf("JSON: %v", err)
	}
	printed["JSON"] = string(encoded)
	for name, handler := range map[string]func(*bytes.Buffer) slog.Handler{
		"slog text": func(out *bytes.Buffer) slog.Handler { return slog.NewTextHandler(out, nil) },
		"slog JSON": func(out *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(out, nil) },
	} {
		var out bytes.Buffer
		slog.New(handler(&out)).Info("message", "value", value, "in a list", []any{value})
		printed[name] = out.String()
	}
	return printed
}

func TestASecretIsNeverShown(t *testing.T) {
	encoded := fmt.Sprintf("%x", hidden)
	for name, value := range map[string]any{
		"Secret": params.Secret(hidden), "SecretBytes": params.SecretBytes(hidden),
		"Grant":    params.Grant{Code: hidden, RefreshToken: hidden},
		"Proxy":    &params.TokenProxy{Token: hidden, Key: hidden, KeyBytes: params.SecretBytes(hidden)},
		"Instance": params.Instance{ClientSecret: hidden, Grant: params.Grant{Code: hidden}, Proxy: params.TokenProxy{KeyBytes: params.SecretBytes(hidden)}},
		"list":     []params.Secret{hidden},
		"map":      map[string]params.Secret{"a": hidden},
	} {
		for way, text := range ways(t, value) {
			if found, leaks := holdsAny([]byte(text), hidden, encoded, strings.ToUpper(encoded), "aHVudGVyMi"); leaks {
				t.Errorf("%s by %s: want it redacted, got %q in %q", name, way, found, text)
			}
		}
	}
	for way, text := range ways(t, params.Secret(hidden)) {
		if !strings.Contains(text, "[redacted]") {
			t.Errorf("%s: want [redacted], got %q", way, text)
		}
	}
	markup, err := xml.Marshal(params.Grant{Code: hidden})
	if err != nil || strings.Contains(string(markup), hidden) {
		t.Errorf("XML: want it redacted, got %q, %v", markup, err)
	}
	if got := params.Secret(hidden).Reveal(); got != hidden {
		t.Errorf("Reveal: want the text, got %q", got)
	}
	if text, err := params.SecretBytes(hidden).MarshalText(); err != nil || string(text) != "[redacted]" {
		t.Errorf("MarshalText: want [redacted], got %q, %v", text, err)
	}
	for _, redacted := range []string{params.Secret(hidden).GoString(), params.SecretBytes(hidden).GoString(), params.Secret(hidden).String(), params.SecretBytes(hidden).String()} {
		if redacted != "[redacted]" {
			t.Errorf("want [redacted], got %q", redacted)
		}
	}
}

func TestTheKeyOfACertificateIsNeverShown(t *testing.T) {
	keys := testKeys()
	instance := decode(t, withCertificate(keys.thumbprint, keys.pkcs8))
	exponent, prime := keys.key.D.String(), keys.key.Primes[0].String()
	for way, text := range ways(t, instance) {
		if found, leaks := holdsAny([]byte(text), exponent, prime); leaks {
			t.Errorf("%s: want the key left out, got %q", way, found)
		}
	}
	for _, value := range []any{instance.Certificate, *instance.Certificate} {
		if encoded, err := json.Marshal(value); err != nil || string(encoded) != `"[redacted]"` {
			t.Errorf("want the JSON of a certificate redacted, got %.80s, %v", encoded, err)
		}
	}
}

func TestProblemsHoldNoSecret(t *testing.T) {
	keys := testKeys()
	body := strings.Split(keys.pkcs8, "\n")[3]
	for name, config := range map[string]fields{
		"Cortex XSOAR application": {"_auth_id": "id@http://u:" + hidden + "@x", "_tenant_id": []string{hidden}, "credentials": password(hidden)},
		"secret in a wrong place":  {"self_deployed": true, "_auth_id": "", "_tenant_id": hidden, "credentials": fields{"identifier": hidden}, "endpoint_type": hidden, "hunting_api": hidden, "max_fetch": hidden, "look_back": hidden, "first_fetch_timestamp": hidden, "url": "https://u:" + hidden + "@x", "token_scope": hidden + " " + hidden, "fetch_status": hidden, "proxy": hidden},
		"certificate":              withCertificate(hidden, strings.Replace(keys.pkcs8, "-----END", "!-----END", 1)),
		"cut key":                  withCertificate(keys.thumbprint, keys.pkcs8[:300]),
		"login":                    userLogin().with(fields{"auth_code": password("https://localhost/?kode=" + hidden), "redirect_uri": hidden}),
		"login with a wrong kind":  userLogin().with(fields{"auth_code": hidden, "auth_type": hidden}),
	} {
		_, problems := decodeWith(t, config, func(string) string { return hidden })
		if len(problems) == 0 {
			t.Errorf("%s: want problems", name)
		}
		text := (&params.Problems{List: problems}).Error()
		if found, leaks := holdsAny([]byte(text), hidden, body); leaks {
			t.Errorf("%s: want no secret in the problems, got %q in %q", name, found, text)
		}
	}
}
