package auth

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func sealed(t testing.TB, s sealer, plain, place string) string {
	t.Helper()
	text, err := s.seal([]byte(plain), place)
	if err != nil {
		t.Fatalf("seal() = %v, want a seal", err)
	}
	return text
}

func TestASealOpensWithItsSecretAtItsPlaceOnly(t *testing.T) {
	own := sealer{secret: []byte("the secret"), random: rand.Reader}
	seal := sealed(t, own, "the token", "access:1")
	raw, err := base64.RawStdEncoding.DecodeString(strings.TrimPrefix(seal, "v1."))
	if err != nil {
		t.Fatal(err)
	}
	changed := func(at int) string {
		copied := bytes.Clone(raw)
		copied[at] ^= 1
		return "v1." + base64.RawStdEncoding.EncodeToString(copied)
	}
	for _, test := range []struct {
		name  string
		with  sealer
		seal  string
		place string
		want  error
	}{
		{"as it is", own, seal, "access:1", nil},
		{"another secret", sealer{secret: []byte("another")}, seal, "access:1", errSealBroken},
		{"another place", own, seal, "access:2", errSealBroken},
		{"salt changed", own, changed(0), "access:1", errSealBroken},
		{"nonce changed", own, changed(saltSize), "access:1", errSealBroken},
		{"text changed", own, changed(saltSize + 12), "access:1", errSealBroken},
		{"tag changed", own, changed(len(raw) - 1), "access:1", errSealBroken},
		{"cut in the text", own, seal[:len(seal)-4], "access:1", errSealBroken},
		{"cut in the nonce", own, "v1." + base64.RawStdEncoding.EncodeToString(raw[:saltSize+4]), "access:1", errSealBroken},
		{"cut in the salt", own, "v1." + base64.RawStdEncoding.EncodeToString(raw[:4]), "access:1", errSealBroken},
		{"no base64", own, "v1.!", "access:1", errSealBroken},
		{"an earlier version", own, "v0" + seal[2:], "access:1", errSealVersion},
		{"a later version", own, "v2" + seal[2:], "access:1", errSealVersion},
		{"no version", own, seal[3:], "access:1", errSealVersion},
		{"nothing", own, "", "access:1", errSealVersion},
	} {
		t.Run(test.name, func(t *testing.T) {
			plain, err := test.with.open(test.seal, test.place)
			if !errors.Is(err, test.want) {
				t.Errorf("open() = %v, want %v", err, test.want)
			}
			if opened := string(plain) == "the token"; opened != (test.want == nil) {
				t.Errorf("open() gave %q", plain)
			}
		})
	}
}

func TestNoTwoSealsAreAlike(t *testing.T) {
	own := sealer{secret: []byte("the secret"), random: rand.Reader}
	first := sealed(t, own, "a", "b")
	if again := sealed(t, own, "a", "b"); again == first {
		t.Error("the same text was sealed twice to the same seal")
	}
}

func TestSealingNeedsRandomness(t *testing.T) {
	for _, available := range []int64{0, saltSize, saltSize + 11} {
		random := io.MultiReader(io.LimitReader(rand.Reader, available), iotest.ErrReader(errors.New("no more")))
		if _, err := (sealer{secret: []byte("s"), random: random}).seal(nil, ""); err == nil {
			t.Errorf("seal() with %d random bytes = nil, want an error", available)
		}
	}
}

func FuzzOpenSeal(f *testing.F) {
	// Fuzzing runs in several processes, which must all know the same seal.
	own := sealer{secret: []byte("the secret"), random: strings.NewReader(strings.Repeat("random", 100))}
	good := sealed(f, own, "plain", "place")
	f.Add(good, "place")
	f.Add(good[:20], "place")
	f.Add("v1.", "")
	f.Add("v2."+good[3:], "place")
	f.Fuzz(func(t *testing.T, text, place string) {
		plain, err := own.open(text, place)
		switch {
		case err == nil && (place != "place" || string(plain) != "plain"):
			t.Errorf("open(%q, %q) = %q, want an error for what was never sealed", text, place, plain)
		case err != nil && !errors.Is(err, errSealBroken) && !errors.Is(err, errSealVersion):
			t.Errorf("open(%q, %q) = %v, want one of the two errors", text, place, err)
		}
	})
}
