package main

import (
	"net/http"
	"strconv"
)

// aampe reads one event, and writes it with Amplitude's names.
func aampe(b *batch, request *http.Request, body []byte, writeKey string) error {
	if !hasBearer(request, writeKey) {
		return errKey
	}
	r := &reader{body: body}
	from := len(b.out)
	lacking := lacks{insertID: true, time: true, ip: true}
	var user, kind []byte
	err := r.object(func(name []byte) error {
		given, err := r.value()
		if err != nil {
			return err
		}
		switch string(name) {
		case "contact_id":
			user = text(given)
			b.out = member(b.out, "user_id", given)
		case "event_name":
			kind = text(given)
			b.out = member(b.out, "event_type", given)
		case "timestamp":
			lacking.time = false
			var moment int64
			if moment, err = milliseconds(given); err == nil {
				b.out = strconv.AppendInt(member(b.out, "time", nil), moment, 10)
			}
		case "event_id":
			if lacking.insertID = len(text(given)) == 0; !lacking.insertID {
				b.out = member(b.out, "insert_id", given)
			}
		case "timezone":
			if len(text(given)) > 0 {
				b.out = member(b.out, "timezone", given)
			}
		case "metadata":
			b.out = member(b.out, "event_properties", given)
		}
		return err
	})
	if err != nil {
		return err
	}
	if len(user) == 0 || len(kind) == 0 || lacking.time {
		return errRecord
	}
	b.fill(lacking)
	b.end(from, user)
	return nil
}
