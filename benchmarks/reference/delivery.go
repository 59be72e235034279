package main

import (
	"bytes"
	"context"
	"fmt"
	"hash/maphash"
	"io"
	"log"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	eventsMax   = 2000 // Of a request to Amplitude.
	connections = 64
)

// A delivery takes from one topic to one sink.
type delivery struct {
	kafka     *kgo.Client
	sink      *http.Client
	url       string
	key       string
	delivered atomic.Int64
}

// newDelivery reads the words of the command in the order of the usage.
func newDelivery(words []string) *delivery {
	d := &delivery{
		kafka: newClient(words[0],
			kgo.ConsumeTopics(words[1]),
			kgo.ConsumerGroup(words[4]),
			kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
			kgo.DisableAutoCommit(),
			kgo.FetchMaxBytes(8_000_000), // As ours, and the next.
			kgo.FetchMaxPartitionBytes(1_000_000),
		),
		sink: &http.Client{Transport: &http.Transport{
			MaxConnsPerHost:     connections,
			MaxIdleConnsPerHost: connections,
			DisableCompression:  true,
		}},
		key: words[3],
		url: words[5],
	}
	go d.tell(words[2])
	return d
}

// tell says what was delivered in the words of our own metrics, so that one program reads both.
func (d *delivery) tell(port string) {
	http.HandleFunc("GET /metrics", func(answer http.ResponseWriter, _ *http.Request) {
		const line = "ampgate_delivery_records_total{outcome=\"delivered\"} %d\n"
		fmt.Fprintf(answer, line, d.delivered.Load())
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:"+port, nil))
}

// run commits what a fetch brought when all of it was answered.
func (d *delivery) run(send func(*delivery, kgo.Fetches)) error {
	for {
		fetches := d.kafka.PollFetches(context.Background())
		if err := fetches.Err(); err != nil {
			return err
		}
		send(d, fetches)
		if err := d.kafka.CommitUncommittedOffsets(context.Background()); err != nil {
			return err
		}
	}
}

// toAmplitude sends partitions side by side, and each one's requests one after the other.
func (d *delivery) toAmplitude(fetches kgo.Fetches) {
	var sending sync.WaitGroup
	fetches.EachPartition(func(partition kgo.FetchTopicPartition) {
		sending.Add(1)
		go func() {
			defer sending.Done()
			records := partition.Records
			for first := 0; first < len(records); first += eventsMax {
				slice := records[first:min(first+eventsMax, len(records))]
				d.post("/batch", d.joined(slice), http.StatusOK)
				d.delivered.Add(int64(len(slice)))
			}
		}()
	})
	sending.Wait()
}

func (d *delivery) joined(records []*kgo.Record) []byte {
	size := 64
	for _, record := range records {
		size += len(record.Value) + 1
	}
	body := fmt.Appendf(make([]byte, 0, size), `{"api_key":%q,"events":[`, d.key)
	for number, record := range records {
		if number > 0 {
			body = append(body, ',')
		}
		body = append(body, record.Value...)
	}
	return append(body, "]}"...)
}

var seed = maphash.MakeSeed()

// toAampe sends each event alone, those of a user one after the other.
func (d *delivery) toAampe(fetches kgo.Fetches) {
	var lanes [connections][]*kgo.Record
	fetches.EachRecord(func(record *kgo.Record) {
		lane := maphash.Bytes(seed, record.Key) % connections
		lanes[lane] = append(lanes[lane], record)
	})
	var sending sync.WaitGroup
	for _, lane := range lanes {
		sending.Add(1)
		go func() {
			defer sending.Done()
			for _, record := range lane {
				d.post("/v1/events", record.Value, http.StatusAccepted)
				d.delivered.Add(1)
			}
		}()
	}
	sending.Wait()
}

func (d *delivery) post(path string, body []byte, expected int) {
	request, err := http.NewRequest(http.MethodPost, d.url+path, bytes.NewReader(body))
	if err != nil {
		log.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+d.key)
	request.Header.Set("Content-Type", "application/json")
	answer, err := d.sink.Do(request)
	if err != nil {
		log.Fatal(err)
	}
	_, err = io.Copy(io.Discard, answer.Body)
	answer.Body.Close()
	if err != nil || answer.StatusCode != expected {
		log.Fatalf("%s: %s %v", path, answer.Status, err)
	}
}
