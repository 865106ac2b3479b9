package feed

import (
	"fmt"

	"golang.org/x/net/idna"
)

// maxHost is longer than the name of any host: 253 letters (RFC 1035 §2.3.4), each of
// up to four bytes.
const maxHost = 1 << 10

// ASCIIHost is the name of a host as it is looked up: in lower case, with its
// international labels in the form of RFC 5890 ("xn--…"). It is an error for what can
// be no such name. What is too long for one is not even looked at, as the conversion
// takes time by the square of its length.
func ASCIIHost(name string) (string, error) {
	if len(name) > maxHost {
		return "", fmt.Errorf("%.40q… has %d bytes, more than the name of a host", name, len(name))
	}
	return idna.Lookup.ToASCII(name)
}
