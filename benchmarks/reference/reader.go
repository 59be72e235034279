package main

import (
	"bytes"
	"errors"
)

var errSyntax = errors.New("not JSON")

// A reader goes through JSON once, from left to right. It knows strings and nesting; numbers and
// words it takes as they are.
type reader struct {
	body []byte
	at   int
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

// ifObject is as object, and skips any other value.
func (r *reader) ifObject(visit func(name []byte) error) error {
	if r.peek() == '{' {
		return r.object(visit)
	}
	_, err := r.value()
	return err
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
