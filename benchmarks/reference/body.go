package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net/http"
	"sync"

	"github.com/klauspost/compress/gzip"
)

var (
	errLength = errors.New("a body's length is not known, or too large")
	errForm   = errors.New("not a form")
	unzips    = sync.Pool{New: func() any { return new(gzip.Reader) }}
)

// bodyOf is not pooled: the records are slices of it.
func bodyOf(request *http.Request) ([]byte, error) {
	if request.ContentLength < 0 || request.ContentLength > bodyMax {
		return nil, errLength
	}
	body := make([]byte, request.ContentLength)
	if _, err := io.ReadFull(request.Body, body); err != nil {
		return nil, err
	}
	if request.Header.Get("Content-Encoding") == "gzip" {
		return unzipped(body)
	}
	return body, nil
}

// unzipped trusts the length at the end of what gzip wrote, as far as it is not too large.
func unzipped(body []byte) ([]byte, error) {
	unzip := unzips.Get().(*gzip.Reader)
	defer unzips.Put(unzip)
	if err := unzip.Reset(bytes.NewReader(body)); err != nil {
		return nil, err
	}
	length := binary.LittleEndian.Uint32(body[len(body)-4:])
	if length > bodyMax {
		return nil, errLength
	}
	text := make([]byte, length)
	if _, err := io.ReadFull(unzip, text); err != nil {
		return nil, err
	}
	if n, err := unzip.Read(make([]byte, 1)); n > 0 || err != io.EOF { // It checks the sum.
		return nil, errLength
	}
	return text, nil
}

// form decodes the fields of a body where they are; one of them is the write key.
func form(body []byte, keyField, writeKey string) (map[string][]byte, error) {
	fields := make(map[string][]byte, 4)
	for len(body) > 0 {
		pair, rest, _ := bytes.Cut(body, []byte("&"))
		name, value, _ := bytes.Cut(pair, []byte("="))
		decoded, err := unquoted(value)
		if err != nil {
			return nil, err
		}
		fields[string(name)] = decoded
		body = rest
	}
	if string(fields[keyField]) != writeKey {
		return nil, errKey
	}
	return fields, nil
}

// unquoted decodes %22 and + where they are.
func unquoted(text []byte) ([]byte, error) {
	to := 0
	for at := 0; at < len(text); at++ {
		one := text[at]
		switch one {
		case '+':
			one = ' '
		case '%':
			if len(text)-at < len("%22") {
				return nil, errForm
			}
			high, low := hexes[text[at+1]], hexes[text[at+2]]
			if high|low == notHex {
				return nil, errForm
			}
			one = high<<4 | low
			at += 2
		}
		text[to] = one
		to++
	}
	return text[:to], nil
}

const notHex = 0xff

// hexes has the value of each digit.
var hexes = func() (values [256]byte) {
	for digit := range values {
		values[digit] = notHex
	}
	for value, digit := range []byte("0123456789abcdef") {
		values[digit] = byte(value)
	}
	for value, digit := range []byte("ABCDEF") {
		values[digit] = byte(10 + value)
	}
	return values
}()
