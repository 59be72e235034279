// The compiled reference: what the same work costs in hand-written Go with minimal checks, so that
// our figures have a ratio that holds on any machine.
//
// It is a limit, not a gateway. It has no configuration, metrics, logs, CORS, rates, memory limits or
// orderly end. The edge trusts that what is between the brackets is JSON, knows one write key, and
// stores no header. Of each dialect it knows the requests of the benchmark and what is like them:
// of Segment's, track and identify calls, without a batch's own context, sessions, orders and wrong
// clocks; whatever has another form is refused or left out. What it does know it stores as our edge
// does, with insert_id, time and address. The delivery sends bytes as they are, without gzip, reads
// nothing of an answer but its status, tries nothing again, has no dead letters and holds back no
// user: whatever goes wrong ends the process.
package main

import (
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

const usage = `usage:
  reference edge      BOOTSTRAP_SERVERS TOPIC_PREFIX PORT KEY [CERTIFICATE_FILE KEY_FILE]
  reference amplitude BOOTSTRAP_SERVERS TOPIC PORT KEY GROUP SINK_URL
  reference aampe     BOOTSTRAP_SERVERS TOPIC PORT KEY GROUP SINK_URL
  reference load      PORT CONNECTIONS REQUESTS RATE kept|fresh|tls|fresh-tls`

func main() {
	switch words := os.Args[1:]; {
	case (len(words) == 5 || len(words) == 7) && words[0] == "edge":
		log.Fatal(serve(words[1], words[2], words[3], words[4], words[5:]...))
	case len(words) == 6 && words[0] == "load":
		if err := generate(words[1], words[2], words[3], words[4], words[5]); err != nil {
			log.Fatal(err)
		}
	case len(words) == 7 && words[0] == "amplitude":
		log.Fatal(newDelivery(words[1:]).run((*delivery).toAmplitude))
	case len(words) == 7 && words[0] == "aampe":
		log.Fatal(newDelivery(words[1:]).run((*delivery).toAampe))
	default:
		fmt.Fprintln(os.Stderr, usage)
		os.Exit(2)
	}
}

func newClient(bootstrapServers string, options ...kgo.Opt) *kgo.Client {
	seeds := kgo.SeedBrokers(strings.Split(bootstrapServers, ",")...)
	client, err := kgo.NewClient(append(options, seeds)...)
	if err != nil {
		log.Fatal(err)
	}
	return client
}
