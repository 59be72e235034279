package main

import (
	"encoding/hex"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// A batch is what a request stores. A value that lacks nothing stays a part of the body; what is
// written here is a part of out, where nothing changes once it is there.
type batch struct {
	topic   string
	records []*kgo.Record
	out     []byte
	remote  []byte // The sender's address, as JSON.
	now     int64  // In milliseconds.
}

// A value is a JSON object as it came, and what is to be added.
type value struct {
	raw, key []byte
	remote   int // Where "$remote" is in it, or 0.
	lacks
}

// What a record has, and a value may lack.
type lacks struct{ insertID, time, ip bool }

const remoteIP = `"$remote"`

var batches = sync.Pool{New: func() any { return new(batch) }}

func newBatch(topic string, request *http.Request) *batch {
	b := batches.Get().(*batch)
	b.topic = topic
	remote, _, _ := net.SplitHostPort(request.RemoteAddr)
	b.remote = strconv.AppendQuote(b.remote[:0], remote)
	b.now = time.Now().UnixMilli()
	return b
}

// release is for when Kafka has all of it: its memory is used again.
func (b *batch) release() {
	clear(b.records)
	b.records, b.out = b.records[:0], b.out[:0]
	batches.Put(b)
}

func (b *batch) add(key, value []byte) *kgo.Record {
	record := &kgo.Record{Topic: b.topic, Key: key, Value: value}
	b.records = append(b.records, record)
	return record
}

// complete adds a value with all that it lacks.
func (b *batch) complete(v value) {
	if v.lacks == (lacks{}) && v.remote == 0 {
		b.add(v.key, v.raw)
		return
	}
	from := len(b.out)
	rest := v.raw[:len(v.raw)-1]
	if v.remote > 0 {
		b.out = append(b.out, rest[:v.remote]...)
		b.out = append(b.out, b.remote...)
		rest = rest[v.remote+len(remoteIP):]
	}
	b.out = append(b.out, rest...)
	b.fill(v.lacks)
	b.end(from, v.key)
}

// fill writes what is not there, behind other members.
func (b *batch) fill(l lacks) {
	if l.insertID {
		b.out = appendUUID(member(b.out, "insert_id", nil))
	}
	if l.time {
		b.out = strconv.AppendInt(member(b.out, "time", nil), b.now, 10)
	}
	if l.ip {
		b.out = member(b.out, "ip", b.remote)
	}
}

// member appends one behind others; of none, only its name.
func member[Name string | []byte](out []byte, name Name, value []byte) []byte {
	out = append(out, `,"`...)
	out = append(out, name...)
	out = append(out, `":`...)
	return append(out, value...)
}

// end adds the object whose members were written from there on.
func (b *batch) end(from int, key []byte) *kgo.Record {
	b.out[from] = '{' // Instead of the first comma.
	b.out = append(b.out, '}')
	return b.add(key, b.out[from:len(b.out):len(b.out)])
}

// appendUUID writes one of version 4, as JSON.
func appendUUID(out []byte) []byte {
	high, low := rand.Uint64(), rand.Uint64()
	var id [16]byte
	for number := range 8 {
		id[number], id[8+number] = byte(high>>(8*number)), byte(low>>(8*number))
	}
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	between, from := byte('"'), 0
	for _, to := range [...]int{4, 6, 8, 10, 16} {
		out = hex.AppendEncode(append(out, between), id[from:to])
		between, from = '-', to
	}
	return append(out, '"')
}
