package main

import (
	"bytes"
	"errors"
)

// An event of a batch: its bytes as they came, and the key of its record.
type event struct{ raw, key []byte }

var (
	errSyntax    = errors.New("not JSON")
	errEvent     = errors.New("an event needs event_type, and user_id or device_id")
	errKey       = errors.New("wrong api_key")
	apiKeyName   = []byte("api_key")
	eventsName   = []byte("events")
	typeName     = []byte("event_type")
	userIDName   = []byte("user_id")
	deviceIDName = []byte("device_id")
)

// split reads {"api_key":…,"events":[…]} once, from left to right. It knows strings and nesting;
// numbers and words it takes as they are.
func split(body []byte, writeKey string) ([]event, error) {
	r := &reader{body: body}
	var events []event
	authorized := false
	err := r.object(func(name []byte) error {
		if bytes.Equal(name, eventsName) {
			return r.array(func() error {
				one, err := r.event()
				events = append(events, one)
				return err
			})
		}
		value, err := r.value()
		if bytes.Equal(name, apiKeyName) {
			authorized = string(text(value)) == writeKey
		}
		return err
	})
	if err == nil && !authorized {
		err = errKey
	}
	return events, err
}

// text is what a string holds, escapes as they are; nil for any other value.
func text(value []byte) []byte {
	if len(value) < 2 || value[0] != '"' {
		return nil
	}
	return value[1 : len(value)-1]
}

type reader struct {
	body []byte
	at   int
}

func (r *reader) event() (event, error) {
	r.peek()
	from := r.at
	var kind, user, device []byte
	err := r.object(func(name []byte) error {
		value, err := r.value()
		switch {
		case bytes.Equal(name, typeName):
			kind = text(value)
		case bytes.Equal(name, userIDName):
			user = text(value)
		case bytes.Equal(name, deviceIDName):
			device = text(value)
		}
		return err
	})
	if len(user) == 0 {
		user = device
	}
	if err == nil && (len(kind) == 0 || len(user) == 0) {
		err = errEvent
	}
	return event{raw: r.body[from:r.at], key: user}, err
}

// object calls visit after each name and its colon; visit reads the value.
func (r *reader) object(visit func(name []byte) error) error {
	return r.list('{', '}', func() error {
		if r.peek() != '"' {
			return errSyntax
		}
		name, err := r.value()
		if err != nil || r.peek() != ':' {
			return errSyntax
		}
		r.at++
		return visit(text(name))
	})
}

// array calls visit before each value; visit reads it.
func (r *reader) array(visit func() error) error {
	return r.list('[', ']', visit)
}

func (r *reader) list(opening, closing byte, visit func() error) error {
	if r.peek() != opening {
		return errSyntax
	}
	r.at++
	if r.peek() == closing {
		r.at++
		return nil
	}
	for {
		if err := visit(); err != nil {
			return err
		}
		end := r.peek()
		r.at++
		switch end {
		case ',':
		case closing:
			return nil
		default:
			return errSyntax
		}
	}
}

// value skips one value of any kind and returns its bytes.
func (r *reader) value() ([]byte, error) {
	r.peek()
	from := r.at
	depth := 0
	for r.at < len(r.body) {
		switch r.body[r.at] {
		case '"':
			if !r.skipString() {
				return nil, errSyntax
			}
			if depth == 0 {
				return r.body[from:r.at], nil
			}
		case '{', '[':
			depth++
			r.at++
		case '}', ']':
			if depth == 0 {
				return r.body[from:r.at], nil
			}
			depth--
			r.at++
			if depth == 0 {
				return r.body[from:r.at], nil
			}
		case ',':
			if depth == 0 {
				return r.body[from:r.at], nil
			}
			r.at++
		default:
			r.at++
		}
	}
	return nil, errSyntax
}

// skipString goes from the opening quote past the closing one, if there is one.
func (r *reader) skipString() bool {
	for r.at++; r.at < len(r.body); r.at++ {
		found := bytes.IndexByte(r.body[r.at:], '"')
		if found < 0 {
			return false
		}
		r.at += found
		backslashes := 0
		for r.body[r.at-1-backslashes] == '\\' {
			backslashes++
		}
		if backslashes%2 == 0 {
			r.at++
			return true
		}
	}
	return false
}

// peek skips white space and returns what comes, or 0 at the end.
func (r *reader) peek() byte {
	for ; r.at < len(r.body); r.at++ {
		switch r.body[r.at] {
		case ' ', '\t', '\r', '\n':
		default:
			return r.body[r.at]
		}
	}
	return 0
}
