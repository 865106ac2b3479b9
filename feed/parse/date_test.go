package parse

import (
	"testing"
	"time"

	"chancery/feed"
)

// The dates of the wild, each to the instant it means (P-60 to P-62). The offset
// of the result is that of the text (P-64).
func TestReadDate(t *testing.T) {
	tests := []struct{ in, want, flag string }{
		// RFC 822, 1123 and 5322.
		{"Thu, 01 Jan 2004 19:48:21 GMT", "2004-01-01T19:48:21Z", ""},
		{"Thu, 1 Jan 2004 19:48:21 GMT", "2004-01-01T19:48:21Z", ""},
		{"Thu, 01 Jan 04 19:48:21 GMT", "2004-01-01T19:48:21Z", ""},
		{"01 Jan 2004 19:48:21 GMT", "2004-01-01T19:48:21Z", ""},
		{"Thu 01 Jan 2004 19:48:21 GMT", "2004-01-01T19:48:21Z", ""},
		{"Thu, 01 Jan 2004 19:48 GMT", "2004-01-01T19:48:00Z", ""},
		{"Thu,  01   Jan  2004   19:48:21   +0000", "2004-01-01T19:48:21Z", ""},
		{"Mon, 26 January 2004 16:31:00 EST", "2004-01-26T16:31:00-05:00", ""},
		{"Mon, 26 Jan 2004 16:31:00 EDT", "2004-01-26T16:31:00-04:00", ""},
		{"Mon, 26 Jan 2004 16:31:00 PST", "2004-01-26T16:31:00-08:00", ""},
		{"Mon, 26 Jan 2004 16:31:00 AT", "2004-01-26T16:31:00-04:00", ""},
		{"Mon, 26 Jan 2004 16:31:00 ET", "2004-01-26T16:31:00-05:00", ""},
		{"Mon, 26 Jan 2004 16:31:00 CT", "2004-01-26T16:31:00-06:00", ""},
		{"Mon, 26 Jan 2004 16:31:00 MT", "2004-01-26T16:31:00-07:00", ""},
		{"Mon, 26 Jan 2004 16:31:00 PT", "2004-01-26T16:31:00-08:00", ""},
		{"Mon, 26 Jan 2004 16:31:00 UT", "2004-01-26T16:31:00Z", ""},
		{"Mon, 26 Jan 2004 16:31:00 Z", "2004-01-26T16:31:00Z", ""},
		{"Mon, 26 Jan 2004 16:31:00 Etc/GMT", "2004-01-26T16:31:00Z", ""},
		{"Mon, 26 Jan 2004 16:31:00 -0000", "2004-01-26T16:31:00Z", ""},
		{"Mon, 26 Jan 2004 16:31:00 +05:30", "2004-01-26T16:31:00+05:30", ""},
		{"Mon, 26 Jan 2004 16:31:00 +0200 (CEST)", "2004-01-26T16:31:00+02:00", ""},
		{"Mon, 26 Jan 2004 16:31:00 (PST)", "2004-01-26T16:31:00-08:00", ""},
		{"Wed, 31 Dec 2003 23:59:60 GMT", "2004-01-01T00:00:00Z", ""},
		{"Thu, 1 Jan 2004", "2004-01-01T00:00:00Z", ""},
		{"Thu, 5 Apr 2012 10:00:00 +0000 UTC", "2012-04-05T10:00:00Z", ""},
		{"Tue, 1 Jan 2004 19:48:21 GMT", "2004-01-01T19:48:21Z", flagWeekday},
		{"Thu, 01 Jan 2004 19:48:21", "2004-01-01T19:48:21Z", flagNoZone},
		{"Sat, 01 Jan 83 19:48:21 GMT", "1983-01-01T19:48:21Z", flagRange},
		// asctime and its relations.
		{"Sun Jan  4 16:29:06 2004", "2004-01-04T16:29:06Z", flagNoZone},
		{"Sun Jan  4 16:29:06 PST 2004", "2004-01-04T16:29:06-08:00", ""},
		{"Sun Jan 4 2004 16:29:06 GMT+0100 (CET)", "2004-01-04T16:29:06+01:00", ""},
		{"Fri, 2006/09/15 08:19:53 EDT", "2006-09-15T08:19:53-04:00", ""},
		{"2004-07-08 23:56:58.0", "2004-07-08T23:56:58Z", flagNoZone},
		{"2004-07-08 23:56:58 +0900", "2004-07-08T23:56:58+09:00", ""},
		{"2009-11-10 23:00:00 +0000 UTC m=+0.000000001", "", ""},
		// W3C-DTF and ISO 8601.
		{"2003-12-31T10:14:55Z", "2003-12-31T10:14:55Z", ""},
		{"2003-12-31t10:14:55z", "2003-12-31T10:14:55Z", ""},
		{"2003-12-31T10:14:55.1234Z", "2003-12-31T10:14:55.1234Z", ""},
		{"2003-12-31T10:14:55,5Z", "2003-12-31T10:14:55.5Z", ""},
		{"2003-12-31T10:14:55-08:00", "2003-12-31T10:14:55-08:00", ""},
		{"2003-12-31T10:14:55−08:00", "2003-12-31T10:14:55-08:00", ""},
		{"2003-12-31T18:14:55+08", "2003-12-31T18:14:55+08:00", ""},
		{"2003-12-31T18:14:55+0800", "2003-12-31T18:14:55+08:00", ""},
		{"2007-04-23T23:25:47.538+10:00", "2007-04-23T23:25:47.538+10:00", ""},
		{"2003-12-31T10:14Z", "2003-12-31T10:14:00Z", ""},
		{"2003-12-31T10:14:55", "2003-12-31T10:14:55Z", flagNoZone},
		{"2003-12-31 10:14:55 UTC", "2003-12-31T10:14:55Z", ""},
		{"2003-12-31", "2003-12-31T00:00:00Z", ""},
		{"2003-12", "2003-12-01T00:00:00Z", ""},
		{"2003", "2003-01-01T00:00:00Z", ""},
		{"20031231", "2003-12-31T00:00:00Z", ""},
		{"20031231T101455Z", "2003-12-31T10:14:55Z", ""},
		{"20031231101455", "2003-12-31T10:14:55Z", flagNoZone},
		{"2003-335", "2003-12-01T00:00:00Z", ""},
		{"2003335", "2003-12-01T00:00:00Z", ""},
		{"2004-W01-4", "2004-01-01T00:00:00Z", ""},
		{"2003-12-31T24:00:00Z", "2004-01-01T00:00:00Z", ""},
		{"2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z", ""},
		{"2003-12-31T9:15-05:00", "2003-12-31T09:15:00-05:00", ""},
		{"03-12-31", "2003-12-31T00:00:00Z", ""},
		{"031231", "2003-12-31T00:00:00Z", ""},
		{"-0312", "2003-12-01T00:00:00Z", ""},
		{"-03-12", "2003-12-01T00:00:00Z", ""},
		{"03335", "2003-12-01T00:00:00Z", ""},
		{"03-335", "2003-12-01T00:00:00Z", ""},
		{"1500000000", "2017-07-14T02:40:00Z", flagEpoch},
		{"1500000000000", "2017-07-14T02:40:00Z", flagEpoch},
		// Zones (P-61): known by table, others said.
		{"Mon, 26 Jan 2004 16:31:00 MET", "2004-01-26T16:31:00+01:00", ""},
		{"Mon, 26 Jan 2004 16:31:00 MEST", "2004-01-26T16:31:00+02:00", ""},
		{"Mon, 26 Jan 2004 16:31:00 IST", "2004-01-26T16:31:00+05:30", ""},
		{"Mon, 26 Jan 2004 16:31:00 JST", "2004-01-26T16:31:00+09:00", ""},
		{"Mon, 26 Jan 2004 16:31:00 MSK", "2004-01-26T16:31:00+03:00", ""},
		{"Mon, 26 Jan 2004 16:31:00 AEST", "2004-01-26T16:31:00+10:00", ""},
		{"Mon, 26 Jan 2004 16:31:00 CEST", "2004-01-26T16:31:00+02:00", ""},
		{"Mon, 26 Jan 2004 16:31:00 IRST", "2004-01-26T16:31:00+03:30", ""},
		{"Mon, 26 Jan 2004 16:31:00 GMT+2", "2004-01-26T16:31:00+02:00", ""},
		{"Mon, 26 Jan 2004 16:31:00 UTC-03:30", "2004-01-26T16:31:00-03:30", ""},
		{"Mon, 26 Jan 2004 16:31:00 XYZ", "2004-01-26T16:31:00Z", flagZone},
		{"Mon, 26 Jan 2004 16:31:00 A", "2004-01-26T16:31:00Z", flagZone},
		{"Mon, 26 Jan 2004 16:31:00 +9900", "2004-01-26T16:31:00Z", flagZone},
		// Words of other languages.
		{"Mo, 5. Januar 2004 16:31:00 +0100", "2004-01-05T16:31:00+01:00", ""},
		{"5. März 2010, 14:30 Uhr", "2010-03-05T14:30:00Z", flagNoZone},
		{"Mi, 15 Dez 2010 08:00:00 MEZ", "2010-12-15T08:00:00+01:00", ""},
		{"mar., 2 févr. 2010 10:00:00 +0100", "2010-02-02T10:00:00+01:00", ""},
		{"lundi 14 décembre 2009 10:00 GMT", "2009-12-14T10:00:00Z", ""},
		{"mar, 05 gen 2010 10:00:00 +0100", "2010-01-05T10:00:00+01:00", ""},
		{"martes 9 de marzo de 2010 10:00:00 GMT", "2010-03-09T10:00:00Z", ""},
		{"dom, 7 mar 2010 10:00:00 GMT", "2010-03-07T10:00:00Z", ""},
		{"Qui, 09 Set 2010 10:00:00 -0300", "2010-09-09T10:00:00-03:00", ""},
		{"Чт, 09 сен 2010 10:00:00 +0400", "2010-09-09T10:00:00+04:00", ""},
		{"9 сентября 2010 г. 10:00", "2010-09-09T10:00:00Z", flagNoZone},
		{"Κυρ, 11 Ιούλ 2004 12:00:00 EST", "2004-07-11T12:00:00-05:00", ""},
		{"Τετ, 14 Ιαν 2004 12:00:00 GMT", "2004-01-14T12:00:00Z", ""},
		{"2004-július-13T9:15-05:00", "2004-07-13T09:15:00-05:00", ""},
		{"2004년 05월 28일 01:31:15", "2004-05-28T01:31:15Z", flagNoZone},
		{"2004-05-25 오후 11:23:17", "2004-05-25T23:23:17Z", flagNoZone},
		{"2010年3月5日 14:30", "2010-03-05T14:30:00Z", flagNoZone},
		{"5 Oca 2010 Sal 10:00:00 +0200", "2010-01-05T10:00:00+02:00", ""},
		{"٥ يناير ٢٠١٠ ١٠:٠٠ GMT", "2010-01-05T10:00:00Z", ""},
		{"۵ ژانویه ۲۰۱۰", "2010-01-05T00:00:00Z", ""},
		// The Iranian calendar.
		{"۱۴۰۲/۰۱/۰۱", "2023-03-21T00:00:00Z", flagCalendar},
		{"30 اسفند 1399", "2021-03-20T00:00:00Z", flagCalendar},
		{"۱۲ مهر ۱۴۰۱ ساعت ۱۴:۳۰", "2022-10-04T14:30:00Z", flagCalendar},
		// American, and the order of day and month (P-63).
		{"January 5, 2010 3:04 PM EST", "2010-01-05T15:04:00-05:00", ""},
		{"Jan 5th, 2010", "2010-01-05T00:00:00Z", ""},
		{"Sept 5, 2010", "2010-09-05T00:00:00Z", ""},
		{"12:30 AM, Jan 5 2010 GMT", "2010-01-05T00:30:00Z", ""},
		{"25/12/2010 10:00 GMT", "2010-12-25T10:00:00Z", ""},
		{"12/25/2010 10:00 GMT", "2010-12-25T10:00:00Z", ""},
		{"01/02/2010", "2010-02-01T00:00:00Z", flagOrder},
		{"1/2/2010 3:04:05 PM", "2010-01-02T15:04:05Z", flagOrder},
		{"01.02.2010 10:00 GMT", "2010-02-01T10:00:00Z", ""},
		{"05/05/2010", "2010-05-05T00:00:00Z", ""},
		{"Thu, 04 Jul 1776 18:30:02 GMT", "1776-07-04T18:30:02Z", flagRange},
	}
	for _, tt := range tests {
		got, flag, ok := readDate(tt.in, orderUnknown)
		if tt.want == "" {
			if ok {
				t.Errorf("%q was read as %v, want no date", tt.in, got)
			}
			continue
		}
		if s := got.Format(time.RFC3339Nano); !ok || s != tt.want || flag != tt.flag {
			t.Errorf("%q = %s %q, want %s %q", tt.in, s, flag, tt.want, tt.flag)
		}
	}
}

// What is no date is rejected (P-60, PEERS 43, 45).
func TestReadDateRejects(t *testing.T) {
	for _, in := range []string{
		"", " ", "ah", "yesterday", "never", "N/A", "0", "00", "2003-13-01", "2003-12-32", "2003-00-10", "2003-02-30", "2003-02-29",
		"2003-12-31T25:14:55Z", "2003-12-31T10:61:55Z", "2003-12-31T10:14:61Z", "2003-12-31T24:00:01Z", "2003-400", "2003-W54", "2003-W00-1",
		"07-01T01:55:07-05:00", "Thu, 32 Jan 2004 19:48:21 GMT", "Thu, 31 Jun 2004 19:48:21 GMT", "Thu, 01 Foo 2004 19:48:21 GMT",
		"Thu, 01 Jan 2004 25:48:21 GMT", "Thu, 01 Jan 2004 19:xx:21 GMT", "31/31/2010", "13/13/2010", "Jan", "5 Jan",
		"0001-01-01T00:00:00Z", "Mon, 01 Jan 0001 00:00:00 +0000", "0000-00-00 00:00:00", "99999999999999999999", "1:2:3:4", "++", "--::--",
		"start=2002-10-13T09:00+01:00;scheme=W3C-DTF", "insert published date here", "12 12 12 12 12 12",
	} {
		if got, flag, ok := readDate(in, orderUnknown); ok || !got.IsZero() {
			t.Errorf("%q was read as %v (%s), want no date", in, got, flag)
		}
	}
}

// The raw text stays whether it could be read or not (P-64), and the first date
// of an element counts.
func TestDateRaw(t *testing.T) {
	d := &Document{}
	var x feed.Date
	d.date(&x, "soon")
	if x.Raw != "soon" || !x.IsZero() {
		t.Errorf("%+v, want the raw text alone", x)
	}
	d.date(&x, "2004-01-01")
	if x.Raw != "soon" {
		t.Errorf("a second date replaced the first: %+v", x)
	}
}

// A date does not depend on the zone of the machine: its own offset is kept, and is
// never that of the local zone, which has summer time and a name (P-13, OPS-30).
func TestDateZone(t *testing.T) {
	here := time.Date(2004, 7, 1, 12, 0, 0, 0, time.Local)
	for _, in := range []string{here.Format("2006-01-02T15:04:05-07:00"), here.Format(time.RFC1123Z), "Thu, 01 Jul 2004 12:00:00 GMT", "2004-07-01T12:00:00+00:00"} {
		if got, _, ok := readDate(in, orderUnknown); !ok || got.Location() == time.Local {
			t.Errorf("%s: %v in the zone %v", in, got, got.Location())
		}
	}
}

// A year that RFC 3339 cannot say is none, also where it only begins in UTC: such an
// item could not be exported.
func TestDateYears(t *testing.T) {
	for in, want := range map[string]bool{
		"9999-12-31T23:00:00+00:00": true, "9999-12-31T23:00:00-01:00": false, "Fri, 31 Dec 9999 23:30:00 EST": false,
		"9999-12-31T24:00:00+01:00": false, "1000-01-01T00:00:00Z": true, "1000-01-01T00:00:00+01:00": false, "0999-12-31T23:30:00-01:00": false,
	} {
		got, _, ok := readDate(in, orderUnknown)
		if ok != want {
			t.Errorf("%s: %v, %t", in, got, ok)
		}
		if _, err := got.UTC().MarshalJSON(); err != nil {
			t.Errorf("%s: %v", in, err)
		}
	}
}

// An order that the feed proves settles a date that could be either way (P-63).
func TestDateHabit(t *testing.T) {
	for _, tt := range []struct {
		habit order
		want  string
	}{{dayFirst, "2010-02-01"}, {monthFirst, "2010-01-02"}, {orderUnknown, "2010-02-01"}} {
		got, flag, _ := readDate("01/02/2010", tt.habit)
		if s := got.Format(time.DateOnly); s != tt.want || (flag == flagOrder) != (tt.habit == orderUnknown) {
			t.Errorf("habit %d: %s %q, want %s", tt.habit, s, flag, tt.want)
		}
	}
	for in, want := range map[string]order{"25/12/2010": dayFirst, "12/25/2010": monthFirst, "1/2/2010": orderUnknown, "25 Dec 2010": orderUnknown, "": orderUnknown} {
		if got := evidence(in); got != want {
			t.Errorf("evidence(%q) = %d, want %d", in, got, want)
		}
	}
}
