package commands_test

import (
	"os"
	"runtime/debug"
	"testing"
)

// TestMain collects garbage less often. The tests start some 1,600 tenants one after another, each of which is soon
// forgotten: with the usual setting a quarter of their time is spent looking for what is left of them.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	os.Exit(m.Run())
}
