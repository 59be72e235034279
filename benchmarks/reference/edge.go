package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/twmb/franz-go/pkg/kgo"
)

const bodyMax = 20_000_000

var (
	errKey     = errors.New("wrong key")
	errRecord  = errors.New("a record needs a type or properties, and an id")
	errUnknown = errors.New("a form of the dialect that is not known here")
)

// An endpoint of a dialect. read takes a body apart, and adds what is to be stored to a batch.
type endpoint struct {
	path, topic string
	read        func(b *batch, request *http.Request, body []byte, writeKey string) error
	status      int
	answer      string
}

var endpoints = []endpoint{
	{"/2/httpapi", "events", httpAPI, http.StatusOK, `{"code":200}`},
	{"/{$}", "events", former, http.StatusOK, "success"},
	{"/identify", "user-properties", identify, http.StatusOK, "success"},
	{"/v1/events", "events", native, http.StatusAccepted, `{"rejected":[]}`},
	{"/segment/v1/track", "events", segmentTrack, http.StatusOK, `{"success":true}`},
	{"/segment/v1/identify", "events", segmentIdentify, http.StatusOK, `{"success":true}`},
	{"/segment/v1/batch", "events", segmentBatch, http.StatusOK, `{"success":true}`},
	{"/aampe/v1/events", "events", aampe, http.StatusAccepted, "null"},
}

// serve answers once Kafka has acknowledged all events of a request. It speaks TLS if it gets the
// files of a certificate and its key.
func serve(bootstrapServers, prefix, port, writeKey string, certificate ...string) error {
	client := newClient(bootstrapServers,
		kgo.RequiredAcks(kgo.AllISRAcks()),
		// As ours; a linger of 1 to 10 ms made no difference to the cost.
		kgo.ProducerBatchCompression(kgo.Lz4Compression()),
		kgo.ProducerLinger(0),
	)
	http.HandleFunc("GET /readyz", func(http.ResponseWriter, *http.Request) {})
	for _, one := range endpoints {
		topic := prefix + one.topic
		http.HandleFunc("POST "+one.path, func(answer http.ResponseWriter, request *http.Request) {
			status := one.ingest(client, topic, request, writeKey)
			answer.Header().Set("Content-Type", "application/json")
			answer.WriteHeader(status)
			if status == one.status {
				io.WriteString(answer, one.answer)
			} else {
				fmt.Fprintf(answer, `{"code":%d}`, status)
			}
		})
	}
	address := "127.0.0.1:" + port
	if len(certificate) == 2 {
		return http.ListenAndServeTLS(address, certificate[0], certificate[1], nil)
	}
	return http.ListenAndServe(address, nil)
}

func (e *endpoint) ingest(
	client *kgo.Client, topic string, request *http.Request, writeKey string,
) int {
	body, err := bodyOf(request)
	if err != nil {
		return http.StatusBadRequest
	}
	b := newBatch(topic, request)
	err = e.read(b, request, body, writeKey)
	if errors.Is(err, errKey) {
		return http.StatusUnauthorized
	}
	if err != nil {
		return http.StatusBadRequest
	}
	if err := client.ProduceSync(request.Context(), b.records...).FirstErr(); err != nil {
		return http.StatusServiceUnavailable
	}
	b.release()
	return e.status
}

func hasBearer(request *http.Request, writeKey string) bool {
	return request.Header.Get("Authorization") == "Bearer "+writeKey
}

func hasBasic(request *http.Request, writeKey string) bool {
	expected := base64.StdEncoding.EncodeToString([]byte(writeKey + ":"))
	return request.Header.Get("Authorization") == "Basic "+expected
}
