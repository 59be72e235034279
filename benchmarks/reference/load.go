package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// A load sends whole requests as they are, over some connections with one request in flight each.
// With a rate, requests fall due at fixed times and latency counts from then.
type load struct {
	port     string
	requests [][]byte
	total    int64
	rate     float64
	fresh    bool // A new connection for each request.
	tls      bool
	next     atomic.Int64
	failures atomic.Int64
	began    time.Time
}

// generate reads the requests from stdin, each behind its length, and prints what it found.
func generate(port, connections, total, rate, way string) error {
	requests, err := readRequests(bufio.NewReaderSize(os.Stdin, 1<<20))
	if err != nil {
		return err
	}
	l := &load{port: port, requests: requests}
	l.fresh = way == "fresh" || way == "fresh-tls"
	l.tls = way == "tls" || way == "fresh-tls"
	if l.total, err = strconv.ParseInt(total, 10, 64); err != nil {
		return err
	}
	if l.rate, err = strconv.ParseFloat(rate, 64); err != nil {
		return err
	}
	count, err := strconv.Atoi(connections)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(l.run(count))
}

func readRequests(input io.Reader) ([][]byte, error) {
	var requests [][]byte
	for {
		var size uint32
		err := binary.Read(input, binary.BigEndian, &size)
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		request := make([]byte, size)
		if _, err := io.ReadFull(input, request); err != nil {
			return nil, err
		}
		requests = append(requests, request)
	}
	if len(requests) == 0 {
		return nil, errors.New("there are no requests")
	}
	return requests, nil
}

type found struct {
	Requests int     `json:"requests"`
	Failures int64   `json:"failures"`
	Seconds  float64 `json:"seconds"`
	Busy     float64 `json:"busy"`
	P99      float64 `json:"p99_ms"`
}

func (l *load) run(connections int) found {
	parts := make([][]time.Duration, connections)
	before := cpu()
	l.began = time.Now()
	var running sync.WaitGroup
	for number := range parts {
		running.Add(1)
		go func() {
			defer running.Done()
			parts[number] = l.client()
		}()
	}
	running.Wait()
	seconds := time.Since(l.began).Seconds()
	latencies := slices.Concat(parts...)
	slices.Sort(latencies)
	result := found{
		Requests: len(latencies),
		Failures: l.failures.Load(),
		Seconds:  seconds,
		Busy:     (cpu() - before).Seconds() / seconds,
	}
	if len(latencies) > 0 {
		result.P99 = latencies[len(latencies)*99/100].Seconds() * 1000
	}
	return result
}

// client returns the latencies of what succeeded.
func (l *load) client() []time.Duration {
	var latencies []time.Duration
	var connection net.Conn
	var answers *bufio.Reader
	for {
		number := l.next.Add(1) - 1
		if number >= l.total {
			break
		}
		due := time.Now()
		if l.rate > 0 {
			due = l.began.Add(time.Duration(float64(number) / l.rate * float64(time.Second)))
			time.Sleep(time.Until(due))
		}
		var err error
		if connection == nil {
			if connection, err = l.connect(); err == nil {
				answers = bufio.NewReader(connection)
			}
		}
		if err == nil {
			err = exchange(connection, answers, l.requests[number%int64(len(l.requests))])
		}
		if err == nil {
			latencies = append(latencies, time.Since(due))
		} else if l.failures.Add(1) == 1 {
			fmt.Fprintln(os.Stderr, err)
		}
		if connection != nil && (err != nil || l.fresh) {
			connection.Close()
			connection = nil
		}
	}
	if connection != nil {
		connection.Close()
	}
	return latencies
}

func (l *load) connect() (net.Conn, error) {
	address := "127.0.0.1:" + l.port
	if l.tls {
		// Who answers is known: it is the server under measurement.
		return tls.Dial("tcp", address, &tls.Config{
			InsecureSkipVerify: true,
			// Go's server would else choose a dearer exchange that OpenSSL 3.0 does not have.
			CurvePreferences: []tls.CurveID{tls.X25519},
		})
	}
	return net.Dial("tcp", address)
}

var (
	lengthName = []byte("content-length:")
	okay       = [][]byte{[]byte("HTTP/1.1 200 "), []byte("HTTP/1.1 202 ")}
)

// exchange sends a request and reads its answer, which has a length.
func exchange(connection net.Conn, answers *bufio.Reader, request []byte) error {
	if _, err := connection.Write(request); err != nil {
		return err
	}
	status, err := answers.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(status, okay[0]) && !bytes.HasPrefix(status, okay[1]) {
		err = fmt.Errorf("answered %q", bytes.TrimSpace(status))
	}
	length := 0
	for {
		line, broken := answers.ReadSlice('\n')
		if broken != nil {
			return broken
		}
		if line = bytes.ToLower(bytes.TrimSpace(line)); len(line) == 0 {
			break
		}
		if value, is := bytes.CutPrefix(line, lengthName); is {
			if length, broken = strconv.Atoi(string(bytes.TrimSpace(value))); broken != nil {
				return broken
			}
		}
	}
	if _, broken := answers.Discard(length); broken != nil {
		return broken
	}
	return err
}

// cpu is what this process has used so far.
func cpu() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
