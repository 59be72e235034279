package main

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
)

const order = `"Order Completed"` // It becomes several events.

// What a member of a call's context becomes: a field of the event, a property of its user, or
// something that is kept until all of the call is read.
type place struct {
	field, touch string
	kept         int
	isNumber     bool
}

const (
	deviceID = iota + 1
	deviceType
	advertisingID
	libraryName
	keptEnd
)

var (
	members = map[string]place{
		"locale": {field: "language"}, "ip": {field: "ip"},
		"userAgent": {field: "user_agent"}, "timezone": {field: "timezone"},
	}
	sections = map[string]map[string]place{
		"app":     {"version": {field: "app_version"}},
		"os":      {"name": {field: "os_name"}, "version": {field: "os_version"}},
		"network": {"carrier": {field: "carrier"}},
		"library": {"name": {kept: libraryName}},
		"page":    {"referrer": {touch: "referrer"}},
		"device": {
			"id": {field: "idfv", kept: deviceID}, "type": {kept: deviceType},
			"brand": {field: "device_brand"}, "manufacturer": {field: "device_manufacturer"},
			"model":         {field: "device_model"},
			"advertisingId": {kept: advertisingID}, "idfa": {kept: advertisingID},
		},
		"location": {
			"country": {field: "country"}, "region": {field: "region"}, "city": {field: "city"},
			"dma": {field: "dma"}, "latitude": {field: "location_lat", isNumber: true},
			"longitude": {field: "location_lng", isNumber: true},
		},
		"campaign": {
			"source": {touch: "utm_source"}, "medium": {touch: "utm_medium"},
			"name": {touch: "utm_campaign"}, "term": {touch: "utm_term"},
			"content": {touch: "utm_content"},
		},
	}
	platforms = map[string]string{"ios": `"iOS"`, "android": `"Android"`}
)

// A call is written while it is read: what depends on several of its members is kept, as JSON.
type call struct {
	b                                         *batch
	kind, event, user, anonymous, id, channel []byte
	properties, traits, contextTraits         []byte
	timestamp, original                       []byte
	kept                                      [keptEnd][]byte
	touches                                   []touch
	hasIP                                     bool
}

type touch struct {
	name  string
	value []byte
}

func segmentTrack(b *batch, request *http.Request, body []byte, writeKey string) error {
	return segment(b, request, body, writeKey, "track")
}

func segmentIdentify(b *batch, request *http.Request, body []byte, writeKey string) error {
	return segment(b, request, body, writeKey, "identify")
}

// segmentBatch reads {"batch":[…]}, each call of which says its kind.
func segmentBatch(b *batch, request *http.Request, body []byte, writeKey string) error {
	return segment(b, request, body, writeKey, "")
}

func segment(
	b *batch, request *http.Request, body []byte, writeKey, kind string,
) error {
	if !hasBasic(request, writeKey) {
		return errKey
	}
	r := &reader{body: body}
	if kind == "" {
		return r.calls(b)
	}
	return r.call(b, kind)
}

func (r *reader) calls(b *batch) error {
	return r.object(func(name []byte) error {
		switch string(name) {
		case "batch":
			return r.array(func() error { return r.call(b, "") })
		case "context", "integrations":
			return errUnknown
		}
		_, err := r.value()
		return err
	})
}

func (r *reader) call(b *batch, kind string) error {
	c := call{b: b, kind: []byte(kind)}
	from := len(b.out)
	b.out = member(b.out, "library", []byte(`"segment"`))
	err := r.object(func(name []byte) error {
		if string(name) == "context" {
			return r.ifObject(func(name []byte) error { return r.context(&c, name) })
		}
		given, err := r.value()
		c.keep(name, given)
		return err
	})
	if err != nil {
		return err
	}
	return c.write(from)
}

func (c *call) keep(name, given []byte) {
	switch string(name) {
	case "type":
		if len(c.kind) == 0 {
			c.kind = text(given)
		}
	case "event":
		c.event = words(given)
	case "userId":
		c.user = words(given)
	case "anonymousId":
		c.anonymous = words(given)
	case "messageId":
		c.id = words(given)
	case "channel":
		c.channel = given
	case "properties":
		c.properties = filled(given)
	case "traits":
		c.traits = filled(given)
	case "timestamp":
		c.timestamp = words(given)
	case "originalTimestamp":
		c.original = words(given)
	}
}

func (r *reader) context(c *call, name []byte) error {
	if section, is := sections[string(name)]; is {
		return r.ifObject(func(name []byte) error {
			given, err := r.value()
			c.put(section[string(name)], given)
			return err
		})
	}
	given, err := r.value()
	if string(name) == "traits" {
		c.contextTraits = filled(given)
	} else {
		c.put(members[string(name)], given)
	}
	return err
}

func (c *call) put(to place, given []byte) {
	if !to.isNumber {
		given = words(given)
	}
	if to.field != "" {
		c.field(to.field, given)
		c.hasIP = c.hasIP || to.field == "ip" && given != nil
	}
	if to.touch != "" && given != nil {
		c.touches = append(c.touches, touch{to.touch, given})
	}
	c.kept[to.kept] = given
}

// write adds the event, whose fields of the context are written already.
func (c *call) write(from int) error {
	device := either(c.kept[deviceID], c.anonymous)
	key := text(either(c.user, device))
	isTrack := string(c.kind) == "track" && string(c.event) != order
	switch {
	case !isTrack && string(c.kind) != "identify":
		return errUnknown
	case len(key) == 0 || isTrack && c.event == nil:
		return errRecord
	case isTrack:
		c.field("event_type", c.event)
		c.field("event_properties", c.properties)
	default:
		c.field("event_type", []byte(`"$identify"`))
	}
	c.field("user_id", c.user)
	c.field("device_id", device)
	c.field("insert_id", c.id)
	c.field("platform", c.platform())
	c.field("idfa", c.kept[advertisingID])
	c.field("adid", c.kept[advertisingID])
	c.userProperties(isTrack)
	moment := either(c.original, c.timestamp)
	if moment != nil {
		given, err := milliseconds(moment)
		if err != nil {
			return err
		}
		c.b.out = strconv.AppendInt(member(c.b.out, "time", nil), given, 10)
	}
	c.b.fill(lacks{insertID: c.id == nil, time: moment == nil, ip: !c.hasIP})
	c.b.end(from, key)
	return nil
}

func (c *call) field(name string, value []byte) {
	if value != nil {
		c.b.out = member(c.b.out, name, value)
	}
}

func (c *call) platform() []byte {
	if given := c.kept[deviceType]; given != nil {
		if known := platforms[string(text(given))]; known != "" {
			return []byte(known)
		}
		return given
	}
	if string(c.kept[libraryName]) == `"analytics.js"` || string(c.channel) == `"web"` {
		return []byte(`"Web"`)
	}
	return nil
}

// userProperties are plain ones where a track call has no campaign, and operations else.
func (c *call) userProperties(isTrack bool) {
	traits := either(c.traits, c.contextTraits)
	if len(c.touches) == 0 {
		if traits != nil && !isTrack {
			traits = slices.Concat([]byte(`{"$set":`), traits, []byte("}"))
		}
		c.field("user_properties", traits)
		return
	}
	sets, first := []byte{','}, []byte(nil)
	if traits != nil {
		sets = append(sets, traits[1:len(traits)-1]...)
	}
	for _, one := range c.touches {
		sets = member(sets, one.name, one.value)
		first = member(first, "initial_"+one.name, one.value)
	}
	if traits == nil {
		sets = sets[1:]
	}
	c.b.out = fmt.Appendf(member(c.b.out, "user_properties", nil),
		`{"$set":{%s},"$setOnce":{%s}}`, sets[1:], first[1:])
}
