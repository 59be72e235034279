package main

import "net/http"

// What the HTTP API names differently.
var (
	insertIDName = []byte("insert_id")
	timeName     = []byte("time")
	versionName  = []byte("app_version")
	formerIDs    = map[string]string{
		"androidADID":        "adid",
		"android_app_set_id": "android_app_set_id",
		"ios_idfa":           "idfa",
		"ios_idfv":           "idfv",
	}
)

// former reads a form with events of Amplitude's older SDKs.
func former(b *batch, _ *http.Request, body []byte, writeKey string) error {
	fields, err := form(body, "client", writeKey)
	if err != nil {
		return err
	}
	r := &reader{body: fields["e"]}
	return r.array(func() error { return r.formerEvent(b) })
}

// formerEvent writes an event with the names of the HTTP API.
func (r *reader) formerEvent(b *batch) error {
	from := len(b.out)
	lacking := lacks{insertID: true, time: true, ip: true}
	keepsIP := true
	var kind, user, device []byte
	err := r.object(func(name []byte) (err error) {
		switch string(name) {
		case "library":
			return r.formerLibrary(b)
		case "api_properties":
			keepsIP, err = r.formerProperties(b)
			return err
		}
		given, err := r.value()
		switch string(name) {
		case "sequence_number":
			return err
		case "event_type":
			kind = text(given)
		case "user_id":
			user = text(given)
		case "device_id":
			device = text(given)
		case "uuid", "insert_id":
			name, lacking.insertID = insertIDName, len(text(given)) == 0
		case "timestamp", "time":
			name, lacking.time = timeName, isNull(given)
		case "version_name":
			name = versionName
		case "ip":
			if lacking.ip = isNull(given) || string(given) == remoteIP; lacking.ip {
				return err
			}
		}
		b.out = member(b.out, name, given)
		return err
	})
	if err != nil {
		return err
	}
	key := either(user, device)
	if len(kind) == 0 || len(key) == 0 {
		return errRecord
	}
	lacking.ip = lacking.ip && keepsIP
	b.fill(lacking)
	b.end(from, key)
	return nil
}

// formerLibrary writes {"name":…,"version":…} as one text, and nothing of what is no object.
func (r *reader) formerLibrary(b *batch) error {
	var library, version []byte
	err := r.ifObject(func(name []byte) error {
		given, err := r.value()
		switch string(name) {
		case "name":
			library = text(given)
		case "version":
			version = text(given)
		}
		return err
	})
	if len(library)+len(version) > 0 {
		b.out = append(member(b.out, "library", quote), library...)
		if len(library) > 0 && len(version) > 0 {
			b.out = append(b.out, '/')
		}
		b.out = append(append(b.out, version...), '"')
	}
	return err
}

// formerProperties writes ids and coordinates, and tells whether the app lets us keep its address.
func (r *reader) formerProperties(b *batch) (keepsIP bool, err error) {
	keepsIP = true
	err = r.ifObject(func(name []byte) error {
		switch string(name) {
		case "location":
			return r.ifObject(func(name []byte) error {
				given, err := r.value()
				switch string(name) {
				case "lat":
					b.out = member(b.out, "location_lat", given)
				case "lng":
					b.out = member(b.out, "location_lng", given)
				}
				return err
			})
		case "tracking_options":
			return r.ifObject(func(name []byte) error {
				given, err := r.value()
				if string(name) == "ip_address" {
					keepsIP = string(given) != "false"
				}
				return err
			})
		}
		given, err := r.value()
		if id := formerIDs[string(name)]; id != "" && text(given) != nil {
			b.out = member(b.out, id, given)
		}
		return err
	})
	return keepsIP, err
}
