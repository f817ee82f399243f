package params_test

import (
	"bytes"
	"strings"
	"testing"

	"xsoar-defender/params"
)

func withCertificate(thumbprint, key string) fields {
	return ownApplication().with(fields{"credentials": nil, "creds_certificate": fields{"identifier": thumbprint, "password": key}})
}

func TestCertificate(t *testing.T) {
	keys := testKeys()
	spaces := func(text string) string { return strings.ReplaceAll(strings.TrimSpace(text), "\n", " ") }
	var colons []string
	for i := 0; i < len(keys.thumbprint); i += 2 {
		colons = append(colons, strings.ToLower(keys.thumbprint[i:i+2]))
	}
	for _, test := range []struct {
		name, thumbprint, pem string
		wantThumbprint        string
		wantChain             int
	}{
		{"PKCS #1", keys.thumbprint, keys.pkcs1, keys.thumbprint, 0},
		{"PKCS #8", keys.thumbprint, keys.pkcs8, keys.thumbprint, 0},
		{"lower case and colons", strings.Join(colons, ":"), keys.pkcs8, keys.thumbprint, 0},
		{"as Windows shows it", "\u200e" + strings.Join(colons, " "), keys.pkcs8, keys.thumbprint, 0},
		{"spaces for newlines", keys.thumbprint, spaces(keys.pkcs1), keys.thumbprint, 0},
		{"nothing for newlines", keys.thumbprint, strings.ReplaceAll(keys.pkcs8, "\n", ""), keys.thumbprint, 0},
		{"carriage returns", keys.thumbprint, strings.ReplaceAll(keys.pkcs8, "\n", "\r\n"), keys.thumbprint, 0},
		{`\n for newlines`, keys.thumbprint, strings.ReplaceAll(keys.pkcs8, "\n", `\n`), keys.thumbprint, 0},
		{"a wrong label", keys.thumbprint, strings.ReplaceAll(keys.pkcs8, "PRIVATE", "RSA PRIVATE"), keys.thumbprint, 0},
		{"text around the key", keys.thumbprint, "Bag Attributes\n  localKeyID: 01\n" + keys.pkcs8 + "end\n", keys.thumbprint, 0},
		{"a block of another kind", keys.thumbprint, "-----BEGIN DH PARAMETERS-----\nMAA=\n-----END DH PARAMETERS-----\n" + keys.pkcs8, keys.thumbprint, 0},
		{"with its certificate", "", keys.pkcs8 + keys.certificate, "", 1},
		{"with its certificate and spaces", "", spaces(keys.certificate + keys.pkcs1), "", 1},
		{"with its certificate and the thumbprint", keys.thumbprint, keys.certificate + keys.pkcs8, keys.thumbprint, 1},
		{"with the chain in any order", "", keys.other + keys.pkcs8 + keys.certificate, "", 2},
		{"with the renewed certificate, told by the thumbprint", keys.renewedThumbprint, keys.pkcs8 + keys.certificate + keys.other + keys.renewed, keys.renewedThumbprint, 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := decode(t, withCertificate(test.thumbprint, test.pem))
			if got.Mode != params.ClientCertificate || got.Certificate == nil || !got.Certificate.Key.Equal(keys.key) {
				t.Fatalf("want the certificate mode with the key, got %v %+v", got.Mode, got.Certificate)
			}
			if want := thumbprintOf(t, test.wantThumbprint); !bytes.Equal(got.Certificate.Thumbprint, want) {
				t.Errorf("want thumbprint %x, got %x", want, got.Certificate.Thumbprint)
			}
			if test.wantThumbprint == "" && got.Certificate.Thumbprint != nil {
				t.Errorf("want a nil thumbprint, got %x", got.Certificate.Thumbprint)
			}
			chain := got.Certificate.Chain
			if len(chain) != test.wantChain {
				t.Fatalf("want a chain of %d, got %d", test.wantChain, len(chain))
			}
			if len(chain) == 0 {
				return
			}
			if !keys.key.PublicKey.Equal(chain[0].PublicKey) {
				t.Error("want the key's own certificate first")
			}
			if test.thumbprint == keys.renewedThumbprint && chain[0].SerialNumber.Int64() != 2 {
				t.Errorf("want the renewed certificate first, got number %v", chain[0].SerialNumber)
			}
		})
	}
}

func TestCertificateProblems(t *testing.T) {
	const thumbprint, privateKey = "Certificate Thumbprint", "Private Key"
	keys := testKeys()
	cut := keys.pkcs8[:len(keys.pkcs8)/2]
	for _, test := range []struct {
		name, thumbprint, pem string
		want                  string
		fix                   string
	}{
		{"a thumbprint without a key", keys.thumbprint, "", privateKey, "belongs to the thumbprint"},
		{"a key without a thumbprint", "", keys.pkcs8, thumbprint, "add the certificate"},
		{"39 digits", keys.thumbprint[1:], keys.pkcs8, thumbprint, "40 hexadecimal"},
		{"letters that are not digits", "Z" + keys.thumbprint[1:], keys.pkcs8, thumbprint, "40 hexadecimal"},
		{"a SHA-256 thumbprint", keys.thumbprint + keys.thumbprint[:24], keys.pkcs8, thumbprint, "40 hexadecimal"},
		{"a bad thumbprint and no key", "12", "", thumbprint + "|" + privateKey, "40 hexadecimal"},
		{"no PEM", keys.thumbprint, "s3cret", privateKey, "BEGIN"},
		{"a cut key", keys.thumbprint, cut, privateKey, "all of its lines"},
		{"a cut certificate", keys.thumbprint, keys.pkcs8 + keys.certificate[:100], privateKey, "all of its lines"},
		{"a certificate only", keys.thumbprint, keys.certificate, privateKey, "all of its lines"},
		{"a damaged key", keys.thumbprint, strings.Replace(keys.pkcs8, "M", "!", 1), privateKey, "damaged"},
		{"a key of random bytes", keys.thumbprint, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", privateKey, "damaged"},
		{"a key beyond any length", keys.thumbprint, "-----BEGIN PRIVATE KEY-----\n" + strings.Repeat("AAAA", 8<<10) + "\n-----END PRIVATE KEY-----", privateKey, "damaged"},
		{"a damaged certificate", "", keys.pkcs8 + strings.Replace(keys.certificate, "M", "!", 1), privateKey, "certificate again next to"},
		{"a certificate of random bytes", "", keys.pkcs8 + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", privateKey, "certificate again next to"},
		{"an encrypted key", keys.thumbprint, keys.encrypted, privateKey, "passphrase"},
		{"an encrypted PKCS #8 key", keys.thumbprint, strings.ReplaceAll(keys.pkcs8, "PRIVATE", "ENCRYPTED PRIVATE"), privateKey, "passphrase"},
		{"an elliptic key", keys.thumbprint, keys.ecKey, privateKey, "RSA"},
		{"an elliptic key in its own form", keys.thumbprint, keys.ecSEC1, privateKey, "RSA"},
		{"a short key", keys.thumbprint, keys.shortKey, privateKey, "too short"},
		{"a certificate of another key", keys.thumbprint, keys.pkcs8 + keys.other, privateKey, "belongs to it"},
		{"a thumbprint of another certificate", keys.renewedThumbprint, keys.pkcs8 + keys.certificate, thumbprint, "another certificate"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, problems := decodeWith(t, withCertificate(test.thumbprint, test.pem), noEnvironment)
			if fieldsOf(problems) != test.want {
				t.Fatalf("want problems of %q, got %v", test.want, problems)
			}
			if !strings.Contains(problems[0].Fix, test.fix) {
				t.Errorf("want a fix that speaks of %q, got %q", test.fix, problems[0].Fix)
			}
		})
	}
}

func TestACertificateThatIsRefusedDoesNotFallBackToTheSecret(t *testing.T) {
	_, problems := decodeWith(t, withCertificate(testKeys().thumbprint, "").with(fields{"credentials": password("s3cret")}), noEnvironment)
	if fieldsOf(problems) != "Private Key" {
		t.Errorf("want a problem of the private key, got %v", problems)
	}
}

func FuzzPEM(f *testing.F) {
	keys := testKeys()
	f.Add(keys.thumbprint, keys.pkcs8)
	f.Add("", keys.pkcs1+keys.certificate)
	f.Add("", keys.other+keys.pkcs8)
	f.Add("aa:bb", keys.encrypted)
	f.Add("", keys.ecKey)
	f.Add("", keys.shortKey)
	f.Add("", "-----BEGIN -----BEGIN PRIVATE KEY----------END -----")
	f.Add("", "-----BEGIN PRIVATE KEY----- AA== -----END PRIVATE KEY-----")
	f.Fuzz(func(t *testing.T, thumbprint, text string) {
		instance, problems := decodeWith(t, withCertificate(thumbprint, text), noEnvironment)
		if len(problems) > 0 || instance.Mode != params.ClientCertificate {
			return
		}
		certificate := instance.Certificate
		if certificate.Key == nil || certificate.Thumbprint == nil && certificate.Chain == nil {
			t.Fatalf("want a key and what names its certificate, got %+v", certificate)
		}
		if certificate.Thumbprint != nil && len(certificate.Thumbprint) != 20 {
			t.Errorf("want 20 bytes of thumbprint, got %d", len(certificate.Thumbprint))
		}
		if certificate.Chain != nil && !certificate.Key.PublicKey.Equal(certificate.Chain[0].PublicKey) {
			t.Error("want the key's own certificate first")
		}
	})
}
