package platform

import (
	"os"
	"testing"
)

func TestMappingsAreRead(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]struct {
		begin, end uint64
		code       bool
	}{
		"00400000-00a1a000 r-xp 00000000 08:01 1234   /opt/xsoar-defender": {0x400000, 0xa1a000, true},
		"00a1a000-01067000 r--p 0061a000 08:01 1234   /opt/xsoar-defender": {0xa1a000, 0x1067000, false},
		"00400000-00a1a000 rwxp 00000000 08:01 1234   /opt/xsoar-defender": {0x400000, 0xa1a000, false},
		"7ffd1000-7ffd3000 r-xp 00000000 00:00 0      [vdso]":              {0x7ffd1000, 0x7ffd3000, false},
		"": {}, "00400000": {}, "x-y r-xp 0 0 0 /": {}, "00400000-fffffffffffffffff r-xp 0 0 0 /": {},
	} {
		if begin, end, code := readMapping(line); begin != want.begin || end != want.end || code != want.code {
			t.Errorf("%q: got %x to %x, code %v, want %+v", line, begin, end, code, want)
		}
	}
}

// TestTheProgramRunsOnWithoutItsCode is about what would go wrong at once: code that does not come back.
func TestTheProgramRunsOnWithoutItsCode(t *testing.T) {
	for range 3 {
		unmapCode()
		if _, err := os.ReadFile("/proc/self/maps"); err != nil {
			t.Fatal(err)
		}
	}
}
