package platform_test

import (
	"strings"
	"testing"

	"xsoar-defender/platform"
)

func TestAScriptIsToldThatTheImageIsNotForIt(t *testing.T) {
	_, _, _, err := platform.DecodeExecution([]byte(`{"command":"SomeScript","args":{},"integration":false,"script":"return_results(1)"}`))
	if err == nil || !strings.Contains(err.Error(), "no scripts") {
		t.Errorf("got %v, want a sentence about scripts", err)
	}
	if _, _, _, err := platform.DecodeExecution([]byte(`{"command":"endpoint","integration":true}`)); err != nil {
		t.Errorf("got %v, want a command of the integration to run", err)
	}
}
