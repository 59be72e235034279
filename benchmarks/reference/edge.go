package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/twmb/franz-go/pkg/kgo"
)

const bodyMax = 20_000_000

// serve answers once Kafka has acknowledged all events of a request.
func serve(bootstrapServers, topic, port, writeKey string) error {
	client := newClient(bootstrapServers,
		kgo.DefaultProduceTopic(topic),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		// As ours; a linger of 1 to 10 ms made no difference to the cost.
		kgo.ProducerBatchCompression(kgo.Lz4Compression()),
		kgo.ProducerLinger(0),
	)
	http.HandleFunc("GET /readyz", func(http.ResponseWriter, *http.Request) {})
	http.HandleFunc("POST /2/httpapi", func(answer http.ResponseWriter, request *http.Request) {
		status := ingest(client, request, writeKey)
		answer.Header().Set("Content-Type", "application/json")
		answer.WriteHeader(status)
		fmt.Fprintf(answer, `{"code":%d}`, status)
	})
	return http.ListenAndServe("127.0.0.1:"+port, nil)
}

func ingest(client *kgo.Client, request *http.Request, writeKey string) int {
	if request.ContentLength < 0 || request.ContentLength > bodyMax {
		return http.StatusRequestEntityTooLarge
	}
	body := make([]byte, request.ContentLength) // Not pooled: the records are slices of it.
	if _, err := io.ReadFull(request.Body, body); err != nil {
		return http.StatusBadRequest
	}
	events, err := split(body, writeKey)
	if errors.Is(err, errKey) {
		return http.StatusUnauthorized
	}
	if err != nil {
		return http.StatusBadRequest
	}
	records := make([]*kgo.Record, len(events))
	for number, one := range events {
		records[number] = &kgo.Record{Key: one.key, Value: one.raw}
	}
	if err := client.ProduceSync(request.Context(), records...).FirstErr(); err != nil {
		return http.StatusServiceUnavailable
	}
	return http.StatusOK
}
