package simulator

import (
	"testing"

	"github.com/tidwall/gjson"
)

// TestTimesOfTheDataAreInOrder holds for everything that is made up: nothing ends before it begins, or happens in the future.
func TestTimesOfTheDataAreInOrder(t *testing.T) {
	w := newWorld(t)
	inOrder := func(things []gjson.Result, keys ...string) {
		t.Helper()
		if len(things) == 0 {
			t.Errorf("got nothing with %v, want some", keys)
		}
		for _, thing := range things {
			var before gjson.Result
			for _, key := range keys {
				at := thing.Get(key)
				if at.Type == gjson.Null { // it has not ended
					continue
				}
				if at.Time().Before(before.Time()) || at.Time().After(w.Now()) {
					t.Errorf("got %s at %s, want it from %s to %s: %s", key, at, before, w.Now(), thing)
				}
				before = at
			}
		}
	}
	listed := func(path string) []gjson.Result {
		t.Helper()
		return w.list(path).get("value").Array()
	}
	inOrder(listed("/api/machines"), "firstSeen", "lastSeen")
	inOrder(listed("/api/alerts"), "firstEventTime", "lastEventTime", "alertCreationTime", "lastUpdateTime")
	inOrder(listed("/api/vulnerabilities"), "publishedOn", "firstDetected")
	inOrder(listed("/api/vulnerabilities"), "publishedOn", "updatedOn")
	inOrder(listed("/api/investigations"), "startTime", "endTime")
	inOrder(listed("/api/machineactions"), "creationDateTimeUtc", "lastUpdateDateTimeUtc")
	inOrder(listed("/v1.0/security/incidents"), "createdDateTime", "lastUpdateDateTime")
	for _, file := range w.company.files {
		inOrder([]gjson.Result{gjson.Parse(w.get("/api/files/" + file.SHA1).body)}, "globalFirstObserved", "globalLastObserved")
	}
}
