package params

import (
	"fmt"
	"log/slog"
)

// redacted is shown by every way of printing a Secret.
const redacted = "[redacted]"

// Secret is text that must never be shown: a client secret, a token, a key or a code. Every way of printing, logging or
// encoding it writes "[redacted]"; only Reveal returns the text. Package fmt does not ask the values of unexported struct
// fields how to print themselves, so keep a Secret in an exported field or out of what is printed.
type Secret string

// Reveal returns the text itself, for the request that must carry it.
func (s Secret) Reveal() string { return string(s) }

// String returns "[redacted]".
func (s Secret) String() string { return redacted }

// GoString returns "[redacted]".
func (s Secret) GoString() string { return redacted }

// Format writes "[redacted]" whatever the verb and its flags are.
func (s Secret) Format(state fmt.State, _ rune) { writeRedacted(state) }

// MarshalText returns "[redacted]".
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalJSON returns "[redacted]" as a JSON string.
func (s Secret) MarshalJSON() ([]byte, error) { return redactedJSON(), nil }

// LogValue returns "[redacted]".
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// SecretBytes is a binary Secret: it prints, logs and encodes as "[redacted]", and is used as the []byte that it is.
type SecretBytes []byte

// String returns "[redacted]".
func (s SecretBytes) String() string { return redacted }

// GoString returns "[redacted]".
func (s SecretBytes) GoString() string { return redacted }

// Format writes "[redacted]" whatever the verb and its flags are.
func (s SecretBytes) Format(state fmt.State, _ rune) { writeRedacted(state) }

// MarshalText returns "[redacted]".
func (s SecretBytes) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalJSON returns "[redacted]" as a JSON string.
func (s SecretBytes) MarshalJSON() ([]byte, error) { return redactedJSON(), nil }

// LogValue returns "[redacted]".
func (s SecretBytes) LogValue() slog.Value { return slog.StringValue(redacted) }

func redactedJSON() []byte { return []byte(`"` + redacted + `"`) }

// writeRedacted drops the error: a fmt.State reports those of its writer to the caller of Fprintf itself.
func writeRedacted(state fmt.State) { _, _ = state.Write([]byte(redacted)) }
