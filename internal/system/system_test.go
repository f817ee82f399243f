package system_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"xsoar-defender/internal/system"
)

func TestSleepWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		if err := system.Sleep(t.Context(), time.Hour); err != nil || time.Since(begin) != time.Hour {
			t.Errorf("got %v after %s, want nothing after an hour", err, time.Since(begin))
		}
	})
}

func TestSleepEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin, cause := time.Now(), errors.New("the cause")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Minute, func() { cancel(cause) })
		if err := system.Sleep(ctx, time.Hour); !errors.Is(err, cause) || time.Since(begin) != time.Minute {
			t.Errorf("got %v after %s, want %v after a minute", err, time.Since(begin), cause)
		}
	})
}
