package parse

import (
	"strconv"
	"strings"

	"chancery/feed"
)

// maxPoints bounds one shape.
const maxPoints = 10_000

// place reads a position in one of the three ways feeds write it: GeoRSS simple
// (latitude first), GML inside georss:where, W3C geo (CONFORMANCE P-42). A latitude and
// a longitude of W3C geo that stand in the entry itself are read by position.
func (t *tree) place(n *node, e *feed.Entry) {
	kind := ""
	switch n.q {
	case "georss:point":
		kind = "Point"
	case "georss:line":
		kind = "LineString"
	case "georss:polygon":
		kind = "Polygon"
	case "georss:box":
		kind = "Box"
	case "georss:where":
		for c := range t.children(n) {
			t.gml(c, e)
		}
	case "georss:featurename":
		if len(e.Places) > 0 {
			e.Places[len(e.Places)-1].Name = t.value(n)
		}
	case "geo:point", "geo:location":
		t.wgs84(n, "geo:lat", "geo:long", e)
	}
	if kind != "" {
		addPlace(e, kind, coordinates(t.value(n)))
	}
}

// gml reads a geometry of GML 3.1.
func (t *tree) gml(n *node, e *feed.Entry) {
	kind := map[string]string{"gml:point": "Point", "gml:linestring": "LineString", "gml:polygon": "Polygon", "gml:envelope": "Box"}[n.q]
	if kind != "" {
		var b strings.Builder
		t.leaves(n, &b)
		addPlace(e, kind, coordinates(b.String()))
	}
}

// leaves writes the texts inside n with spaces between them.
func (t *tree) leaves(n *node, b *strings.Builder) {
	if n.first == 0 {
		b.WriteString(t.value(n) + " ")
	}
	for c := range t.children(n) {
		t.leaves(c, b)
	}
}

// position reads a latitude and a longitude that stand in the entry itself.
func (t *tree) position(e *feed.Entry) {
	t.wgs84(&t.nodes[0], "geo:lat", "geo:long", e)
	t.wgs84(&t.nodes[0], "icbm:latitude", "icbm:longitude", e)
}

// wgs84 reads a latitude and a longitude in elements of their own inside n, which are
// given by their names.
func (t *tree) wgs84(n *node, latitude, longitude string, e *feed.Entry) {
	if lat, long := t.child(n, latitude), t.child(n, longitude); lat != nil && long != nil {
		addPlace(e, "Point", coordinates(t.value(lat)+" "+t.value(long)))
	}
}

// coordinates reads pairs of latitude and longitude; nil if they are none.
func coordinates(s string) [][2]float64 {
	f := strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == ',' || r == '\n' || r == '\t' || r == '\r' })
	if len(f) == 0 || len(f)%2 != 0 || len(f) > 2*maxPoints {
		return nil
	}
	out := make([][2]float64, 0, len(f)/2)
	for i := 0; i < len(f); i += 2 {
		lat, err1 := strconv.ParseFloat(f[i], 64)
		long, err2 := strconv.ParseFloat(f[i+1], 64)
		if err1 != nil || err2 != nil || !(lat >= -90 && lat <= 90) || !(long >= -360 && long <= 360) {
			return nil
		}
		out = append(out, [2]float64{long, lat})
	}
	return out
}

// addPlace appends a place that has enough points for its kind.
func addPlace(e *feed.Entry, kind string, points [][2]float64) {
	need := map[string]int{"Point": 1, "LineString": 2, "Polygon": 3, "Box": 2}[kind]
	if len(points) >= need {
		e.Places = append(e.Places, feed.Place{Type: kind, Points: points})
	}
}
