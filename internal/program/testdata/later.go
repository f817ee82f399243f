package main

import (
	"cmp"
	"os"
	"strconv"
	"time"
)

// clockOfTheTest returns the clock of a program under test: it stands still at TEST_NOW, or else is ahead by TEST_AHEAD.
func clockOfTheTest() func() time.Time {
	if still, err := time.Parse(time.RFC3339, os.Getenv("TEST_NOW")); err == nil {
		return func() time.Time { return still }
	}
	ahead, err := time.ParseDuration(cmp.Or(os.Getenv("TEST_AHEAD"), "0s"))
	if err != nil {
		panic(err)
	}
	return func() time.Time { return time.Now().Add(ahead) }
}

// widthOfTheTest returns the width of the terminal, TEST_WIDTH, or 0 if there is none.
func widthOfTheTest() int {
	width, err := strconv.Atoi(cmp.Or(os.Getenv("TEST_WIDTH"), "0"))
	if err != nil {
		panic(err)
	}
	return width
}
