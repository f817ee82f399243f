package commands

import "flag"

// whole has the long matrices be tried whole, which takes minutes: .ci/run does so. Without it each test tries a sample,
// which is the same in every run: every nth input, each command beginning with another one, so that every input is tried
// with some commands and every command with some inputs.
var whole = flag.Bool("whole", false, "try the long matrices whole, not a fixed sample of each")

// InSample reports whether an input belongs to the sample of one in share.
func InSample(input, share int) bool { return *whole || input%share == 0 }

// SampleOf returns how many inputs of a long row are tried.
func SampleOf(all, sample int) int {
	if *whole {
		return all
	}
	return sample
}
