package main

import "net/http"

// httpAPI reads {"api_key":…,"events":[…]}.
func httpAPI(b *batch, _ *http.Request, body []byte, writeKey string) error {
	r := &reader{body: body}
	authorized := false
	err := r.object(func(name []byte) error {
		if string(name) == "events" {
			return r.array(func() error { return r.record(b, r.event) })
		}
		value, err := r.value()
		if string(name) == "api_key" {
			authorized = string(text(value)) == writeKey
		}
		return err
	})
	if err == nil && !authorized {
		err = errKey
	}
	return err
}

// native reads one event, or an array of them.
func native(b *batch, request *http.Request, body []byte, writeKey string) error {
	if !hasBearer(request, writeKey) {
		return errKey
	}
	r := &reader{body: body}
	if r.peek() == '{' {
		return r.record(b, r.event)
	}
	return r.array(func() error { return r.record(b, r.event) })
}

// identify reads a form with an identification, or an array of them.
func identify(b *batch, _ *http.Request, body []byte, writeKey string) error {
	fields, err := form(body, "api_key", writeKey)
	if err != nil {
		return err
	}
	r := &reader{body: fields["identification"]}
	if r.peek() == '{' {
		return r.record(b, r.identification)
	}
	return r.array(func() error { return r.record(b, r.identification) })
}

// record adds one as it came, with what it lacks.
func (r *reader) record(b *batch, read func() (value, error)) error {
	v, err := read()
	if err == nil {
		b.complete(v)
	}
	return err
}

func (r *reader) event() (value, error) {
	r.peek()
	from := r.at
	v := value{lacks: lacks{insertID: true, time: true, ip: true}}
	var kind, user, device []byte
	err := r.object(func(name []byte) error {
		given, err := r.value()
		switch string(name) {
		case "event_type":
			kind = text(given)
		case "user_id":
			user = text(given)
		case "device_id":
			device = text(given)
		case "insert_id":
			v.insertID = len(text(given)) == 0
		case "time":
			v.time = isNull(given)
		case "ip":
			v.ip = isNull(given)
			if string(given) == remoteIP {
				v.remote = r.at - len(given) - from
			}
		}
		return err
	})
	v.raw, v.key = r.body[from:r.at], either(user, device)
	if err == nil && (len(kind) == 0 || len(v.key) == 0) {
		err = errRecord
	}
	return v, err
}

func (r *reader) identification() (value, error) {
	r.peek()
	from := r.at
	v := value{lacks: lacks{insertID: true, time: true}}
	var user, device, properties []byte
	err := r.object(func(name []byte) error {
		given, err := r.value()
		switch string(name) {
		case "user_id":
			user = text(given)
		case "device_id":
			device = text(given)
		case "user_properties", "groups":
			properties = given
		case "insert_id":
			v.insertID = len(text(given)) == 0
		case "time":
			v.time = isNull(given)
		}
		return err
	})
	v.raw, v.key = r.body[from:r.at], either(user, device)
	if err == nil && (len(properties) == 0 || len(v.key) == 0) {
		err = errRecord
	}
	return v, err
}
