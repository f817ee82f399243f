package simulator

import (
	"bytes"
	"net/http/httptest"
	"testing"
)

func TestAnswersAreRecordedUpToALimit(t *testing.T) {
	sent := httptest.NewRecorder()
	w := &statusWriter{ResponseWriter: sent, recording: true}
	for _, size := range []int{maxRecorded - 1, 5, 2 * maxRecorded} {
		if n, err := w.Write(bytes.Repeat([]byte("x"), size)); n != size || err != nil {
			t.Fatalf("wrote %d bytes and %v, want %d", n, err, size)
		}
	}
	if len(w.body) != maxRecorded || sent.Body.Len() != 3*maxRecorded+4 {
		t.Errorf("recorded %d bytes of %d, want %d of %d", len(w.body), sent.Body.Len(), maxRecorded, 3*maxRecorded+4)
	}
}
