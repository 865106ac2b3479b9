package query_test

import (
	"errors"
	"strings"
	"testing"

	"chancery/feed/query"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// The canonical form of a query, and that it means the same.
func TestPrint(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{`deport`, `deport`},
		{`"camp  ashraf"`, `"camp ashraf"`},
		{`“camp ashraf”`, `"camp ashraf"`},
		{`=MEK`, `=MEK`},
		{`="Camp Ashraf"`, `="Camp Ashraf"`},
		{`mojahed*`, `"mojahed*"`},
		{`al-Maliki`, `"al-Maliki"`},
		{`伊朗`, `"伊朗"`},
		{`a b`, `a AND b`},
		{`a AND b OR c d`, `(a AND b) OR (c AND d)`},
		{`a (b (c d))`, `a AND b AND c AND d`},
		{`a OR (b OR c)`, `a OR b OR c`},
		{`-a b`, `NOT a AND b`},
		{`NOT (a OR b)`, `NOT (a OR b)`},
		{`NOT NOT a`, `NOT (NOT a)`},
		{`a NEAR/8 b c`, `a NEAR/8 b AND c`},
		{`(a OR b) NEAR/3 "c d"`, `(a OR b) NEAR/3 "c d"`},
		{`(a NEAR/3 b)^2.50`, `(a NEAR/3 b)^2.5`},
		{`a^3 OR "b c"^-2`, `a^3 OR "b c"^-2`},
		{`(a^3)^2`, `a^3^2`},
		{`(a b)^0`, `(a AND b)^0`},
		{`title:iran`, `title:iran`},
		{`TITLE:(iran OR "a b"^2)`, `title:iran OR title:"a b"^2`},
		{`url:nejatngo.org`, `url:"nejatngo.org"`},
		{`author:=Luban source:lobelog category:"Human Rights"`, `author:=Luban AND source:lobelog AND category:"Human Rights"`},
		{`source:=new-house source:="new-house" source:="New House"`, `source:=new-house AND source:=new-house AND source:="New House"`},
		{`lang:fa-IR topic:mek about:iran`, `lang:fa AND topic:mek AND about:iran`},
		{`published:2009-01..2009-02-01 seen:>=2009 published:7d`, `published:2009-01..2009-02-01 AND seen:>=2009 AND published:7d`},
		{`is:revised is:duplicate has:enclosure`, `is:revised AND is:duplicate AND has:enclosure`},
		{`id:01HXYZABCD0123456789ABCDEG`, `id:01hxyzabcd0123456789abcdeg`},
		{"a # not this (\n b #nor-a-comment", `a AND b AND "#nor-a-comment"`},
		{`"AND" "OR"`, `"AND" AND "OR"`},
		{`10:30`, `"10:30"`},
	} {
		q, err := query.Parse(c.in)
		if err != nil {
			t.Errorf("Parse(%q): %v", c.in, err)
			continue
		}
		if got := q.String(); got != c.want {
			t.Errorf("Parse(%q).String() = %q, want %q", c.in, got, c.want)
		}
		roundTrip(t, q)
	}
}

func roundTrip(t *testing.T, q *query.Query) {
	t.Helper()
	again, err := query.Parse(q.String())
	if err != nil {
		t.Fatalf("Parse(%q): %v", q.String(), err)
	}
	if diff := cmp.Diff(q.Root, again.Root, cmpopts.IgnoreUnexported(query.Term{}), cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("%q parsed again differs:\n%s", q.String(), diff)
	}
	if again.String() != q.String() {
		t.Fatalf("%q printed again is %q", q.String(), again.String())
	}
}

// A wrong query is refused with the place of the fault and what was expected there.
func TestSyntaxErrors(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{``, `line 1, column 1: found the end of the query, expected a word, a "phrase", a field or "("`},
		{`a OR`, `line 1, column 5: found the end of the query, expected a word`},
		{`(a b`, `line 1, column 5: found the end of the query, expected ")" for the "(" of line 1, column 1`},
		{`a)`, `line 1, column 2: found ")", expected an operator, another term or the end, as no "(" is open`},
		{"ایران OR\n  OR b", `line 2, column 3: found "OR", expected a word`},
		{`"a b`, `line 1, column 5: found the end of the query, expected a closing quote for the one of line 1, column 1`},
		{`a^3b`, `line 1, column 2: found "^3b", expected ^ and a weight`},
		{`a^1e2`, `line 1, column 2: found "^1e2", expected ^ and a weight`},
		{`a NEAR b`, `line 1, column 3: found "NEAR", expected NEAR/n with n from 1 to 1000`},
		{`a NEAR/0 b`, `line 1, column 3`},
		{`NEAR/8 a`, `line 1, column 1: found "NEAR/8", expected a word`},
		{`a (NEAR/8 b)`, `line 1, column 4: found "NEAR/8", expected a word`},
		{`lang:fa NEAR/3 b`, `line 1, column 1: found a condition before NEAR`},
		{`a NEAR/3 b NEAR/3 c`, `line 1, column 12: found "NEAR/3", expected an operator other than NEAR`},
		{`a^x`, `line 1, column 2: found "^x", expected ^ and a weight`},
		{`a^99999`, `line 1, column 2`},
		{`foo:bar`, `line 1, column 1: found "foo:", expected one of the fields title:`},
		{`title: iran`, `line 1, column 7: found " ", expected a word, a "phrase" or "(" right after title:`},
		{`title:(a lang:fa)`, `line 1, column 10: found "lang:", expected only words and phrases inside title:( )`},
		{`published:2009-13`, `line 1, column 11: found "2009-13", expected a date`},
		{`published:2010..2009`, `line 1, column 11: found "2010..2009", expected a range that ends after it begins`},
		{`published:0d`, `expected a span`},
		{`is:new`, `line 1, column 4: found "new", expected is:revised or is:duplicate`},
		{`id:x`, `line 1, column 4: found "x", expected the 26 letters`},
		{`topic:MEK`, `expected the id of a topic after topic:, such as mek`},
		{`!!!`, `line 1, column 1: found "!!!", expected a letter or a digit`},
		{`a*`, `expected a prefix of at least 2 letters`},
		{`=MEK*`, `expected no * in an exact term`},
		{"a\xff", `line 1, column 2: found bytes that are not UTF-8`},
		{strings.Repeat("(", 100) + "a", `expected at most 64 parentheses`},
		{strings.Repeat("-", 100) + "a", `expected at most 64 parentheses`},
		{strings.Repeat("a ", 20_001), `expected at most 20000 terms`},
		{strings.Repeat("a", 300_000), `expected at most 262144`},
		{`"` + strings.Repeat("a ", 33) + `"`, `expected at most 32 words in a phrase`},
	} {
		_, err := query.Parse(c.in)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Parse(%.40q): %v, want %q", c.in, err, c.want)
		}
	}
}

// Any text is a query or a SyntaxError within it; what parses prints and parses
// to the same tree.
func FuzzParse(f *testing.F) {
	for _, s := range []string{`a (b OR "c d"^-2) NEAR/8 =MEK`, `title:(a b*) -lang:fa published:2009..2010 # x`, `-(a^2)^3 NOT -"x"`, `url:a:b =“x”`, `id:01HXYZABCD0123456789ABCDEG`, "ا*\u200cب"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		q, err := query.Parse(s)
		if err != nil {
			e, ok := errors.AsType[*query.SyntaxError](err)
			if !ok || e.Line < 1 || e.Column < 1 || e.Offset < 0 || e.Offset > max(len(s), query.MaxLength) || e.Want == "" {
				t.Fatalf("Parse(%q): %#v", s, err)
			}
			return
		}
		roundTrip(t, q)
	})
}
