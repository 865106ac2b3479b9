package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"chancery/store"
)

// checkpointKey is the name of the key that signs checkpoints: of the credential,
// else of the file in the data directory.
const checkpointKey = "checkpoint.key"

// maxCheckpoint bounds a checkpoint that is read.
const maxCheckpoint = 64 << 10

// errNoTrust: the archive is of an engine without a Merkle tree.
var errNoTrust = errors.New("this archive keeps no Merkle tree")

// checkpointer signs the heads of an archive's Merkle tree, as notes (C2SP
// signed-note). It is safe for concurrent use.
type checkpointer struct {
	archive store.Trust
	signer  note.Signer
	public  string // the key that checks the signature
}

// newCheckpointer takes the key of the service manager's credentials, else that of
// the data directory, which is made on first use.
func newCheckpointer(ctx context.Context, archive store.Store, dir string) (*checkpointer, error) {
	t, ok := archive.(store.Trust)
	if !ok {
		return nil, errNoTrust
	}
	key := credential(checkpointKey)
	if key == "" {
		head, err := t.Head(ctx, 0)
		if err != nil {
			return nil, err
		}
		if key, err = keyIn(dir, "chancery-"+hex.EncodeToString(head.Archive[:])); err != nil {
			return nil, fmt.Errorf("key for checkpoints: %w", err)
		}
	}
	signer, err := note.NewSigner(key)
	if err != nil {
		return nil, fmt.Errorf("key for checkpoints: %w", err)
	}
	public, err := publicKey(signer.Name(), key)
	if err != nil {
		return nil, err
	}
	return &checkpointer{archive: t, signer: signer, public: public}, nil
}

// keyIn reads the key file of a data directory, or makes it: whole or not at all,
// and never over one that is there.
func keyIn(dir, name string) (string, error) {
	path := filepath.Join(dir, checkpointKey)
	b, err := os.ReadFile(path)
	if err == nil {
		return strings.TrimSpace(string(b)), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	key, _, err := note.GenerateKey(rand.Reader, name)
	if err != nil {
		return "", err
	}
	f, err := os.CreateTemp(dir, checkpointKey+".*") // only its owner can read it
	if err != nil {
		return "", err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, werr := f.WriteString(key + "\n")
	if err := errors.Join(werr, f.Sync(), f.Close()); err != nil {
		return "", err
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	syncDir(dir)
	b, err = os.ReadFile(path) // another process may have been first
	return strings.TrimSpace(string(b)), err
}

// publicKey is the verifier key that belongs to a signer key.
func publicKey(name, key string) (string, error) {
	parts := strings.SplitN(key, "+", 5) // the last one, in base 64, may have "+", too
	seed, err := base64.StdEncoding.DecodeString(parts[len(parts)-1])
	if err != nil || len(seed) != 1+ed25519.SeedSize {
		return "", errors.New("key for checkpoints: not of the form PRIVATE+KEY+NAME+HASH+KEY")
	}
	return note.NewEd25519VerifierKey(name, ed25519.NewKeyFromSeed(seed[1:]).Public().(ed25519.PublicKey))
}

// hasKey reports whether there is a key that newCheckpointer would find.
func hasKey(dir string) bool {
	if credential(checkpointKey) != "" {
		return true
	}
	_, err := os.Stat(filepath.Join(dir, checkpointKey))
	return err == nil
}

// sign gives a head as a signed note.
func (c *checkpointer) sign(h store.TreeHead) (string, error) {
	b, err := note.Sign(&note.Note{Text: h.String()}, c.signer)
	return string(b), err
}

// check compares an earlier checkpoint with the archive of today: the signature must
// be of key (empty: of our own), and the first records the ones that were signed.
func (c *checkpointer) check(ctx context.Context, text []byte, key string) (store.TreeHead, error) {
	if key == "" {
		key = c.public
	}
	verifier, err := note.NewVerifier(key)
	if err != nil {
		return store.TreeHead{}, usageError("--key: %w", err)
	}
	n, err := note.Open(text, note.VerifierList(verifier))
	if err != nil {
		return store.TreeHead{}, failWith(exitData, fmt.Errorf("the signature is not of %s: %w; --key names another public key", key, err))
	}
	old, err := store.ParseTreeHead(n.Text)
	if err != nil {
		return old, failWith(exitData, err)
	}
	now, err := c.archive.Head(ctx, 0)
	if err != nil {
		return old, err
	}
	if now.Archive != old.Archive {
		return old, failWith(exitData, fmt.Errorf("the checkpoint is of archive %x, this is %x", old.Archive, now.Archive))
	}
	if old.Size > now.Size {
		return old, failWith(exitFailed, fmt.Errorf("the checkpoint is over %d records, and the archive has %d: it lost some", old.Size, now.Size))
	}
	if old.Size == 0 {
		return old, nil
	}
	then, err := c.archive.Head(ctx, old.Size)
	if err != nil {
		return old, err
	}
	if then.Root != old.Root {
		return old, failWith(exitFailed, fmt.Errorf("the first %d records are not those of the checkpoint: the archive was rewritten", old.Size))
	}
	return old, nil
}

// checkFile is check for a file that was named. It makes no key: one that is made
// now has signed nothing.
func (e *Env) checkFile(ctx context.Context, name, key string) error {
	t, ok := e.Archive.(store.Trust)
	if !ok {
		return errNoTrust
	}
	c := &checkpointer{archive: t}
	if key == "" {
		if !hasKey(e.DataDir) {
			return dataError("%s: there is no %s in %s to check the signature with: put a copy of the one that signed there, or name its public half with --key", name, checkpointKey, e.DataDir)
		}
		var err error
		if c, err = newCheckpointer(ctx, e.Archive, e.DataDir); err != nil {
			return err
		}
	}
	f, err := e.Files.Open(name)
	if err != nil {
		return &fileError{err}
	}
	text, err := io.ReadAll(io.LimitReader(f, maxCheckpoint))
	if err := errors.Join(err, f.Close()); err != nil {
		return &fileError{err}
	}
	old, err := c.check(ctx, text, key)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return e.printf("%s holds: the first %d records are the ones that were signed\n", name, old.Size)
}

// withCheckpoint serves the signed head of the archive at /checkpoint, and all else
// by next. The head tells how many records there are and nothing of what is in them.
func withCheckpoint(next http.Handler, archive store.Store, dir, base string, log *slog.Logger) http.Handler {
	under := "/checkpoint" // as a reverse proxy hands it over that keeps the path of base
	if u, err := url.Parse(base); err == nil {
		under = strings.TrimRight(u.Path, "/") + under
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if (r.URL.Path != "/checkpoint" && r.URL.Path != under) || (r.Method != http.MethodGet && r.Method != http.MethodHead) {
			next.ServeHTTP(w, r)
			return
		}
		text, err := checkpointNow(r.Context(), archive, dir)
		if err != nil {
			log.ErrorContext(r.Context(), "no checkpoint", "error", err.Error())
			http.Error(w, "no checkpoint", http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-cache")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		_, _ = io.WriteString(w, text)
	})
}

func checkpointNow(ctx context.Context, archive store.Store, dir string) (string, error) {
	c, err := newCheckpointer(ctx, archive, dir)
	if err != nil {
		return "", err
	}
	h, err := c.archive.Head(ctx, 0)
	if err != nil {
		return "", err
	}
	return c.sign(h)
}
