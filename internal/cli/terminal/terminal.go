// Package terminal changes how the terminal behind a file behaves.
package terminal
