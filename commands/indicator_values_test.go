package commands

import (
	"net/netip"
	"strings"
	"testing"
	"unicode"
)

// FuzzIndicatorValue checks that every accepted value of a type has the properties of that type.
func FuzzIndicatorValue(f *testing.F) {
	for _, seed := range []string{
		"fa82831cf379fb53fc353cae3a9c762934bfab29", "45309707b56e597de8c802214540cea4", "198.51.100.3", "2001:db8::7", "fe80::1%eth0",
		"198.51.100.0/24", "bad.example", "bücher.example.", "a..b", "*.bad.example", "https://bad.example/x?a=1&b=2", "//bad.example",
		"https://%zz/", "https://[2001:db8::7]:8443/", "javascript:alert(1)", "", " ", "\x00.example",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		for _, kind := range indicatorKinds() {
			if kind.problem(value) != "" {
				continue
			}
			_, notAddress := netip.ParseAddr(value)
			wrong := map[indicatorType]bool{
				fileIndicator:   hashKindOf(value) == "",
				ipIndicator:     notAddress != nil || strings.ContainsAny(value, "/%"),
				domainIndicator: notAddress == nil || !strings.Contains(value, ".") || strings.ContainsAny(value, "/:*?#"),
				urlIndicator:    !strings.ContainsAny(value, ".:"),
			}[kind.score]
			if wrong || strings.ContainsFunc(value, unicode.IsSpace) || strings.ContainsFunc(value, unicode.IsControl) {
				t.Errorf("%q was taken for a %s", value, kind.name)
			}
		}
	})
}
