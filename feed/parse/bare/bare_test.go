package bare

import "testing"

func TestParse(t *testing.T) {
	const rss = `<rss version="2.0"><channel><title>x</title><item><guid>1</guid></item><item><guid>2</guid></item></channel></rss>`
	if n, err := Parse([]byte(rss)); n != 2 || err != nil {
		t.Errorf("%d entries, %v", n, err)
	}
	if _, err := Parse([]byte("text")); err == nil {
		t.Error("a text is a feed")
	}
}
