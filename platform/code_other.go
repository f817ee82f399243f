//go:build !linux

package platform

// unmapCode does nothing: only Linux is asked to.
func unmapCode() {}
