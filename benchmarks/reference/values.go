package main

import (
	"bytes"
	"math"
	"slices"
	"strconv"
	"time"
)

var quote = []byte(`"`)

// text is what a string holds, escapes as they are; nil for any other value.
func text(value []byte) []byte {
	if len(value) < 2 || value[0] != '"' {
		return nil
	}
	return value[1 : len(value)-1]
}

func isNull(value []byte) bool {
	return len(value) == 0 || value[0] == 'n'
}

// filled is an object with members; nil for any other value.
func filled(value []byte) []byte {
	if len(value) <= len("{}") || value[0] != '{' {
		return nil
	}
	return value
}

// words is a string that is not empty; a number becomes one, and any other value nil.
func words(value []byte) []byte {
	switch {
	case len(value) == 0:
		return nil
	case value[0] == '"':
		if len(value) > len(`""`) {
			return value
		}
	case value[0] == '-' || '0' <= value[0] && value[0] <= '9':
		return slices.Concat(quote, bytes.TrimSpace(value), quote)
	}
	return nil
}

func either(one, other []byte) []byte {
	if len(one) > 0 {
		return one
	}
	return other
}

// milliseconds are of a number, also as text, of seconds or of milliseconds, or of an RFC 3339 text.
func milliseconds(value []byte) (int64, error) {
	given := string(bytes.TrimSpace(bytes.Trim(value, `"`)))
	if number, err := strconv.ParseFloat(given, 64); err == nil {
		if math.Abs(number) <= 100_000_000_000 {
			number *= 1000
		}
		return int64(math.Round(number)), nil
	}
	moment, err := time.Parse(time.RFC3339, given)
	return moment.UnixMilli(), err
}
